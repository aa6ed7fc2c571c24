import { moved } from '../../explorer/detail.js';
import { make } from '../../explorer/dom.js';
import { createStage } from '../../explorer/panels/stage.js';
import { STAGE } from '../../explorer/template.js';

/** @typedef {import('../figure.js').Context} Context */

/**
 * The photo as the explorer shows it, with a map over it and the choice of a patch: by pointer, or by arrow keys.
 * @param {string} label what it is for
 * @param {{onPick?: (patch: number | null) => void, onHover?: (patch: number | null) => void}} [handlers]
 */
export function createPhoto(label, { onPick = () => {}, onHover = () => {} } = {}) {
  const element = make('div', { class: 'stage', tabindex: '0', role: 'application', 'aria-label': label });
  element.innerHTML = STAGE;
  const life = new AbortController();
  /** Of the model, and of the map, which may be a layer's own. @type {[number, number][]} */
  let [first, grid] = /** @type {[number, number][]} */ ([[1, 1], [1, 1]]);
  const stage = createStage(element, { onPick: (patch) => onPick(patch === null ? null : moved(patch, grid, first)), onHover }, life.signal);
  /** @type {Blob | ImageBitmap | undefined} */
  let shown;

  return {
    element,

    /** What is shown, once it is decoded. */
    get picture() {
      return stage.picture;
    },

    /**
     * @param {Pick<Context, 'image' | 'trace' | 'look' | 'signal'>} context
     * @param {import('../../../pkg/index.js').ViewMap | undefined} map
     * @param {{patch?: number | null, cut?: boolean, look?: Partial<Context['look']>}} [options] patch: the one that is marked; cut: whether lines show the patches
     */
    async show({ image, trace, look, signal }, map, { patch = null, cut = false, look: own } = {}) {
      if (image !== shown) {
        const bitmap = await createImageBitmap(image);
        if (signal.aborted) return bitmap.close();
        shown = image;
        stage.showPhoto(bitmap, label);
      }
      [first, grid] = [trace.grid, map ? [map.rows, map.cols] : trace.grid];
      stage.showMap({ crop: trace.crop, grid }, map && { ...map, crop: trace.crop }, { ...look, ...own }, patch === null ? null : moved(patch, first, grid), cut);
    },
  };
}

/**
 * The part of the photo that the model sees, as a square picture of its own.
 * @param {HTMLCanvasElement} canvas which gets `size` pixels, in the part's shape
 * @param {ImageBitmap} picture
 * @param {import('../../../pkg/index.js').Rectangle} crop
 * @param {number} size of the longer edge
 */
export function drawCrop(canvas, picture, { x, y, width, height }, size) {
  const scale = size / Math.max(width, height);
  Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, x, y, width, height, 0, 0, canvas.width, canvas.height);
}
