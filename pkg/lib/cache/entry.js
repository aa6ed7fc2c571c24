/** A model that was kept: its tensors, one behind the other, and behind them what they are. */
import { placed } from '../files/weights.js';
import { checksum } from './checksum.js';

/**
 * @typedef {import('./store.js').Store} Store
 * @typedef {{model: string, revision?: string, hub?: string, dtype?: string}} About
 * @typedef {object} Said
 * @property {(string | null)[]} texts config.json, preprocessor_config.json, processor_config.json
 * @property {Record<string, string | undefined>} [validators] of the files that it is from, where these may change
 * @property {Record<string, string>} [sums] that these were checked by
 * @property {number} time when it was kept
 * @typedef {About & Said & {header: string, weights: number, text: number, checks: Record<number, number>}} Manifest  weights, text: how long they are; checks: of each part, by where it begins
 */

/**
 * @param {Store} store
 * @param {string} key
 */
export async function openEntry(store, key) {
  try {
    const kept = await store.get(key);
    if (!kept) return undefined;
    const read = (/** @type {number} */ begin, /** @type {number} */ end) => kept.slice(Math.max(0, begin), end).arrayBuffer();
    const at = async (/** @type {number} */ begin, /** @type {number} */ end, check = manifest.checks[begin]) => {
      const bytes = new Uint8Array(await read(begin, end));
      if (checksum(bytes) !== check) throw new Error('it is not whole');
      return bytes;
    };
    const end = kept.size - 8;
    const [length, check] = new Int32Array(await read(end, kept.size));
    /** @type {Manifest} */
    const manifest = JSON.parse(new TextDecoder().decode(await at(end - length, end, check)));
    return { ...manifest, size: kept.size, at, remove: () => store.delete(key) };
  } catch {
    await store.delete(key); // what can't be read is of no use
    return undefined;
  }
}

/**
 * Its weights, as a file of their own.
 * @param {NonNullable<Awaited<ReturnType<typeof openEntry>>>} entry
 * @returns {import('../files/weights.js').WeightFile}
 */
export function weightsOf({ model, header, weights, at }) {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  return placed(`what was kept of ${model}`, bytes.length + weights, (begin, end) => (begin < bytes.length ? bytes.subarray(begin, end) : at(begin - bytes.length, end - bytes.length)));
}
