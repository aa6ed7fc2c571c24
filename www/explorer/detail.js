/** Into how many patches the model cuts a picture. */

/** The least and the most of them along an edge that are offered. */
export const LEAST = 8;
export const MOST = 37;

/**
 * The least and the most that are offered of a model; one with finer patches begins and ends with its own.
 * @param {[rows: number, cols: number]} own
 * @returns {[least: number, most: number]}
 */
export function offered(own) {
  const most = Math.max(...own);
  return most > MOST ? [Math.ceil(most / 4), most] : [LEAST, MOST];
}

/** A picture longer than this many times its height, or the other way round, is cut off. */
const LONGEST = 4;

/** @typedef {{width: number, height: number}} Size */

/**
 * Rows and columns in the picture's own shape, about as many patches as in a square.
 * @param {number} patches
 * @param {number} aspect width by height
 * @returns {[rows: number, cols: number]}
 */
export function shaped(patches, aspect) {
  const ratio = Math.min(LONGEST, Math.max(1 / LONGEST, aspect));
  const rows = Math.max(2, Math.round(Math.sqrt(patches / ratio)));
  return [rows, Math.max(2, Math.round(rows * ratio))];
}

/**
 * The size of image for which a model has what is wanted.
 * @param {Pick<import('../../pkg/index.js').ModelConfig, 'grid' | 'imageSize' | 'patchSize'>} own as it was loaded
 * @param {number | null} edge patches along an edge; null: as many as it was made for
 * @param {Size | undefined} whole the picture, where all of it shall be seen
 * @returns {[height: number, width: number]}
 */
export function imageSizeFor({ grid, imageSize, patchSize }, edge, whole) {
  if (edge === null && !whole) return imageSize;
  const patches = edge === null ? grid[0] * grid[1] : edge * edge;
  const [rows, cols] = whole ? shaped(patches, whole.width / whole.height) : [Math.sqrt(patches), Math.sqrt(patches)];
  return [rows * patchSize[0], cols * patchSize[1]];
}

/**
 * The patch in the same place of another grid.
 * @param {number} patch
 * @param {[number, number]} from
 * @param {[number, number]} to
 */
export function moved(patch, from, to) {
  const [row, col] = [Math.floor(patch / from[1]), patch % from[1]].map((at, i) => Math.floor(((at + 0.5) * to[i]) / from[i]));
  return row * to[1] + col;
}
