import { readFileSync } from 'node:fs';

/**
 * Reads the F32 tensors of a fixture.
 * @param {URL} url
 */
export function readTensors(url) {
  return parseTensors(readFileSync(url));
}

/** @param {Uint8Array} file */
export function parseTensors(file) {
  return only('F32', file, Float32Array);
}

/**
 * Reads the U8 tensors of a fixture.
 * @param {URL} url
 */
export function readBytes(url) {
  return only('U8', readFileSync(url), Uint8Array);
}

/**
 * @template {ArrayLike<number>} T
 * @param {string} dtype
 * @param {Uint8Array} file
 * @param {new (buffer: ArrayBuffer) => T} Data
 * @returns {Record<string, {shape: number[], data: T}>}
 */
function only(dtype, file, Data) {
  const bytes = /** @type {ArrayBuffer} */ (file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
  const headerLength = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, headerLength)));
  return Object.fromEntries(
    Object.entries(header)
      .filter(([, entry]) => entry.dtype === dtype)
      .map(([name, { shape, data_offsets: [start, end] }]) => [name, { shape, data: new Data(bytes.slice(8 + headerLength + start, 8 + headerLength + end)) }]),
  );
}

/**
 * The largest difference, relative to the largest expected entry. NaN counts as infinitely far.
 * @param {ArrayLike<number>} actual
 * @param {ArrayLike<number>} expected
 */
export function distance(actual, expected) {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`);
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    const error = Math.abs(actual[i] - expected[i]);
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }
  return worst / largest;
}
