/** The engine's files, out of the kernel: what serves no files gives no addresses either. */
import { has } from '../../pkg/lib/engine/backend.js';

/** @typedef {import('./pages.js').FileName} FileName */
/** @typedef {import('./pages.js').Holder} Holder */

/** Of a page without shared memory one build; of another also that which runs where threads can't be had after all. */
function builds() {
  const simd = has('relaxed') ? 'relaxed' : 'simd128';
  return globalThis.crossOriginIsolated ? [simd, `${simd}-threads`] : [simd];
}

/** Those that this browser runs. */
export function engineFiles() {
  return ['worker.js', 'imagenet-1k.txt', ...builds().map((build) => `${build}.wasm`)];
}

/**
 * @param {Holder} files
 * @param {Record<string, FileName>} assets
 * @param {Map<string, Blob>} blobs what of them has come, by SHA-256, each compressed
 * @returns {Promise<import('../../pkg/index.js').AssetOptions>}
 */
export async function engineAssets(files, assets, blobs) {
  /**
   * @param {string} file
   * @param {string} type
   */
  const address = (file, type) => {
    const { name } = assets[file];
    const packed = /** @type {Blob} */ (blobs.get(name));
    return files.share(`address ${name}`, async () => URL.createObjectURL(await unpacked(packed, type)), (url) => URL.revokeObjectURL(url));
  };
  const modules = await Promise.all(builds().map((build) => address(`${build}.wasm`, 'application/wasm')));
  return {
    worker: await address('worker.js', 'text/javascript'),
    names: await address('imagenet-1k.txt', 'text/plain'),
    wasm: modules.length === 1 ? modules[0] : Object.fromEntries(builds().map((build, i) => [build, modules[i]])),
  };
}

/**
 * @param {Blob} packed
 * @param {string} type
 */
function unpacked(packed, type) {
  return new Response(packed.stream().pipeThrough(new DecompressionStream('gzip')), { headers: { 'content-type': type } }).blob();
}
