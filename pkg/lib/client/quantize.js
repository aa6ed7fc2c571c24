/** A model's weights in 8 bits: what the engine makes of them while it loads, as a file. */
import { checkOptions } from '../common/checks.js';
import { headerOf } from '../common/safetensors.js';
import { start } from './start.js';

/** @typedef {{name: string, dtype: string, shape: number[], size: number, part: Blob}} Stored */

const OPTIONS = ['simd', 'threads', 'hub', 'token', 'fetch', 'integrity', 'cache', 'assets', 'signal', 'onProgress'];
/** What the file says it is. A matrix that had 4 bits keeps them, as bytes without a sign. */
const [INT8, INT4] = ['vitscope-int8/1', 'vitscope-int4/1'];

/**
 * @param {import('../../index.js').ModelSource} source
 * @param {import('../../index.js').QuantizeOptions} [options]
 * @returns {Promise<Blob>}
 */
export async function quantize(source, options) {
  /** By name: of a model that is read anew the last is right. @type {Map<string, Stored>} */
  const tensors = new Map();
  const keeper = {
    quantised: true,
    /** @param {import('../source/walk.js').Kept[]} kept */
    async keep(kept) {
      for (const { bytes, ...tensor } of kept) {
        const part = new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (bytes)]); // which need not lie in memory
        tensors.set(tensor.name, { ...tensor, size: part.size, part });
      }
    },
    finish() {},
    drop: async () => tensors.clear(),
  };
  const { home } = await start(source, checkOptions(options, OPTIONS), keeper);
  home.bridge.close();
  const all = [...tensors.values()].sort(inOrder);
  const format = all.some(({ dtype }) => dtype === 'U8') ? INT4 : INT8;
  return new Blob([headerOf(all, { format }), ...all.map(({ part }) => part)]);
}

/**
 * That of the safetensors library: floats before integers, I8 before U8, then by name.
 * @param {Stored} a
 * @param {Stored} b
 */
function inOrder(a, b) {
  if (a.dtype !== b.dtype) return ['F32', 'I8', 'U8'].indexOf(a.dtype) - ['F32', 'I8', 'U8'].indexOf(b.dtype);
  return a.name < b.name ? -1 : 1;
}
