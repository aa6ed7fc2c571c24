import { Engine } from '../../pkg/dist/engine.js';

/**
 * vitscope as a user's own worker would hold it.
 * @param {import('./worker.js').Setup} setup
 * @returns {Promise<import('./worker.js').Adapter>}
 */
export async function load({ model, dtype, threads, imageSize, simd }) {
  const options = { dtype, threads, imageSize, simd };
  const engine = await Engine.load(`${model}/${dtype}/`, options);
  return {
    describe: () => ({ ...engine.backend, memory: engine.memory }),
    classify: async (pixels) => {
      const { logits, features } = engine.classify(pixels);
      return logits.length > 0 ? logits : features;
    },
    trace: async (pixels) => engine.trace(pixels).logits,
    // (Not the last: of it a plain pass leaves out what nobody reads.)
    layer: async (pixels) => engine.trace(pixels, { layers: [engine.config.layers >> 1] }).logits,
    query: async (pixels) => engine.trace(pixels, { queries: [engine.config.prefix.includes('class') ? 'cls' : [7, 7]], hiddenStates: false }).logits,
    attribute: async (pixels) => engine.attribute(pixels, { target: 0 }).data,
    views: async (pixels) => timed(engine, engine.trace(pixels)),
    occlude: async (pixels) => {
      let passes = 0;
      engine.attribute(pixels, { method: 'occlusion', target: 0, onProgress: ({ total }) => void (passes = total) });
      return passes;
    },
  };
}

/**
 * Milliseconds that each view of a trace takes, and each of what the model has learned.
 * @param {Engine} engine
 * @param {ReturnType<Engine['trace']>} trace
 */
function timed(engine, trace) {
  const layers = trace.layers - 1;
  const views = {
    'head map': () => trace.headMap({ layer: layers, head: 'mean' }),
    rollout: () => trace.rollout(),
    'rollout, half discarded': () => trace.rollout({ discard: 0.5 }),
    'logit lens': () => trace.logitLens(),
    'patch lens': () => trace.patchLens({ target: 0 }),
    features: () => trace.featureMap(),
    similarity: () => trace.similarity({ query: [1, 1] }),
    'attention distance': () => trace.attentionDistance(),
    'attention entropy': () => trace.attentionEntropy(),
    'position similarity': () => engine.positionSimilarity(),
    'patch filters': () => engine.patchFilters(),
  };
  return Object.fromEntries(
    Object.entries(views).map(([name, view]) => {
      const start = performance.now();
      view();
      return [name, performance.now() - start];
    }),
  );
}
