import { WorkerBridge } from './bridge.js';
import { checkDtype, checkImageSize, checkSimd, checkThreads, checkTopK } from './checks.js';
import { closed } from './errors.js';
import { chooseBackend } from './features.js';
import { prepareImage, taintedError } from './image.js';
import { JobQueue } from './queue.js';
import { normaliseSource, readSource } from './source.js';
import { fetchModule } from './wasm.js';

/**
 * @typedef {import('../index.js').ImageSource} ImageSource
 * @typedef {import('../index.js').LoadOptions} LoadOptions
 * @typedef {import('../index.js').RunOptions} RunOptions
 * @typedef {import('../index.js').ModelConfig} ModelConfig
 * @typedef {import('../index.js').Backend} Backend
 * @typedef {import('../index.js').Memory} Memory
 * @typedef {import('../index.js').ModelSource} ModelSource
 * @typedef {import('../index.js').Classification} Classification
 * @typedef {import('../index.js').Trace} Trace
 */

/**
 * A model loaded in a worker of its own.
 * @implements {Pick<import('../index.js').Vitscope, 'config' | 'backend' | 'memory' | 'classify' | 'trace' | 'close'>}
 */
export class Vitscope {
  #bridge;
  #queue;
  #config;
  #backend;
  #memory;

  /**
   * @param {WorkerBridge} bridge
   * @param {JobQueue} queue
   * @param {{config: ModelConfig, backend: Backend, memory: Memory}} loaded
   */
  constructor(bridge, queue, { config, backend, memory }) {
    this.#bridge = bridge;
    this.#queue = queue;
    this.#config = Object.freeze(config);
    this.#backend = Object.freeze(backend);
    this.#memory = memory;
  }

  /**
   * @param {ModelSource} source
   * @param {LoadOptions} [options]
   */
  static async load(source, { dtype, imageSize, simd, threads, signal, onProgress = () => {} } = {}) {
    signal?.throwIfAborted();
    const parts = normaliseSource(source);
    const options = { dtype: checkDtype(dtype), size: checkImageSize(imageSize) };
    const backend = chooseBackend(checkSimd(simd), checkThreads(threads), true);
    const queue = new JobQueue();
    // The worker takes as long to start as a small model takes to arrive, so nothing waits for it: all is asked for here.
    const bridge = new WorkerBridge((error) => queue.close(error));
    const downloads = new AbortController();
    const stop = (/** @type {unknown} */ reason) => {
      bridge.close(/** @type {Error} */ (reason));
      downloads.abort(reason);
    };
    const abort = () => stop(signal?.reason);
    // What still comes of a load that has failed is nobody's progress.
    const report = (/** @type {import('../index.js').Progress} */ progress) => downloads.signal.aborted || onProgress(progress);
    signal?.addEventListener('abort', abort);
    try {
      const module = fetchModule(backend, { signal: downloads.signal, onBytes: (loaded, total) => report({ phase: 'wasm', loaded, total }) });
      const files = readSource(parts, { signal: downloads.signal, onProgress: report });
      return new Vitscope(bridge, queue, await bridge.load({ backend, options, module, files }, report));
    } catch (error) {
      stop(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  get config() {
    return this.#config;
  }

  get backend() {
    return this.#backend;
  }

  get memory() {
    return this.#memory;
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
      async ({ image, transfer }, jobSignal) => {
        const { answer, memory } = await this.#bridge.request({ type, image, topK }, { transfer, signal: jobSignal }).catch(untransferable);
        this.#memory = memory;
        return answer;
      },
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
