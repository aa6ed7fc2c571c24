import { find, make } from '../dom.js';
import { nameOf } from '../models.js';
import { sizeOf } from '../words.js';

/**
 * @typedef {import('../../../pkg/index.js').CachedModel} CachedModel
 */

/**
 * Models that were kept for the next time, to be used or deleted.
 * @param {HTMLElement} root
 * @param {{onOpen: (model: CachedModel) => void, onForget: (model?: CachedModel) => void}} handlers
 */
export function createKept(root, { onOpen, onForget }) {
  const list = find(root, 'ul');
  const all = find(root, '[data-kept=all]');
  all.addEventListener('click', () => onForget());

  return {
    /** @param {CachedModel[]} models */
    show(models) {
      const focused = list.contains(/** @type {ShadowRoot} */ (root.getRootNode()).activeElement);
      all.textContent = `Delete all, ${sizeOf(models.reduce((sum, { bytes }) => sum + bytes, 0))}`;
      list.replaceChildren(...models.map((model) => {
        const name = (model.model.startsWith('hf:') ? model.model.slice(3) : nameOf(model.model)) + (model.dtype ? `, ${model.dtype}` : '');
        const open = make('button', { type: 'button', class: 'button' }, [make('b', {}, [name]), ` ${sizeOf(model.bytes)}`]);
        open.addEventListener('click', () => onOpen(model));
        const forget = make('button', { type: 'button', class: 'button', 'aria-label': `Delete ${name}` }, ['Delete']);
        forget.addEventListener('click', () => onForget(model));
        return make('li', {}, [open, forget]);
      }));
      if (focused) all.focus(); // which stays
      root.hidden = !models.length;
    },
  };
}
