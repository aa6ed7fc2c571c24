/**
 * Whether the page may talk to the Hub, which its Content-Security-Policy forbids until the visitor has allowed it. What `index.html` writes at the start is
 * what holds until the page is opened anew; it reads the same key.
 */
const KEY = 'vitscope-hub';
const YES = 'yes';

/** What the visitor has said last. */
export function hubAllowed() {
  try {
    return localStorage.getItem(KEY) === YES;
  } catch {
    return false; // no storage, no consent
  }
}

/**
 * Opens the page anew, with the Hub.
 * @returns {boolean} false: this browser keeps nothing, so that it can't be remembered, and the page stays as it is
 */
export function allowHub() {
  return reloaded(() => localStorage.setItem(KEY, YES));
}

/** Opens the page anew, without the Hub. */
export function forbidHub() {
  return reloaded(() => localStorage.removeItem(KEY));
}

/** @param {() => void} keep */
function reloaded(keep) {
  try {
    keep();
  } catch {
    return false;
  }
  location.reload();
  return true;
}
