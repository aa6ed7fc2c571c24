/** The page that the driver steers: it keeps the workers and passes requests on. */
import { ask, startWorker } from './ask.js';

/** @type {Worker[]} */
const workers = [];
let pixels = new Float32Array();

export const bench = {
  /** @param {string} url of the input: f32 values */
  async fetchPixels(url) {
    pixels = new Float32Array(await (await fetch(url)).arrayBuffer());
  },

  /**
   * @param {import('./worker.js').Setup} setup
   * @returns {Promise<import('./worker.js').Description & {id: number}>}
   */
  async load(setup) {
    const id = workers.push(startWorker()) - 1;
    return { id, ...(await ask(workers[id], { type: 'load', setup })) };
  },

  /**
   * @param {number} id
   * @param {import('./worker.js').Pass | 'attribute'} type
   * @returns {Promise<{ms: number, logits: number[]}>}
   */
  async run(id, type) {
    const { ms, answer } = await ask(workers[id], { type, pixels });
    return { ms, logits: [...answer] };
  },

  /**
   * @param {number[]} ids of engines, each of which classifies so many images, all at once
   * @param {number} images
   * @returns {Promise<number>} milliseconds until all are through
   */
  async together(ids, images) {
    const start = performance.now();
    await Promise.all(
      ids.map(async (id) => {
        for (let image = 0; image < images; image++) await ask(workers[id], { type: 'classify', pixels });
      }),
    );
    return performance.now() - start;
  },

  /** @param {number} id of the engine to be ended */
  stop: (id) => workers[id].terminate(),

  /**
   * @param {number} id
   * @returns {Promise<{ms: number, answer: number}>} answer: forward passes
   */
  occlude: (id) => ask(workers[id], { type: 'occlude', pixels }),

  /**
   * @param {number} id
   * @returns {Promise<{[view: string]: number}>} milliseconds
   */
  views: (id) => ask(workers[id], { type: 'views', pixels }),

  /**
   * After a garbage collection, where the browser exposes it.
   * @param {number} id
   * @returns {Promise<import('./worker.js').Description>}
   */
  describe: (id) => ask(workers[id], { type: 'describe' }),

  /** @returns {Promise<import('./report.mjs').Kernel[]>} */
  kernels: () => ask(startWorker(), { type: 'kernels' }),
};

Object.assign(globalThis, { bench });
document.documentElement.dataset.ready = 'yes';
