import { checkArea } from '../common/checks.js';
import { VitscopeError } from '../common/errors.js';
import { AS_STORED, decode, noMemory, taintedError } from './portable.js';

/**
 * @typedef {import('./portable.js').Portable} Portable
 * @typedef {import('../../engine.js').ImageLike} ImageLike
 */

/**
 * The full-size RGBA pixels of an image, in the worker, or its pixel values as they came. Nothing is scaled here: the engine resizes as the model's
 * preprocessor asks, which a canvas would not.
 * @param {Portable} image
 * @returns {Promise<ImageLike | import('../../index.js').PixelValues>}
 */
export async function readPixels(image) {
  if ('pixelValues' in image) return image;
  if ('pixels' in image) return image.pixels;
  const bitmap = 'bitmap' in image ? image.bitmap : await decode(image);
  try {
    return await readBitmap(bitmap);
  } finally {
    bitmap.close();
  }
}

/** Longest edge of what is drawn at once. On a canvas too large for a browser nothing is drawn, without an error; this fits all of them. */
const TILE = 4096;

/**
 * @param {ImageBitmap} bitmap
 * @returns {Promise<ImageLike>}
 */
async function readBitmap(bitmap) {
  const { width, height } = bitmap;
  checkArea(width, height);
  if (width <= TILE && height <= TILE) return readTile(bitmap);
  try {
    const data = new Uint8ClampedArray(4 * width * height);
    for (let y = 0; y < height; y += TILE) {
      for (let x = 0; x < width; x += TILE) {
        const tile = await createImageBitmap(bitmap, x, y, Math.min(TILE, width - x), Math.min(TILE, height - y), AS_STORED);
        try {
          const pixels = (await readTile(tile)).data;
          const row = 4 * tile.width;
          for (let i = 0; i < tile.height; i++) data.set(pixels.subarray(i * row, (i + 1) * row), 4 * ((y + i) * width + x));
        } finally {
          tile.close();
        }
      }
    }
    return { data, width, height };
  } catch (cause) {
    throw cause instanceof VitscopeError ? cause : noMemory(width, height, cause);
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @returns {Promise<ImageLike>}
 */
async function readTile(bitmap) {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw noMemory(width, height);
  let pixels;
  try {
    context.drawImage(bitmap, 0, 0);
    pixels = context.getImageData(0, 0, width, height);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'SecurityError') throw taintedError(cause);
    throw noMemory(width, height, cause);
  }
  return isOpaque(pixels.data) ? pixels : ((await readStraight(bitmap)) ?? pixels);
}

/** @param {Uint8ClampedArray} data RGBA */
function isOpaque(data) {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return false;
  return true;
}

/**
 * A 2D canvas keeps colours multiplied by alpha, so where a picture is transparent their true values are lost. A VideoFrame
 * made of the bitmap hands out the stored ones; asked for another format than its own it would convert, so it isn't.
 * @param {ImageBitmap} bitmap
 * @returns {Promise<ImageLike | undefined>} undefined where this browser can't
 */
async function readStraight(bitmap) {
  if (typeof VideoFrame === 'undefined') return undefined;
  let frame;
  try {
    frame = new VideoFrame(bitmap, { timestamp: 0 });
    const { width, height } = bitmap;
    const bgr = frame.format === 'BGRA';
    if (!bgr && frame.format !== 'RGBA') return undefined;
    const data = new Uint8ClampedArray(4 * width * height);
    await frame.copyTo(data, { layout: [{ offset: 0, stride: 4 * width }] });
    if (bgr) for (let i = 0; i < data.length; i += 4) [data[i], data[i + 2]] = [data[i + 2], data[i]];
    return { data, width, height };
  } catch {
    return undefined;
  } finally {
    frame?.close();
  }
}
