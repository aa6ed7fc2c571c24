/**
 * One engine in a worker of its own, the same for both sides: it loads, then answers runs with the time that each took,
 * measured here so that no message passing is counted.
 *
 * @typedef {{side: 'ours' | 'theirs', model: string, dtype: 'f32' | 'int8', threads: number, imageSize?: number, simd?: 'relaxed' | 'simd128'}} Setup
 *   model: the address of the folder that make_models.py wrote
 * @typedef {{simd?: string, threads?: number, memory?: {wasm: number, weights: number}, pixels?: number, ms?: number}} Description what really runs;
 *   pixels: how many values their graph takes; ms: how long it took to load
 * @typedef {'classify' | 'trace' | 'layer' | 'query'} Pass layer and query: a trace of one layer, and one of one query's rows
 * @typedef {{
 *   describe(): Description,
 *   classify(pixels: Float32Array): Promise<Float32Array>,
 *   trace?(pixels: Float32Array): Promise<Float32Array>,
 *   layer?(pixels: Float32Array): Promise<Float32Array>,
 *   query?(pixels: Float32Array): Promise<Float32Array>,
 *   attribute?(pixels: Float32Array): Promise<Float32Array>,
 *   views?(pixels: Float32Array): Promise<{[view: string]: number}>,
 *   occlude?(pixels: Float32Array): Promise<number>,
 * }} Adapter
 * @typedef {{type: 'load', setup: Setup} | {type: Pass | 'attribute' | 'views' | 'occlude', pixels: Float32Array} | {type: 'describe'} |
 *   {type: 'kernels', simd?: 'relaxed' | 'simd128'}} Request
 */

/** @type {Adapter} */
let adapter;

/** @param {MessageEvent<Request>} event */
self.onmessage = async ({ data: request }) => {
  try {
    self.postMessage({ result: await answer(request) });
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};

/** @param {Request} request */
async function answer(request) {
  switch (request.type) {
    case 'load': {
      const { load } = request.setup.side === 'ours' ? await import('./ours.js') : await import('./theirs.js');
      const start = performance.now();
      adapter = await load(request.setup);
      return { ...adapter.describe(), ms: performance.now() - start };
    }
    case 'describe':
      /** @type {{gc?: () => void}} */ (globalThis).gc?.();
      return adapter.describe();
    case 'kernels': {
      const { measure } = await import('./kernels.js');
      return measure(request.simd);
    }
    case 'views':
      return adapter.views?.(request.pixels);
    default: {
      const start = performance.now();
      const answer = await adapter[request.type]?.(request.pixels);
      return { ms: performance.now() - start, answer };
    }
  }
}
