import { cache, writeNow } from '../cache/index.js';
import { classesFile, givenClasses } from '../classes/given.js';
import { checkExamples, prototypes } from '../classes/teach.js';
import { checkOptions, checkSize } from '../common/checks.js';
import { Closeable } from '../common/closeable.js';
import { closed, guard } from '../common/errors.js';
import { Trace } from '../engine/trace.js';
import { decodeAhead, prepareImage } from '../image/portable.js';
import { describe } from '../source/describe.js';
import { patchEmbedding } from '../views/inside.js';
import { LENSES } from '../views/lenses.js';
import * as requests from '../views/requests.js';
import { quantize } from './quantize.js';
import { unreadable, untransferable, withoutMemory } from './refusals.js';
import { askAll } from './several.js';
import { start } from './start.js';

/**
 * @typedef {import('../../index.js').ImageSource} ImageSource
 * @typedef {import('../../index.js').LoadOptions} LoadOptions
 * @typedef {import('../../index.js').RunOptions} RunOptions
 * @typedef {import('../../index.js').PassesOptions} PassesOptions
 * @typedef {import('../engine/trace.js').Views} Views
 * @typedef {import('./queue.js').JobQueue} JobQueue
 */

const PASSES_OPTIONS = ['signal', 'onProgress'];
const SIGNAL = ['signal'];

/**
 * A model loaded in a worker of its own.
 * @implements {Pick<import('../../index.js').Vitscope, 'config' | 'backend' | 'memory' | 'classify' | 'trace' | 'attribute' | 'curves' | 'positionSimilarity' | 'patchEmbedding' | 'patchFilters' | 'resize' | 'withClasses' | 'teach' | 'saveClasses' | 'close'>}
 */
export class Vitscope extends Closeable {
  /** @override */
  static name = 'Vitscope';
  static cache = cache;
  static describe = describe;
  static quantize = quantize;

  #bridge;
  #queues;
  #decode;
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
   * @param {import('./start.js').Home} home
   * @param {JobQueue} queue one of its
   * @param {import('./bridge.js').Loaded} loaded
   * @param {() => Promise<Views>} startViews
   * @param {import('../classes/given.js').Given} [given] classes in place of the model's own
   */
  constructor({ bridge, queues, decode }, queue, { engine, config, backend, memory }, startViews, given) {
    super();
    this.#bridge = bridge;
    this.#queues = queues;
    this.#decode = decode;
    this.#queue = queue;
    this.#engine = engine;
    this.#given = given;
    this.#startViews = startViews;
    this.#config = Object.freeze(config);
    this.#backend = Object.freeze(backend);
    this.#memory = memory;
  }

  /**
   * @param {import('../../index.js').ModelSource} source
   * @param {LoadOptions} [options]
   */
  static async load(source, options) {
    const { home, queue, loaded, startViews } = await start(source, options);
    return new Vitscope(home, queue, loaded, startViews);
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
   * @param {ImageSource | ImageSource[]} images
   * @param {RunOptions} [options]
   * @returns {Promise<any>}
   */
  async classify(images, options) {
    return this.#classify(images, options);
  }

  /**
   * @param {ImageSource | ImageSource[]} images
   * @param {RunOptions} [options]
   * @param {() => void} [onAnswer] for each of several
   * @returns {Promise<any>}
   */
  async #classify(images, options, onAnswer) {
    const { signal, ...asked } = checkOptions(options, [...requests.RUN_OPTIONS, ...SIGNAL]);
    const request = requests.classify(this.#config, asked);
    if (!Array.isArray(images)) return this.#ask(request, { image: images, signal });
    const ask = (/** @type {ImageSource} */ image, /** @type {AbortSignal} */ signal, /** @type {number} */ i) =>
      this.#ask(requests.oneOfSeveral(request, i, images.length, this.#backend.threads), { image, signal, ahead: true });
    const answers = await askAll(images, ask, signal, (answers) => answers.forEach(() => onAnswer?.()));
    return answers.flat();
  }

  /**
   * @param {ImageSource} image
   * @param {import('../../index.js').TraceOptions} [options]
   * @returns {Promise<any>}
   */
  async trace(image, options) {
    const { signal, ...asked } = checkOptions(options, [...requests.TRACE_OPTIONS, 'signal']);
    const request = requests.trace(this.#config, asked);
    const views = this.#startedViews();
    const read = async (/** @type {any} */ answer) => new Trace(answer, await views, this.#lens);
    return this.#ask({ ...request, read }, { image, signal });
  }

  /** What shows the views starts while the model runs for the first trace: a page that only classifies never pays for it. */
  #startedViews() {
    this.#views ??= this.#startViews().catch((error) => {
      this.#views = undefined; // it may be tried again
      throw error;
    });
    this.#views.catch(() => {}); // the trace reports it
    return this.#views;
  }

  /** @type {import('../engine/trace.js').Lens} */
  #lens = async (name, trace, options) => {
    const { signal, ...asked } = checkOptions(options, [...LENSES[name].options, ...SIGNAL]);
    return this.#ask(LENSES[name].request(this.#config, trace, asked), { signal });
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

  /** @param {{signal?: AbortSignal}} [options] */
  async positionSimilarity(options) {
    return this.#ask(requests.positionSimilarity(), checkOptions(options, SIGNAL));
  }

  /**
   * @param {ImageSource} image
   * @param {{patch: [row: number, col: number], signal?: AbortSignal}} options
   */
  async patchEmbedding(image, options) {
    const { signal, ...asked } = checkOptions(options, ['patch', ...SIGNAL]);
    return this.#ask(patchEmbedding(asked), { image, signal });
  }

  /** @param {{count?: number, outputs?: number[], signal?: AbortSignal}} [options] */
  async patchFilters(options) {
    const { signal, ...asked } = checkOptions(options, [...requests.FILTER_OPTIONS, ...SIGNAL]);
    return this.#ask(requests.patchFilters(this.#config, asked), { signal });
  }

  /**
   * @param {number | [number, number]} imageSize
   * @param {{signal?: AbortSignal}} [options]
   */
  async resize(imageSize, options) {
    const { signal } = checkOptions(options, SIGNAL);
    const size = checkSize(imageSize);
    // (Once it has begun it is over in milliseconds: nobody calls it off, so the config is always that of the engine.)
    const run = async () => {
      const { config, memory } = await this.#bridge.request({ type: 'resize', engine: this.#engine, size });
      this.#config = Object.freeze(config);
      this.#memory = memory;
    };
    return this.#queue.add(async () => {}, run, signal);
  }

  /**
   * @param {import('../../index.js').Classes | import('../../index.js').Bytes} classes
   * @param {{signal?: AbortSignal}} [options]
   */
  async withClasses(classes, options) {
    const { signal } = checkOptions(options, SIGNAL);
    return this.#derive(async () => givenClasses(classes instanceof Blob ? await classes.arrayBuffer().catch(unreadable) : classes), signal);
  }

  /**
   * @param {Parameters<import('../../index.js').Vitscope['teach']>[0]} examples
   * @param {PassesOptions} [options]
   */
  async teach(examples, options) {
    const { signal, onProgress } = checkOptions(options, PASSES_OPTIONS);
    const entries = checkExamples(examples, this.#config.numFeatures);
    const asked = entries.flatMap(([, own]) => own).filter(({ features }) => !features);
    let done = 0;
    // The pictures take their turns here and now, right before the classes: these are of the size that those were seen at.
    return this.#derive(async () => {
      const answers = await this.#classify(asked.map(({ image }) => /** @type {ImageSource} */ (image)), { topK: 1, signal }, () => onProgress?.({ done: ++done, total: asked.length }));
      asked.forEach((example, i) => (example.features = answers[i].features));
      return givenClasses(prototypes(entries));
    }, signal);
  }

  /**
   * Another instance, in turn.
   * @param {() => Promise<import('../classes/given.js').Given>} prepare
   * @param {AbortSignal} [signal]
   */
  #derive(prepare, signal) {
    return this.#queue.add(
      prepare,
      async (given, jobSignal) => {
        const derived = await this.#bridge.request({ type: 'derive', engine: this.#engine, given });
        if (jobSignal.aborted) this.#release(derived.engine);
        jobSignal.throwIfAborted();
        const queue = this.#queue.branch();
        this.#queues.add(queue);
        return new Vitscope({ bridge: this.#bridge, queues: this.#queues, decode: this.#decode }, queue, derived, () => this.#startedViews(), given);
      },
      signal,
    );
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
   * @param {{image?: ImageSource, ahead?: boolean} & PassesOptions} [options]
   * @returns {Promise<T>}
   */
  #ask({ method, args, read }, { signal, onProgress, ahead, ...source } = {}) {
    return this.#queue.add(
      async (jobSignal, next) => {
        if (!('image' in source)) return { image: undefined, transfer: [] };
        const prepared = await prepareImage(/** @type {ImageSource} */ (source.image), jobSignal, this.#decode).catch(withoutMemory);
        return ahead ? decodeAhead(prepared, next, jobSignal) : prepared;
      },
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
        writeNow();
        jobSignal.throwIfAborted(); // there may be no answer
        return guard(() => read(answer));
      },
      signal,
    );
  }
}
