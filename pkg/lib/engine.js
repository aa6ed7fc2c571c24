/** Entry: the synchronous engine, for workers, Node and tests. It blocks the thread that calls it. */
import { locate } from './assets.js';
import { cache } from './cache/index.js';
import { classesFile, givenClasses } from './classes/given.js';
import { checkExamples, prototypes } from './classes/teach.js';
import { orAborted } from './common/abort.js';
import { LOAD_OPTIONS, checkDtype, checkImageSize, checkOptions, checkSimd, checkSize, checkThreads } from './common/checks.js';
import { Closeable } from './common/closeable.js';
import { guard, ofImage } from './common/errors.js';
import { warnOnce } from './common/warn.js';
import { chooseBackend } from './engine/backend.js';
import { Trace } from './engine/trace.js';
import { Walker } from './engine/walker.js';
import { loadWasm } from './engine/wasm.js';
import { Loading } from './source/loading.js';
import { normaliseSource } from './source/source.js';
import { walk } from './source/walk.js';
import { patchEmbedding } from './views/inside.js';
import { LENSES } from './views/lenses.js';
import * as requests from './views/requests.js';

export { VitscopeError } from './common/errors.js';
export { toPNG } from './draw/png.js';
export { toJSON, toNpy } from './views/files.js';
export { drawOverlay } from './draw/overlay.js';
export { COLORMAPS, colourise, upsample } from './draw/render.js';

/**
 * @typedef {import('./engine/core.js').Core} Core
 * @typedef {import('../index.js').ModelSource} ModelSource
 * @typedef {import('../index.js').LoadOptions} LoadOptions
 * @typedef {import('../index.js').Passes} Passes
 * @typedef {import('../engine.js').ImageLike} ImageLike
 * @typedef {import('./engine/core.js').Image} Image
 */

/** Nobody could ring: it blocks anyway. */
const SILENT = new Int32Array(1);

/**
 * A loaded model in this thread. Loading is asynchronous, all else blocks until it is done.
 * @implements {Pick<import('../engine.js').Engine, keyof import('../engine.js').Engine>}
 */
export class Engine extends Closeable {
  /** @override */
  static name = 'Engine';
  static cache = cache;

  #core;
  #views;
  #given;

  /**
   * @param {Core} core
   * @param {import('./engine/trace.js').Views} views
   * @param {import('./classes/given.js').Given} [given] classes in place of the model's own
   */
  constructor(core, views, given) {
    super();
    this.#core = core;
    this.#views = views;
    this.#given = given;
  }

  /**
   * @param {ModelSource} source
   * @param {LoadOptions} [options]
   */
  static async load(source, options) {
    const { dtype, imageSize, simd, threads, assets, signal, onProgress } = checkOptions(options, LOAD_OPTIONS);
    const parts = normaliseSource(source, options);
    checkDtype(dtype);
    const size = checkImageSize(imageSize);
    signal?.throwIfAborted();
    const backend = chooseBackend(checkSimd(simd), checkThreads(threads));
    const located = locate(assets, backend.simd);
    const loading = new Loading(signal, onProgress);
    /** @type {Core | undefined} */
    let core;
    /** @type {Walker | undefined} */
    let walker;
    try {
      const wasm = loading.watch(loadWasm(backend, located, { onBytes: (loaded, total) => loading.report({ phase: 'wasm', loaded, total }) }));
      walker = new Walker(wasm.then((instance) => ({ ...instance, bell: SILENT })), { dtype, size });
      core = await orAborted(loading.watchDownloads(parts, walk(parts, walker, { signal: loading.signal, onProgress: loading.report })), loading.signal);
      loading.signal.throwIfAborted();
      warnOnce(core.warning);
      return new Engine(core, (await wasm).Views);
    } catch (error) {
      core?.close();
      walker?.close();
      throw loading.stop(error);
    } finally {
      loading.end();
    }
  }

  get config() {
    return this.#core.config;
  }

  get backend() {
    return this.#core.backend;
  }

  get memory() {
    return this.#core.memory;
  }

  /** @param {ImageLike} image */
  preprocess(image) {
    return this.#core.preprocess(image);
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  crop(width, height) {
    return this.#core.crop(width, height);
  }

  /**
   * @param {Image | Image[]} images
   * @param {import('../index.js').InterventionOptions & {topK?: number}} [options]
   * @returns {any}
   */
  classify(images, options) {
    const request = requests.classify(this.config, checkOptions(options, requests.RUN_OPTIONS));
    if (!Array.isArray(images)) return this.#ask(request, { image: images });
    return images.flatMap((image, i) => {
      try {
        return this.#ask(requests.oneOfSeveral(request, i, images.length, this.backend.threads), { image });
      } catch (error) {
        throw ofImage(error, i);
      }
    });
  }

  /**
   * @param {Image} image
   * @param {import('../index.js').RecordOptions & import('../index.js').InterventionOptions & {topK?: number}} [options]
   * @returns {any}
   */
  trace(image, options) {
    const recording = this.#ask(requests.trace(this.config, checkOptions(options, requests.TRACE_OPTIONS)), { image });
    return new Trace(recording, this.#views, (name, trace, options) => this.#ask(LENSES[name].request(this.config, trace, checkOptions(options, LENSES[name].options))));
  }

  /**
   * @param {Image} image
   * @param {import('../engine.js').SyncAttributeOptions} [options]
   */
  attribute(image, options) {
    const { onProgress, ...asked } = checkOptions(options, [...requests.ATTRIBUTE_OPTIONS, 'onProgress']);
    return this.#ask(requests.attribute(this.config, asked), { image, onProgress });
  }

  /**
   * @param {Image} image
   * @param {import('../index.js').ViewMap} map
   * @param {import('../engine.js').SyncCurvesOptions} [options]
   */
  curves(image, map, options) {
    const { onProgress, ...asked } = checkOptions(options, [...requests.CURVES_OPTIONS, 'onProgress']);
    return this.#ask(requests.curves(this.config, map, asked), { image, onProgress });
  }

  positionSimilarity() {
    return this.#ask(requests.positionSimilarity());
  }

  /**
   * @param {Image} image
   * @param {{patch: [row: number, col: number]}} options
   */
  patchEmbedding(image, options) {
    return this.#ask(patchEmbedding(checkOptions(options, ['patch'])), { image });
  }

  /** @param {{count?: number, outputs?: number[]}} [options] */
  patchFilters(options) {
    return this.#ask(requests.patchFilters(this.config, checkOptions(options, requests.FILTER_OPTIONS)));
  }

  /** @param {number | [number, number]} imageSize */
  resize(imageSize) {
    this.#core.resize(checkSize(imageSize));
  }

  /** @param {import('../index.js').Classes | ArrayBuffer | Uint8Array} classes */
  withClasses(classes) {
    const given = givenClasses(classes);
    return new Engine(this.#core.withClasses(given), this.#views, given);
  }

  /**
   * @param {Parameters<import('../engine.js').Engine['teach']>[0]} examples
   * @param {{onProgress?: (passes: Passes) => void}} [options]
   */
  teach(examples, { onProgress } = {}) {
    const entries = checkExamples(examples, this.config.numFeatures);
    const asked = entries.flatMap(([, own]) => own).filter(({ features }) => !features);
    asked.forEach((example, i) => {
      example.features = finish(this.#core.classify(/** @type {Image} */ (example.image), 1)).features;
      onProgress?.({ done: i + 1, total: asked.length });
    });
    return this.withClasses(prototypes(entries));
  }

  saveClasses() {
    return classesFile(this.config, this.#given);
  }

  /** Frees the model's wasm memory, which no garbage collector sees. Later calls throw `closed`. */
  close() {
    this.#core.close();
  }

  /**
   * @template T
   * @param {requests.Request<T>} request
   * @param {{image?: Image, onProgress?: (passes: Passes) => void}} [options]
   * @returns {T}
   */
  #ask({ method, args, read }, { onProgress, ...source } = {}) {
    const answer = /** @type {any} */ (this.#core)[method](...('image' in source ? [source.image] : []), ...args);
    const result = typeof answer?.next === 'function' ? finish(answer, onProgress) : answer;
    return guard(() => read(result));
  }
}

/**
 * @param {Generator<Passes | undefined, any>} work
 * @param {(passes: Passes) => void} [onProgress]
 */
function finish(work, onProgress) {
  try {
    for (;;) {
      const { done, value } = work.next();
      if (done) return value;
      if (value) onProgress?.(/** @type {Passes} */ (value));
    }
  } finally {
    work.return(undefined); // what the callback throws ends it too
  }
}
