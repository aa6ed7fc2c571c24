/** In the single file, in place of `www/engine_assets.js`: the engine is within. */
import { addressOf } from './parts.js';

/** @type {Promise<import('../../pkg/index.js').AssetOptions> | undefined} */
let assets;

/** @returns {Promise<import('../../pkg/index.js').AssetOptions>} */
export function engineAssets() {
  return (assets ??= unpack());
}

async function unpack() {
  const [worker, names, relaxed, simd128] = await Promise.all(['worker.js', 'imagenet-1k.txt', 'relaxed.wasm', 'simd128.wasm'].map(addressOf));
  return { worker, names, wasm: { relaxed, simd128 } };
}
