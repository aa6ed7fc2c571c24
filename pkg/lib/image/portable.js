import { arePixelValues, checkArea, checkPixels, checkPixelValues } from '../common/checks.js';
import { documentBase } from '../common/environment.js';
import { VitscopeError } from '../common/errors.js';
import { readDisk } from '../files/disk.js';
import { request, requireOk } from '../files/site.js';
import { decodePicture } from './decode.js';

/**
 * @typedef {import('../../index.js').ImageSource} ImageSource
 * @typedef {{bitmap: ImageBitmap} | {blob: Blob, name: string} | {pixels: {data: Uint8ClampedArray | Uint8Array, width: number, height: number}} | import('../../index.js').PixelValues} Portable
 *   an image in a form that can be handed to the worker
 * @typedef {{image: Portable, transfer: Transferable[]}} Prepared
 */

/** Colours and transparency as they are in the file: the reference (Pillow) converts neither. @type {ImageBitmapOptions} */
export const AS_STORED = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };

/**
 * Takes what the caller calls an image and makes it portable. The caller's own object stays usable, and later changes to
 * it (a video that plays on, a canvas drawn over) no longer matter.
 * @param {any} source an ImageSource
 * @param {AbortSignal} signal
 * @param {import('../../index.js').Decode} [decode]
 * @returns {Promise<Prepared>}
 */
export async function prepareImage(source, signal, decode) {
  const file = typeof source === 'string' || source instanceof URL ? await fetchImage(source, signal) : source instanceof Blob && { blob: source, name: nameOf(source) };
  if (file) {
    if (decode || !draws()) return copyPixels(await decodePicture(file, decode));
    const prepared = { image: file, transfer: [] };
    // Without an origin, as in a file opened from the disk, WebKit's workers can't read it.
    return globalThis.origin === 'null' ? decodeAhead(prepared, undefined, signal) : prepared;
  }
  if (is(source, 'HTMLImageElement')) await decoded(/** @type {HTMLImageElement} */ (source), signal);
  if (isDrawable(source)) return snapshot(/** @type {ImageBitmapSource & object} */ (source), signal);
  return arePixelValues(source) ? copyValues(source) : copyPixels(/** @type {ImageData} */ (source));
}

/** Deno has canvases, on which nothing can be drawn. */
function draws() {
  return typeof OffscreenCanvas !== 'undefined' && Boolean(new OffscreenCanvas(1, 1).getContext('2d'));
}

/**
 * @param {string | URL} address
 * @param {AbortSignal} signal
 * @returns {Promise<{blob: Blob, name: string}>}
 */
async function fetchImage(address, signal) {
  let url;
  try {
    url = new URL(address, documentBase()).href;
  } catch (cause) {
    throw new VitscopeError('invalid-image', `"${address}" is not a URL that can be resolved here.`, { cause });
  }
  if (url.startsWith('file:')) return { blob: new Blob([await readDisk(url)]), name: url };
  const response = await request(url, { signal });
  requireOk(response, url);
  try {
    return { blob: await response.blob(), name: url };
  } catch (cause) {
    signal.throwIfAborted();
    throw new VitscopeError('network', `The download of ${url} broke off. Try again.`, { cause });
  }
}

/**
 * An element may still be loading, or have failed to.
 * @param {HTMLImageElement} element
 * @param {AbortSignal} signal
 */
async function decoded(element, signal) {
  if (element.complete && element.naturalWidth > 0) return;
  const aborted = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  try {
    await Promise.race([element.decode(), aborted]);
  } catch (cause) {
    signal.throwIfAborted();
    const what = element.currentSrc || element.src || 'The <img> element';
    throw new VitscopeError('decode-image', `${shorten(what)} could not be loaded or decoded as an image.`, { cause });
  }
}

/**
 * @param {ImageBitmapSource & object} source
 * @param {AbortSignal} signal
 * @returns {Promise<Prepared>}
 */
async function snapshot(source, signal) {
  const { width, height } = sizeOf(source);
  if (!width || !height) throw new VitscopeError('invalid-image', emptyMessage(source, width, height));
  checkArea(width, height);
  let bitmap;
  try {
    bitmap = await createImageBitmap(source, AS_STORED);
  } catch (cause) {
    const tainted = cause instanceof DOMException && cause.name === 'SecurityError';
    if (tainted) throw taintedError(cause);
    // Past a size that is the browser's own, a canvas takes no drawing and says nothing of it.
    if ('getContext' in source) throw new VitscopeError('invalid-image', `This browser draws no canvas of ${width} × ${height} pixels. Make it smaller.`, { cause });
    throw new VitscopeError('decode-image', 'The image could not be decoded.', { cause });
  }
  return handed(bitmap, signal);
}

/**
 * @param {ImageBitmap} bitmap until it is handed over, ours to free
 * @param {AbortSignal} signal
 * @returns {Prepared}
 */
function handed(bitmap, signal) {
  signal.addEventListener('abort', () => bitmap.close());
  if (signal.aborted) bitmap.close();
  signal.throwIfAborted();
  return { image: { bitmap }, transfer: [bitmap] };
}

/**
 * A file decoded here, while the worker is busy with another picture: that one would keep it from it.
 * @param {Prepared} prepared
 * @param {Promise<unknown> | undefined} next until then too many would be held
 * @param {AbortSignal} signal
 * @returns {Promise<Prepared>}
 */
export async function decodeAhead(prepared, next, signal) {
  if (!('blob' in prepared.image)) return prepared;
  await next;
  signal.throwIfAborted();
  return handed(await decode(prepared.image), signal);
}

/** @param {{blob: Blob, name: string}} image */
export async function decode({ blob, name }) {
  if (blob.size === 0) throw new VitscopeError('decode-image', `${name} is an empty file.`);
  try {
    return await createImageBitmap(blob, AS_STORED); // turns the picture upright as its EXIF data says
  } catch (cause) {
    const type = blob.type ? ` (${blob.type})` : '';
    throw new VitscopeError('decode-image', `${name}${type} could not be decoded as an image. Try a JPEG, PNG or WebP file.`, { cause });
  }
}

/**
 * @param {ImageData} source
 * @returns {Prepared}
 */
function copyPixels(source) {
  checkPixels(source, 'The image must be an ImageBitmap, ImageData, <img>, <canvas>, OffscreenCanvas, <video>, VideoFrame, Blob or URL, or {data, width, height} with 8-bit RGBA data.');
  const data = copyOf(source);
  return { image: { pixels: { data, width: source.width, height: source.height } }, transfer: [data.buffer] };
}

/**
 * @param {import('../../index.js').PixelValues} source
 * @returns {Prepared}
 */
function copyValues(source) {
  checkPixelValues(source);
  const pixelValues = new Float32Array(source.pixelValues);
  return { image: { pixelValues, shape: [...source.shape] }, transfer: [pixelValues.buffer] };
}

/** @param {ImageData} source */
function copyOf({ data, width, height }) {
  try {
    return new Uint8ClampedArray(data); // a Buffer's slice() would be no copy
  } catch (cause) {
    throw noMemory(width, height, cause);
  }
}

/**
 * @param {number} width
 * @param {number} height
 * @param {unknown} [cause]
 */
export function noMemory(width, height, cause) {
  return new VitscopeError('out-of-memory', `There is not enough memory to read an image of ${width} × ${height} pixels. Make it smaller.`, { cause });
}

/**
 * A page may show a picture of another site; only with that site's CORS permission may it read its pixels.
 * @param {unknown} cause
 */
export function taintedError(cause) {
  return new VitscopeError('decode-image', "The image's pixels may not be read: it comes from another site without CORS permission. Set crossorigin on the element, or fetch the file yourself.", { cause });
}

/** @param {object} source */
function isDrawable(source) {
  return ['ImageBitmap', 'HTMLImageElement', 'HTMLCanvasElement', 'OffscreenCanvas', 'HTMLVideoElement', 'VideoFrame'].some((name) => is(source, name));
}

/**
 * By name, since some browsers lack some of these classes, and an object may come from a same-origin frame, with classes of its own.
 * @param {unknown} value
 * @param {string} name
 */
function is(value, name) {
  const type = /** @type {Record<string, any>} */ (globalThis)[name];
  if (typeof type === 'function' && value instanceof type) return true;
  return Object.prototype.toString.call(value) === `[object ${name}]`;
}

/**
 * @param {any} source
 * @returns {{width: number, height: number}}
 */
function sizeOf(source) {
  const width = source.naturalWidth ?? source.videoWidth ?? source.displayWidth ?? source.width;
  const height = source.naturalHeight ?? source.videoHeight ?? source.displayHeight ?? source.height;
  return { width, height };
}

/**
 * @param {object} source
 * @param {number} width
 * @param {number} height
 */
function emptyMessage(source, width, height) {
  if (is(source, 'HTMLVideoElement')) return 'The video has no frame yet. Wait for its "loadeddata" event.';
  if (is(source, 'ImageBitmap') || is(source, 'VideoFrame')) return 'The image is empty: it has been closed or transferred.';
  return `The image is empty: ${width} × ${height} pixels.`;
}

/** @param {Blob} blob */
function nameOf(blob) {
  return 'name' in blob && typeof blob.name === 'string' && blob.name ? blob.name : 'The image';
}

/** data: addresses are as long as their image. @param {string} address */
function shorten(address) {
  return address.length > 120 ? `${address.slice(0, 100)}…` : address;
}
