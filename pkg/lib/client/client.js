import { classesFile, givenClasses } from '../classes/given.js';
import { checkExamples, prototypes } from '../classes/teach.js';
import { LOAD_OPTIONS, checkDtype, checkImageSize, checkOptions, checkSimd, checkThreads, checkTopK } from '../common/checks.js';
import { VitscopeError, closed, fromEngine, guard } from '../common/errors.js';
import { warnOnce } from '../common/warn.js';
import { chooseBackend } from '../engine/backend.js';
import { fetchModule, loadViews } from '../engine/wasm.js';
import { prepareImage, taintedError } from '../image/portable.js';
import { Loading } from '../source/loading.js';
import { normaliseSource } from '../source/source.js';
import { walk } from '../source/walk.js';
import * as requests from '../views/requests.js';
import { Trace } from '../views/trace.js';
import { WorkerBridge } from './bridge.js';
import { leader } from './leader.js';
import { JobQueue } from './queue.js';

/**
 * @typedef {import('../../index.js').ImageSource} ImageSource
 * @typedef {import('../../index.js').LoadOptions} LoadOptions
 * @typedef {import('../../index.js').RunOptions} RunOptions
 * @typedef {import('../../index.js').ModelConfig} ModelConfig
 * @typedef {import('../../index.js').Backend} Backend
 * @typedef {import('../../index.js').Memory} Memory
 * @typedef {import('../../index.js').ModelSource} ModelSource
 * @typedef {import('../../index.js').Classification} Classification
 * @typedef {import('../../index.js').PassesOptions} PassesOptions
 * @typedef {import('../views/trace.js').Views} Views
 */

const RUN_OPTIONS = ['topK', 'signal'];
const PASSES_OPTIONS = ['signal', 'onProgress'];

/**
 * A model loaded in a worker of its own.
 * @implements {Pick<import('../../index.js').Vitscope, 'config' | 'backend' | 'memory' | 'classify' | 'trace' | 'attribute' | 'curves' | 'positionSimilarity' | 'patchFilters' | 'withClasses' | 'teach' | 'saveClasses' | 'close'>}
 */
export class Vitscope {
  static name = 'Vitscope';

  #bridge;
  #queues;
  #queue;
  #engine;
  #given;
  #config;
  #backend;
  #memory;
  #startViews;
  /** @type {Promise<Views> | undefined} */
  #views;

  /**
   * @param {{bridge: WorkerBridge, queues: Set<JobQueue>}} home the worker, and whose jobs it does
   * @param {JobQueue} queue one of these
   * @param {import('./bridge.js').Loaded} loaded
   * @param {(config: ModelConfig) => Promise<Views>} startViews
   * @param {import('../classes/given.js').Given} [given] classes in place of the model's own
   */
  constructor({ bridge, queues }, queue, { engine, config, backend, memory }, startViews, given) {
    this.#bridge = bridge;
    this.#queues = queues;
    this.#queue = queue;
    this.#engine = engine;
    this.#given = given;
    this.#startViews = startViews;
    this.#config = Object.freeze(config);
    this.#backend = Object.freeze(backend);
    this.#memory = memory;
  }

  /**
   * @param {ModelSource} source
   * @param {LoadOptions} [options]
   */
  static async load(source, options) {
    const { dtype, imageSize, simd, threads, signal, onProgress } = checkOptions(options, LOAD_OPTIONS);
    signal?.throwIfAborted();
    const parts = normaliseSource(source);
    const form = { dtype: checkDtype(dtype), size: checkImageSize(imageSize) };
    const backend = chooseBackend(checkSimd(simd), checkThreads(threads), true);
    const queue = new JobQueue();
    // The worker takes as long to start as a small model takes to arrive, so nothing waits for it: all is asked for here.
    const queues = new Set([queue]);
    const bridge = new WorkerBridge((error) => queues.forEach((queue) => queue.close(error)));
    const loading = new Loading(signal, onProgress);
    loading.signal.addEventListener('abort', () => bridge.close(loading.signal.reason));
    try {
      const module = fetchModule(backend, { signal: loading.signal, onBytes: (loaded, total) => loading.report({ phase: 'wasm', loaded, total }) });
      const started = loading.watch(bridge.start(backend, module));
      const loaded = await loading.orStop(loading.watchDownloads(parts, walk(parts, leader(bridge, started, form), { signal: loading.signal, onProgress: loading.report })));
      warnOnce(loaded.warning);
      return new Vitscope({ bridge, queues }, queue, loaded, (config) => loadViews(backend, module, config));
    } catch (error) {
      throw loading.stop(error);
    } finally {
      loading.end();
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
  async classify(image, options) {
    const { topK = 5, signal } = checkOptions(options, RUN_OPTIONS);
    checkTopK(topK);
    return this.#ask({ method: 'classify', args: [topK], read: (answer) => answer }, { image, signal });
  }

  /**
   * @param {ImageSource} image
   * @param {RunOptions} [options]
   * @returns {Promise<any>}
   */
  async trace(image, options) {
    const { topK = 5, signal } = checkOptions(options, RUN_OPTIONS);
    checkTopK(topK);
    const views = this.#startedViews();
    const read = async (/** @type {any} */ answer) => new Trace(answer, await views, this.#lenses);
    return this.#ask({ method: 'trace', args: [topK], read }, { image, signal });
  }

  /** What shows the views starts while the model runs for the first trace: a page that only classifies never pays for it. */
  #startedViews() {
    this.#views ??= this.#startViews(this.#config).catch((error) => {
      this.#views = undefined; // it may be tried again
      throw error;
    });
    this.#views.catch(() => {}); // the trace reports it
    return this.#views;
  }

  /** @type {import('../views/trace.js').Lenses} */
  #lenses = {
    logitLens: async (trace) => this.#ask(requests.logitLens(this.#config, trace)),
    patchLens: async (trace, options) => this.#ask(requests.patchLens(this.#config, trace, options)),
  };

  /**
   * @param {ImageSource} image
   * @param {import('../../index.js').AttributeOptions & PassesOptions} [options]
   */
  async attribute(image, options) {
    const { signal, onProgress, ...asked } = checkOptions(options, [...requests.ATTRIBUTE_OPTIONS, ...PASSES_OPTIONS]);
    return this.#ask(requests.attribute(this.#config, asked), { image, signal, onProgress });
  }

  /**
   * @param {ImageSource} image
   * @param {import('../../index.js').ViewMap} map
   * @param {import('../../index.js').CurvesOptions & PassesOptions} [options]
   */
  async curves(image, map, options) {
    const { signal, onProgress, ...asked } = checkOptions(options, [...requests.CURVES_OPTIONS, ...PASSES_OPTIONS]);
    return this.#ask(requests.curves(this.#config, map, asked), { image, signal, onProgress });
  }

  async positionSimilarity() {
    return this.#ask(requests.positionSimilarity(this.#config));
  }

  /** @param {{count?: number}} [options] */
  async patchFilters(options) {
    return this.#ask(requests.patchFilters(this.#config, options));
  }

  /**
   * @param {import('../../index.js').Classes | import('../../index.js').Bytes} classes
   * @param {{signal?: AbortSignal}} [options]
   */
  async withClasses(classes, options) {
    const { signal } = checkOptions(options, ['signal']);
    const prepare = async () => givenClasses(classes instanceof Blob ? await classes.arrayBuffer().catch(unreadable) : classes);
    return this.#queue.add(
      prepare,
      async (given, jobSignal) => {
        const derived = await this.#bridge.request({ type: 'derive', engine: this.#engine, given });
        if (jobSignal.aborted) this.#release(derived.engine);
        jobSignal.throwIfAborted();
        const queue = this.#queue.branch();
        this.#queues.add(queue);
        return new Vitscope({ bridge: this.#bridge, queues: this.#queues }, queue, derived, () => this.#startedViews(), given);
      },
      signal,
    );
  }

  /**
   * @param {Record<string, ImageSource[]>} examples
   * @param {PassesOptions} [options]
   */
  async teach(examples, options) {
    const { signal, onProgress } = checkOptions(options, PASSES_OPTIONS);
    const entries = checkExamples(examples);
    const total = entries.reduce((sum, [, images]) => sum + images.length, 0);
    const stop = new AbortController();
    const abort = () => stop.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    let done = 0;
    const look = async (/** @type {ImageSource} */ image) => {
      const { features } = await this.classify(image, { topK: 1, signal: stop.signal });
      if (!stop.signal.aborted) onProgress?.({ done: ++done, total });
      return features;
    };
    try {
      const features = await Promise.all(entries.map(([, images]) => Promise.all(images.map(look))));
      return await this.withClasses(prototypes(entries.map(([label]) => label), features), { signal });
    } catch (error) {
      stop.abort(error); // the others need not be looked at
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  saveClasses() {
    return classesFile(this.#config, this.#given);
  }

  /** Ends the worker and so frees all of the model's memory at once; nothing else would before the page is left. Others that it answers for keep both. */
  close() {
    const reason = closed();
    this.#queue.close(reason);
    if (!this.#queues.delete(this.#queue)) return;
    if (this.#queues.size) this.#release(this.#engine);
    else this.#bridge.close(reason);
  }

  /** @param {number} engine */
  #release(engine) {
    this.#bridge.request({ type: 'release', engine }).catch(() => {}); // it may have gone with its worker
  }

  /**
   * Has the worker's engine answer, in turn.
   * @template T
   * @param {{method: import('./bridge.js').Method, args: any[], read: (answer: any) => T | Promise<T>}} request
   * @param {{image?: ImageSource} & PassesOptions} [options]
   * @returns {Promise<T>}
   */
  #ask({ method, args, read }, { signal, onProgress, ...source } = {}) {
    return this.#queue.add(
      async (jobSignal) => ('image' in source ? prepareImage(/** @type {ImageSource} */ (source.image), jobSignal).catch(withoutMemory) : { image: undefined, transfer: [] }),
      async ({ image, transfer }, jobSignal, abort) => {
        const report = (/** @type {any} */ passes) => {
          try {
            if (!jobSignal.aborted) onProgress?.(passes);
          } catch (error) {
            abort(error); // the caller's own, for the caller
          }
        };
        const { answer, memory } = await this.#bridge.request({ type: 'run', engine: this.#engine, method, image, args }, { transfer, signal: jobSignal, onProgress: report }).catch(untransferable);
        this.#memory = memory;
        jobSignal.throwIfAborted(); // there may be no answer
        return guard(() => read(answer));
      },
      signal,
    );
  }
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function withoutMemory(error) {
  throw error instanceof RangeError ? fromEngine(error) : error;
}

/**
 * @param {unknown} cause
 * @returns {never}
 */
function unreadable(cause) {
  throw new VitscopeError('network', 'The file of classes could not be read. It may have been moved or changed; choose it again.', { cause });
}

/**
 * Bitmaps of another site's pictures can be made, but not handed to a worker.
 * @param {unknown} error
 * @returns {never}
 */
function untransferable(error) {
  throw error instanceof DOMException && error.name === 'DataCloneError' ? taintedError(error) : error;
}
