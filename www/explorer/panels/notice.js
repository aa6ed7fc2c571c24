import { find, make } from '../dom.js';

/**
 * @typedef {{label: string, run: () => void}} Remedy
 * @typedef {{alive: () => void, over: () => void}} Watch  alive: it goes on, and what was said is taken back
 */

const PATIENCE = 20_000; // ms

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

  /**
   * @param {string} message
   * @param {Remedy[]} remedies
   * @returns {() => void} takes it back, unless something else has been said since
   */
  function show(message, ...remedies) {
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
  }

  return {
    hide,
    show,

    get visible() {
      return !root.hidden;
    },

    /**
     * Over something that may never end: servers stall, and workers die without a word.
     * @param {string} what has not come
     * @param {() => Remedy[]} remedies
     * @returns {Watch}
     */
    watch(what, remedies) {
      let timer = 0;
      let withdraw = () => {};
      const over = () => {
        clearTimeout(timer);
        withdraw();
      };
      const alive = () => {
        over();
        timer = window.setTimeout(() => (withdraw = show(`${what} for ${PATIENCE / 1000} seconds.`, ...remedies())), PATIENCE);
      };
      alive();
      return { alive, over };
    },
  };
}
