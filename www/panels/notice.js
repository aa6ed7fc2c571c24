import { find, make } from '../dom.js';

/** @typedef {{label: string, run: () => void}} Remedy */

/**
 * One sentence about what went wrong, until it is dismissed or something works.
 * @param {HTMLElement} root
 * @param {HTMLDialogElement} dialog while it is open all else is out of reach, and so it is said there
 */
export function createNotice(root, dialog) {
  const home = /** @type {HTMLElement} */ (root.parentElement);
  const text = find(root, 'p');
  const actions = find(root, '.actions');
  let latest = {};

  const hide = () => {
    root.hidden = true;
    text.textContent = '';
  };
  find(root, '[data-notice=close]').addEventListener('click', hide);
  dialog.addEventListener('close', () => home.append(root));

  return {
    hide,

    get visible() {
      return !root.hidden;
    },

    /**
     * @param {string} message
     * @param {Remedy[]} remedies
     * @returns {() => void} takes it back, unless something else has been said since
     */
    show(message, ...remedies) {
      const mine = (latest = {});
      (dialog.open ? find(dialog, '[data-model=notice]') : home).append(root);
      text.textContent = message;
      actions.replaceChildren(...remedies.map(({ label, run }) => {
        const button = make('button', { type: 'button', class: 'button' }, [label]);
        button.addEventListener('click', () => {
          hide();
          run();
        });
        return button;
      }));
      root.hidden = false;
      return () => void (mine === latest && hide());
    },
  };
}
