import { orAborted } from '../common/abort.js';
import { checkMap, checkOptions, checkWhole } from '../common/checks.js';
import { VitscopeError, invalid } from '../common/errors.js';
import { OVERLAY_OPTIONS, drawOverlay, imageSize } from './overlay.js';

/**
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {import('../../index.js').PictureOptions} PictureOptions
 */

/** Pixels a cell of a map that is drawn alone. */
const CELL = 16;

/**
 * @param {ViewMap} map
 * @param {PictureOptions} [options]
 * @returns {Promise<Blob>}
 */
export async function toPNG(map, options) {
  checkMap(map);
  const { signal, ...picture } = checkOptions(options, [...OVERLAY_OPTIONS, 'image', 'width', 'height', 'signal']);
  return orAborted(draw(map, picture), signal);
}

/**
 * @param {ViewMap} map
 * @param {PictureOptions} options
 */
async function draw(map, { image, width, height, ...overlay }) {
  if (width !== undefined) checkWhole('width', width);
  if (height !== undefined) checkWhole('height', height);
  const picture = image instanceof Blob ? await decode(image) : (image ?? null);
  const size = picture ? imageSize(picture) : { width: map.cols * CELL, height: map.rows * CELL };
  const canvas = new OffscreenCanvas(width ?? size.width, height ?? size.height);
  drawOverlay(canvas, picture, map, overlay);
  if (picture && picture !== image) /** @type {ImageBitmap} */ (picture).close();
  return canvas.convertToBlob().catch((cause) => {
    throw invalid(`This browser draws no picture of ${canvas.width} × ${canvas.height} pixels. Ask for a smaller width and height.`, { cause });
  });
}

/** @param {Blob} image */
function decode(image) {
  return createImageBitmap(image).catch((cause) => {
    throw new VitscopeError('decode-image', 'The image could not be decoded.', { cause });
  });
}
