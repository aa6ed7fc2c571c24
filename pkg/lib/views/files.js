/** Maps and traces as files of numbers. */
import { checkMap } from '../common/checks.js';
import { headerOf } from '../common/safetensors.js';

/** @typedef {import('../../index.js').ViewMap} ViewMap */

/**
 * NPY 1.0, as `numpy.load` reads it: float32, [rows, cols] or [rows, cols, 3].
 * @param {ViewMap} map
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function toNpy(map) {
  checkMap(map);
  const { rows, cols, channels, data } = map;
  const shape = channels === 1 ? `${rows}, ${cols}` : `${rows}, ${cols}, ${channels}`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  // Magic, version and length take 10 bytes; values start at a multiple of 64, behind a line break.
  const header = `${text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11)}\n`;
  const start = 10 + header.length;
  const out = new Uint8Array(start + 4 * data.length);
  out.set([0x93, ...latin('NUMPY'), 1, 0, header.length & 255, header.length >> 8, ...latin(header)]);
  out.set(bytesOf(data), start);
  return out;
}

/**
 * @param {ViewMap} map
 * @returns {string}
 */
export function toJSON(map) {
  checkMap(map);
  return JSON.stringify({ ...map, data: [...map.data], ...(map.within && { within: [...map.within] }) });
}

/**
 * @param {Record<string, {shape: number[], data: Float32Array}>} tensors
 * @param {Record<string, string>} metadata
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function toSafetensors(tensors, metadata) {
  const all = Object.entries(tensors).map(([name, { shape, data }]) => ({ name, dtype: 'F32', shape, size: data.byteLength, data }));
  const header = headerOf(all, metadata);
  const out = new Uint8Array(header.length + all.reduce((sum, { size }) => sum + size, 0));
  out.set(header);
  let at = header.length;
  for (const { data, size } of all) {
    out.set(bytesOf(data), at);
    at += size;
  }
  return out;
}

/** @param {string} text */
function latin(text) {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Little-endian, as all machines are that browsers and Node run on. @param {Float32Array} data */
function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
