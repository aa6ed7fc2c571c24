import { toJSON, toNpy, toPNG } from '../../../pkg/dist/index.js';
import { save } from '../download.js';
import { overlayOptions } from '../maps.js';

/**
 * @typedef {{
 *   map: import('../maps.js').ViewMap | undefined, trace: import('../../../pkg/index.js').Trace, image: import('../view.js').Picture,
 *   look: import('../maps.js').Look, name: string,
 * }} Exported
 */

/**
 * What is shown, as files.
 * @param {HTMLElement} root
 * @param {(error: unknown) => void} onFail
 */
export function createExports(root, onFail) {
  const buttons = /** @type {HTMLButtonElement[]} */ ([...root.querySelectorAll('[data-export]')]);
  /** @type {Exported | undefined} */
  let shown;

  for (const button of buttons) {
    button.addEventListener('click', async () => {
      if (!shown) return;
      try {
        const kind = /** @type {string} */ (button.dataset.export);
        const [blob, ending] = await FILES[kind](shown);
        save(blob, `${shown.name.replace(/\.\w+(?=-)/, '').replace(/[^\p{L}\p{N}]+/gu, '-').toLowerCase()}${ending}`);
      } catch (error) {
        onFail(error);
      }
    });
  }

  return {
    /** @param {Exported | undefined} next */
    show(next) {
      shown = next;
      root.classList.toggle('ready', Boolean(next));
      for (const button of buttons) {
        const kind = button.dataset.export;
        button.disabled = !next || (kind === 'trace' ? Boolean(next.trace.queries) : !next.map) || (kind === 'photo' && !next.map?.crop);
      }
    },
  };
}

/** @type {Record<string, (shown: any) => Promise<[Blob, string]> | [Blob, string]>} */
const FILES = {
  photo: async ({ map, image, look }) => [await toPNG(map, { ...overlayOptions(map, look), image }), '-photo.png'],
  map: async ({ map, look }) => [await toPNG(map, { ...overlayOptions(map, { ...look, smooth: look.smooth && Boolean(map.crop) }), opacity: 1 }), '.png'],
  npy: ({ map }) => [new Blob([toNpy(map)]), '.npy'],
  json: ({ map }) => [new Blob([toJSON(map)], { type: 'application/json' }), '.json'],
  trace: ({ trace }) => [new Blob([trace.toSafetensors()]), '.safetensors'],
};
