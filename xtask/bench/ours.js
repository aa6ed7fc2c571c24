import { Engine } from '../../pkg/dist/engine.js';

/**
 * vitscope as a user's own worker would hold it.
 * @param {import('./worker.js').Setup} setup
 * @returns {Promise<import('./worker.js').Adapter>}
 */
export async function load({ model, dtype, threads, simd }) {
  const options = { dtype, threads, simd };
  const engine = await Engine.load(`${model}/${dtype}/`, options);
  return {
    describe: () => ({ ...engine.backend, memory: engine.memory }),
    classify: async (pixels) => engine.classify(pixels).logits,
    trace: async (pixels) => engine.trace(pixels).logits,
  };
}
