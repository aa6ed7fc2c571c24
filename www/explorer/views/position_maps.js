/** Position embeddings as figure 7 of the ViT paper shows them: for each place, how alike those of all places are. */
import { drawCells, mosaic } from '../maps.js';
import { moved } from '../panels/stage.js';
import { remember } from './cache.js';

/**
 * @typedef {import('../view.js').ViewMap} ViewMap
 * @typedef {{vit: import('../../../pkg/index.js').Vitscope, trace: import('../../../pkg/index.js').Trace}} Model
 */

/**
 * One map for each place, row by row.
 * @param {Model} model
 * @returns {Promise<ViewMap[] | undefined>} nothing for a model that adds no vectors to its patches
 */
export function positionMaps({ vit, trace: { grid: [rows, cols] } }) {
  return remember(vit, `positions ${rows} ${cols}`, async () => {
    const all = await vit.positionSimilarity().catch(unlessMissing);
    return all && Array.from({ length: rows * cols }, (_, i) => ({ ...all, rows, cols, data: all.data.slice(i * all.cols, (i + 1) * all.cols) }));
  });
}

/** @param {any} error */
function unlessMissing(error) {
  if (error.code === 'invalid-argument') return undefined;
  throw error;
}

/**
 * All of these maps in one picture, each in its place, which a click chooses, or an arrow key.
 * @param {HTMLCanvasElement} canvas
 * @param {(patch: number) => void} onPick
 */
export function createPlaces(canvas, onPick) {
  /** @type {[number, number] | undefined} */
  let grid;
  let chosen = 0;
  canvas.addEventListener('click', ({ offsetX, offsetY }) => {
    if (!grid) return;
    const place = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ count) => Math.min(count - 1, Math.floor((at / size) * count));
    onPick(place(offsetY, canvas.clientHeight, grid[0]) * grid[1] + place(offsetX, canvas.clientWidth, grid[1]));
  });
  canvas.addEventListener('keydown', (event) => {
    const next = grid && moved(event.key, chosen, grid);
    if (next === undefined || next === null) return;
    event.preventDefault();
    onPick(next);
  });

  return {
    /**
     * @param {ViewMap[]} maps
     * @param {import('../maps.js').Look} look
     * @param {number} patch that keys go on from
     */
    show(maps, look, patch) {
      grid = [maps[0].rows, maps[0].cols];
      chosen = patch;
      const all = mosaic(maps, grid[1], maps[0].text);
      drawCells(canvas, all, look);
      canvas.setAttribute('aria-label', `${all.text}: one small map for each place`);
    },

    /** Nothing is there to choose. */
    rest() {
      grid = undefined;
    },
  };
}
