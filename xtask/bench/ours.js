import { Engine } from '../../pkg/engine.js';

/**
 * vitscope as a user's own worker would hold it.
 * @param {import('./worker.js').Setup} setup
 * @returns {Promise<import('./worker.js').Adapter>}
 */
export async function load({ model, dtype, threads, simd }) {
  const options = { dtype, threads, simd };
  /** @type {Engine & {backend?: {simd: string, threads: number}, memory?: {wasm: number, weights: number}}} */
  const engine = await Engine.load(`${model}/${dtype}/`, options);
  return {
    describe: () => ({ simd: 'simd128', threads: 1, ...engine.backend, memory: engine.memory }),
    classify: async (pixels) => engine.classify(pixels).logits,
    trace: async (pixels) => engine.trace(pixels).logits,
  };
}
