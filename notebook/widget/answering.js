/** Answers to the kernel: in parts, each confirmed before the next is sent. */
import { Sha256 } from '../../pkg/lib/files/sha256.js';
import { PART } from './pace.js';

/** @typedef {{meta?: object, bytes?: Uint8Array | Blob}} Answer */

/**
 * @param {Pick<import('./transport.js').Wire, 'exchange'>} wire
 * @param {string} id of the question
 * @param {Answer} answer
 */
export async function sendAnswer(wire, id, { meta, bytes = new Uint8Array(0) }) {
  const size = bytes instanceof Blob ? bytes.size : bytes.length;
  const read = async (/** @type {number} */ begin) =>
    bytes instanceof Blob ? new Uint8Array(await bytes.slice(begin, begin + PART).arrayBuffer()) : bytes.slice(begin, begin + PART); // (of a view JupyterLab would send all that lies behind it)
  const sum = new Sha256();
  for (let begin = 0; begin < size; begin += PART) sum.update(await read(begin));
  const first = { meta: { ...meta, sha256: sum.digest() } };
  for (let begin = 0; begin === 0 || begin < size; begin += PART) {
    await wire.exchange(`${id} ${begin}`, { kind: 'answer', id, begin, size, ...(begin ? {} : first) }, size ? [await read(begin)] : []);
  }
}
