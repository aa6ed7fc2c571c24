/** "Copy link", and the system's share sheet where there is one. */

const SAID = 2000; // ms that "Copied" stays

const ICON = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M6.5 9.5l3-3M7 4.5l1.2-1.2a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5l-1.2 1.2a2.8 2.8 0 0 1-4-4L5 7.5"/></svg>';
const SHEET = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 9.5v-7M5.5 5L8 2.5 10.5 5M4.5 7.5h-1v6h9v-6h-1"/></svg>';

/**
 * @param {HTMLElement} root its buttons
 * @param {() => {link: string, whole: boolean}} what whole: nothing of it is the visitor's own, which no link can hold
 * @param {(error: unknown) => void} fail
 */
export function createShare(root, what, fail) {
  const status = document.createElement('p');
  status.setAttribute('role', 'status');
  const copy = button(ICON, 'Copy link', async () => {
    const { link, whole } = what();
    try {
      await navigator.clipboard.writeText(link);
      say(whole ? 'Copied' : 'Copied, without your photo or model');
    } catch {
      fail(new Error('This browser does not let the page copy. The link is in the address bar: copy it there.'));
    }
  });
  root.append(copy, status);
  if ('share' in navigator) root.prepend(button(SHEET, 'Share', () => navigator.share({ title: document.title, url: what().link }).catch(() => {}))); // dismissed, most of the time

  let timer = 0;
  /** @param {string} text */
  function say(text) {
    clearTimeout(timer);
    status.textContent = text;
    timer = window.setTimeout(() => (status.textContent = ''), SAID);
  }
}

/**
 * @param {string} icon
 * @param {string} name
 * @param {() => void} run
 */
function button(icon, name, run) {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: 'button', innerHTML: `${icon}<span>${name}</span>` });
  button.addEventListener('click', run);
  return button;
}
