import { find } from '../dom.js';

/**
 * One sentence about what went wrong, until it is dismissed or something works.
 * @param {HTMLElement} root
 */
export function createNotice(root) {
  const text = find(root, 'p');
  const action = /** @type {HTMLButtonElement} */ (find(root, '[data-notice=action]'));
  /** @type {() => void} */
  let act = () => {};

  const hide = () => {
    root.hidden = true;
    text.textContent = '';
  };
  find(root, '[data-notice=close]').addEventListener('click', hide);
  action.addEventListener('click', () => {
    hide();
    act();
  });

  return {
    hide,

    /**
     * @param {string} message
     * @param {{label: string, run: () => void}} [remedy]
     */
    show(message, remedy) {
      text.textContent = message;
      action.hidden = !remedy;
      action.textContent = remedy?.label ?? '';
      act = remedy?.run ?? (() => {});
      root.hidden = false;
    },
  };
}
