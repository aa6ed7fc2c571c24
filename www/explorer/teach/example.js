import { context2d } from '../dom.js';

/**
 * A photo of a class as it is kept: no larger than models look at it, and what each of them read in it.
 *
 * @typedef {{id: string, picture: Blob, features: Map<string, import('../../../pkg/index.js').Floats>}} Example  id: of its content; features: by model, see `modelKey`
 */

/** Pixels at the shorter edge. */
const SIDE = 384;
/** And at the longer one, of what is a strip. */
const LONGEST = 4 * SIDE;

/**
 * @param {Blob | ImageBitmap} image a bitmap is closed
 * @returns {Promise<Example>}
 */
export async function exampleOf(image) {
  const bitmap = image instanceof Blob ? await createImageBitmap(image) : image;
  const { width, height } = bitmap;
  const scale = Math.min(1, SIDE / Math.min(width, height), LONGEST / Math.max(width, height));
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) });
  const context = context2d(canvas);
  context.fillStyle = '#fff'; // under what is transparent, as for the model
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  // At once, in some milliseconds: a blob would wait until the page is idle, which it is not while frames follow each other.
  const [, encoded] = canvas.toDataURL('image/jpeg', 0.92).split(',');
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  return { id: hash(bytes), picture: new Blob([bytes], { type: 'image/jpeg' }), features: new Map() };
}

/**
 * A small picture of it, square.
 * @param {Example} example
 * @param {HTMLCanvasElement} canvas
 */
export async function drawThumbnail({ picture }, canvas) {
  const bitmap = await createImageBitmap(picture);
  const side = Math.min(bitmap.width, bitmap.height);
  const context = context2d(canvas);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
  bitmap.close();
}

/**
 * Whose features they are: those of another model, or of the same in other arithmetic, mean nothing to it.
 * @param {string} name
 * @param {import('../../../pkg/index.js').ModelConfig} config
 */
export function modelKey(name, { family, parameters, layers, heads, hiddenSize, mlpSize, patchSize, numFeatures, pooling, positions, dtype, labels }) {
  const known = [family, parameters, layers, heads, hiddenSize, mlpSize, patchSize, numFeatures, pooling, positions, dtype, ...labels];
  return `${name} ${hash(new TextEncoder().encode(JSON.stringify(known)))}`;
}

/** FNV-1a, twice over and with the length: it tells a few hundred things apart, where `crypto.subtle` may be missing. @param {Uint8Array} bytes */
function hash(bytes) {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b);
  }
  return [bytes.length, a >>> 0, b >>> 0].map((part) => part.toString(36)).join('-');
}
