import { documentBase } from './environment.js';
import { VitscopeError, invalid } from './errors.js';

export const LOAD_OPTIONS = ['dtype', 'imageSize', 'simd', 'threads', 'hub', 'token', 'fetch', 'integrity', 'cache', 'assets', 'decode', 'signal', 'onProgress'];

/**
 * The options of a call, all of whose names it knows.
 * @template {object} T
 * @param {T | undefined} options
 * @param {string[]} known
 * @returns {T}
 */
export function checkOptions(options, known) {
  if (options === undefined) return /** @type {T} */ ({});
  if (typeof options !== 'object' || options === null) throw mustBe('The options', 'an object', options);
  checkNames(options, known, 'option');
  const { signal, onProgress } = /** @type {{signal?: any, onProgress?: unknown}} */ (options);
  if (signal !== undefined && typeof signal?.aborted !== 'boolean') throw mustBe('signal', 'an AbortSignal, or left out', signal);
  if (onProgress !== undefined && typeof onProgress !== 'function') throw mustBe('onProgress', 'a function, or left out', onProgress);
  return options;
}

/**
 * @param {object} given
 * @param {string[]} known
 * @param {string} what
 */
export function checkNames(given, known, what) {
  const other = Object.entries(given).find(([name, value]) => value !== undefined && !known.includes(name));
  if (other) throw invalid(`There is no ${what} '${other[0]}' here. What there is: ${known.join(', ')}.`);
}

/**
 * @param {unknown} dtype
 * @returns {'f32' | 'int8' | undefined}
 */
export function checkDtype(dtype) {
  if (dtype === undefined || dtype === 'f32' || dtype === 'int8') return dtype;
  throw mustBe('dtype', "'f32' or 'int8', or left out to take the weights as they are stored", dtype);
}

/**
 * @param {unknown} simd
 * @returns {'relaxed' | 'simd128' | undefined}
 */
export function checkSimd(simd) {
  if (simd === undefined || simd === 'relaxed' || simd === 'simd128') return simd;
  throw mustBe('simd', "'relaxed' or 'simd128', or left out to take the best there is", simd);
}

/**
 * @param {unknown} threads
 * @returns {number | undefined}
 */
export function checkThreads(threads) {
  // The engine's pool has no more than 255.
  if (threads === undefined || (Number.isInteger(threads) && Number(threads) >= 1 && Number(threads) <= 255)) return /** @type {number | undefined} */ (threads);
  throw mustBe('threads', 'a whole number from 1 to 255, or left out to take as many as the machine has cores, up to 8', threads);
}

/**
 * @param {unknown} size
 * @returns {[number, number] | undefined} height and width
 */
export function checkImageSize(size) {
  return size === undefined ? undefined : checkSize(size, ", or left out to take the model's own");
}

/**
 * @param {unknown} size
 * @param {string} [otherwise] what else it may be
 * @returns {[number, number]} height and width
 */
export function checkSize(size, otherwise = '') {
  const pair = Array.isArray(size) ? size : [size, size];
  if (pair.length === 2 && pair.every((edge) => Number.isInteger(edge) && edge >= 1 && edge <= 0xffff_ffff)) return [pair[0], pair[1]];
  throw mustBe('imageSize', `a whole number of pixels or [height, width]${otherwise}`, size);
}

/**
 * @param {string} name
 * @param {unknown} address absolute, or relative to the document
 */
export function checkAddress(name, address) {
  try {
    if (typeof address === 'string' || address instanceof URL) return new URL(address, documentBase());
  } catch {}
  throw mustBe(name, 'a URL, absolute or relative to the document', address);
}

/**
 * @param {unknown} decode
 * @returns {import('../../index.js').Decode | undefined}
 */
export function checkDecode(decode) {
  if (decode === undefined || typeof decode === 'function') return /** @type {any} */ (decode);
  throw mustBe('decode', "a function from a picture's file to {data, width, height}, or left out", decode);
}

/** @param {unknown} topK */
export function checkTopK(topK) {
  if (Number.isInteger(topK) && Number(topK) >= 1 && Number(topK) <= 0xffff_ffff) return;
  throw mustBe('topK', 'a whole number from 1 on', topK);
}

/** What a picture may have: as much as Pillow and the command line read. */
const MAX_PIXELS = 178_956_970;

/**
 * @param {number} width
 * @param {number} height
 */
export function checkArea(width, height) {
  if (width * height > MAX_PIXELS) throw new VitscopeError('invalid-image', `The image has ${width} × ${height} pixels, and more than ${MAX_PIXELS} are not read. Make it smaller.`);
}

/**
 * @param {unknown} image
 * @param {string} [expected] what to say where it is something else altogether
 */
export function checkPixels(image, expected = 'The image must be an ImageData, or {data, width, height} with 8-bit RGBA data.') {
  const { data, width, height } = /** @type {Partial<import('../../engine.js').ImageLike>} */ (image ?? {});
  if (!(data instanceof Uint8ClampedArray || data instanceof Uint8Array) || typeof width !== 'number' || typeof height !== 'number') {
    const type = Object.prototype.toString.call(data).slice(8, -1);
    throw new VitscopeError('invalid-image', type.startsWith('Float') ? `The image's values are a ${type}, where 8-bit RGBA is read. An ImageData has that with pixelFormat: 'rgba-unorm8'.` : expected);
  }
  if (!(width > 0 && height > 0)) throw new VitscopeError('invalid-image', `The image is empty: ${width} × ${height} pixels.`);
  if (data.length !== 4 * width * height) {
    throw new VitscopeError('invalid-image', `RGBA data of ${width} × ${height} pixels has ${4 * width * height} bytes, but here it has ${data.length}.`);
  }
  checkArea(width, height);
}

/**
 * @param {unknown} image
 * @returns {image is import('../../index.js').PixelValues}
 */
export function arePixelValues(image) {
  return typeof image === 'object' && image !== null && 'pixelValues' in image;
}

/**
 * @param {import('../../index.js').PixelValues} image
 * @param {readonly [height: number, width: number]} [size] that the model takes, where it is known
 */
export function checkPixelValues({ pixelValues, shape }, size) {
  const refuse = (/** @type {string} */ message) => new VitscopeError('invalid-image', message);
  const shown = Array.isArray(shape) ? `[${shape.join(', ')}]` : describe(shape);
  if (!(pixelValues instanceof Float32Array)) throw refuse(`pixelValues must be a Float32Array, not ${describe(pixelValues)}.`);
  if (!Array.isArray(shape) || shape.length !== 3 || shape[0] !== 3 || !shape.every((edge) => Number.isInteger(edge) && edge > 0)) {
    throw refuse(`The shape of pixel values must be [3, height, width], not ${shown}: give one image at a time, channels first.`);
  }
  const [, height, width] = shape;
  if (pixelValues.length !== 3 * height * width) throw refuse(`Pixel values of shape ${shown} are ${3 * height * width}, but here there are ${pixelValues.length}.`);
  if (size && (height !== size[0] || width !== size[1])) {
    throw refuse(`The pixel values have shape ${shown} where the model takes [3, ${size.join(', ')}]. Process the image at that size, or resize the model.`);
  }
  const broken = pixelValues.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) throw refuse(`Pixel value ${broken} of shape ${shown} is ${pixelValues[broken]}: all must be finite.`);
}

/** @param {import('../../index.js').ViewMap} map */
export function checkMap(map) {
  const { rows, cols, channels, data } = map ?? {};
  if (data instanceof Float32Array && (channels === 1 || channels === 3) && rows >= 1 && data.length === rows * cols * channels) return;
  throw invalid('The map must be what a view returns: {rows, cols, channels, data, signed, text} with a Float32Array of rows × cols × channels values.');
}

/**
 * The engine says by itself when a number is too large; a negative or broken one it would not see as such.
 * @param {string} name
 * @param {unknown} value
 * @returns {number}
 */
export function checkWhole(name, value) {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0xffff_ffff) return Number(value);
  throw mustBe(name, 'a whole number from 0 on', value);
}

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {number}
 */
export function checkNumber(name, value) {
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  throw mustBe(name, 'a number', value);
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {readonly unknown[]} choices
 */
export function checkChoice(name, value, choices) {
  if (!choices.includes(value)) throw mustBe(name, `one of ${choices.join(', ')}`, value);
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function checkShare(name, value) {
  if (!(checkNumber(name, value) >= 0 && Number(value) <= 1)) throw mustBe(name, 'a number from 0 to 1', value);
}

/**
 * @param {string} name
 * @param {any} value where it is not left out
 * @param {string[]} keys
 */
export function checkNumbers(name, value, keys) {
  if (value === undefined || (value && keys.every((key) => Number.isFinite(value[key])))) return;
  throw mustBe(name, `${keys.length > 2 ? `{${keys.join(', ')}}` : '[low, high]'} with numbers, or left out`, value);
}

/**
 * @param {string} name
 * @param {string} expected
 * @param {unknown} value what it is instead
 * @param {ErrorOptions} [options]
 */
export function mustBe(name, expected, value, options) {
  return invalid(`${name} must be ${expected}${expected.includes(',') ? ';' : ','} not ${describe(value)}.`, options);
}

/** @param {unknown} value */
export function describe(value) {
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'object' && value && !Array.isArray(value) ? Object.prototype.toString.call(value) : String(value);
}
