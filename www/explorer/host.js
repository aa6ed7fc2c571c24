/** The element that an explorer lives in: a shadow root with its styles, light or dark, whose keys are its own. */
import { find, sheet } from './dom.js';
import { STYLES } from './styles.js';
import { TEMPLATE } from './template.js';

/** @typedef {'light' | 'dark' | undefined} Theme  undefined: as the system has it */

/**
 * @param {HTMLElement} root
 * @param {AbortSignal} life
 */
export function inhabit(root, life) {
  const inside = root.shadowRoot ?? root.attachShadow({ mode: 'open' });
  inside.adoptedStyleSheets = [sheet(STYLES)];
  inside.innerHTML = TEMPLATE;
  find(inside, '.bar').classList.toggle('bare', !root.querySelector('[slot=brand]'));
  for (const type of /** @type {const} */ (['keydown', 'keypress', 'keyup'])) inside.addEventListener(type, (event) => keep(/** @type {KeyboardEvent} */ (event)), { signal: life });
  return inside;
}

/** What is typed here is none of the shortcuts of a page around, a notebook's say; those with a modifier are. @param {KeyboardEvent} event */
function keep(event) {
  if (!event.altKey && !event.ctrlKey && !event.metaKey) event.stopPropagation();
}

/** @param {HTMLElement} root @returns {Theme} */
export function themeOf({ dataset: { theme } }) {
  return theme === 'light' || theme === 'dark' ? theme : undefined;
}

/** See palette.js. @param {HTMLElement} root @param {Theme} theme */
export function setTheme(root, theme) {
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
}
