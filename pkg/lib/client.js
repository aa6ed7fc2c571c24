import { WorkerBridge } from './bridge.js';
import { checkDtype, checkTopK } from './checks.js';
import { closed } from './errors.js';
import { requireSimd } from './features.js';
import { prepareImage, taintedError } from './image.js';
import { JobQueue } from './queue.js';
import { normaliseSource } from './source.js';

/**
 * @typedef {import('../index.js').ImageSource} ImageSource
 * @typedef {import('../index.js').LoadOptions} LoadOptions
 * @typedef {import('../index.js').RunOptions} RunOptions
 * @typedef {import('../index.js').ModelConfig} ModelConfig
 * @typedef {import('../index.js').ModelSource} ModelSource
 * @typedef {import('../index.js').Classification} Classification
 * @typedef {import('../index.js').Trace} Trace
 */

/**
 * A model loaded in a worker of its own.
 * @implements {Pick<import('../index.js').Vitscope, 'config' | 'classify' | 'trace' | 'close'>}
 */
export class Vitscope {
  #bridge;
  #queue;
  #config;

  /**
   * @param {WorkerBridge} bridge
   * @param {JobQueue} queue
   * @param {ModelConfig} config
   */
  constructor(bridge, queue, config) {
    this.#bridge = bridge;
    this.#queue = queue;
    this.#config = config;
  }

  /**
   * @param {ModelSource} source
   * @param {LoadOptions} [options]
   */
  static async load(source, { dtype, signal, onProgress } = {}) {
    signal?.throwIfAborted();
    requireSimd();
    const request = { type: /** @type {const} */ ('load'), source: normaliseSource(source), dtype: checkDtype(dtype) };
    const queue = new JobQueue();
    const bridge = new WorkerBridge((error) => queue.close(error));
    const abort = () => bridge.close(signal?.reason);
    signal?.addEventListener('abort', abort);
    try {
      const config = await bridge.request(request, { onProgress });
      return new Vitscope(bridge, queue, Object.freeze(config));
    } catch (error) {
      bridge.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  get config() {
    return this.#config;
  }

  /**
   * @param {ImageSource} image
   * @param {RunOptions} [options]
   * @returns {Promise<Classification>}
   */
  classify(image, options) {
    return this.#run('classify', image, options);
  }

  /**
   * @param {ImageSource} image
   * @param {RunOptions} [options]
   * @returns {Promise<Trace>}
   */
  trace(image, options) {
    return this.#run('trace', image, options);
  }

  /** Ends the worker and so frees all of the model's memory at once; nothing else would before the page is left. */
  close() {
    const reason = closed();
    this.#queue.close(reason);
    this.#bridge.close(reason);
  }

  /**
   * @param {'classify' | 'trace'} type
   * @param {ImageSource} source
   * @param {RunOptions} [options]
   */
  async #run(type, source, { topK = 5, signal } = {}) {
    checkTopK(topK);
    return this.#queue.add(
      (jobSignal) => prepareImage(source, jobSignal),
      ({ image, transfer }, jobSignal) => this.#bridge.request({ type, image, topK }, { transfer, signal: jobSignal }).catch(untransferable),
      signal,
    );
  }
}

/**
 * Bitmaps of another site's pictures can be made, but not handed to a worker.
 * @param {unknown} error
 * @returns {never}
 */
function untransferable(error) {
  throw error instanceof DOMException && error.name === 'DataCloneError' ? taintedError(error) : error;
}
