/** Entry: the synchronous engine, for workers, Node and tests. It blocks the thread that calls it. */
import { attribute, checkAttribution, checkCurves, curves, finish } from './attribution.js';
import { checkDtype, checkImageSize, checkPixels, checkSimd, checkThreads, checkTopK, checkWhole } from './checks.js';
import { VitscopeError, closed, guard } from './errors.js';
import { chooseBackend } from './features.js';
import { filterCount, filterMaps, positionMap } from './learned.js';
import { logitLens, patchLens } from './lenses.js';
import { nameClasses } from './names.js';
import { normaliseSource, readSource, release } from './source.js';
import { Trace } from './trace.js';
import { loadWasm, viewsOf } from './wasm.js';

export { VitscopeError } from './errors.js';
export { toJSON, toNpy, toPNG } from './export.js';
export { COLORMAPS, colourise, drawOverlay, upsample } from './render.js';

/**
 * @typedef {import('../index.js').ModelConfig} ModelConfig
 * @typedef {import('../index.js').ModelSource} ModelSource
 * @typedef {import('../index.js').LoadOptions} LoadOptions
 * @typedef {import('../index.js').Backend} Backend
 * @typedef {import('../engine.js').ImageLike} ImageLike
 * @typedef {import('./source.js').ModelFiles} ModelFiles
 * @typedef {import('./wasm.js').Instance} Instance
 * @typedef {import('../wasm/relaxed/vitscope.js').Engine} WasmEngine
 */

/**
 * A loaded model in this thread. Loading is asynchronous, all else blocks until it is done.
 * @implements {Pick<import('../engine.js').Engine, 'config' | 'backend' | 'memory' | 'preprocess' | 'crop' | 'classify' | 'trace' | 'attribute' | 'curves' | 'positionSimilarity' | 'patchFilters' | 'close'>}
 */
export class Engine {
  /** @type {WasmEngine | undefined} */
  #wasm;
  /** @type {VitscopeError | undefined} why the instance can't be used any more */
  #dead;
  #config;
  #backend;
  #memory;
  #weightBytes;
  #views;

  /**
   * @param {WasmEngine} wasm
   * @param {Instance} instance
   */
  constructor(wasm, { backend, memory, Views }) {
    this.#wasm = wasm;
    this.#config = /** @type {ModelConfig} */ (Object.freeze(wasm.config));
    this.#backend = backend;
    this.#memory = memory;
    this.#weightBytes = wasm.weightBytes;
    this.#views = viewsOf(Views, this.#config);
  }

  /**
   * @param {ModelSource} source
   * @param {LoadOptions} [options]
   */
  static async load(source, { dtype, imageSize, simd, threads, signal, onProgress = () => {} } = {}) {
    const parts = normaliseSource(source);
    checkDtype(dtype);
    const size = checkImageSize(imageSize);
    signal?.throwIfAborted();
    const backend = chooseBackend(checkSimd(simd), checkThreads(threads));
    const [instance, files] = await Promise.all([
      loadWasm(backend, { onBytes: (loaded, total) => onProgress({ phase: 'wasm', loaded, total }) }),
      readSource(parts, { signal, onProgress }),
    ]);
    signal?.throwIfAborted();
    return Engine.prepare(instance, files, { dtype, size }, onProgress);
  }

  /**
   * What `load` ends with, once the engine and the model's files are there; the worker starts here.
   * @param {Instance} instance
   * @param {ModelFiles} files
   * @param {import('./bridge.js').EngineOptions} options
   * @param {NonNullable<LoadOptions['onProgress']>} onProgress
   */
  static async prepare(instance, { config, preprocessor, names, weights, textEmbeddings, owned }, { dtype, size }, onProgress) {
    onProgress({ phase: 'prepare', loaded: 0, total: 1 });
    try {
      const wasm = guard(() => instance.Engine.load(config, preprocessor, names, weights, textEmbeddings, dtype, size && Uint32Array.from(size)));
      await nameClasses(wasm);
      onProgress({ phase: 'prepare', loaded: 1, total: 1 });
      return new Engine(wasm, instance);
    } finally {
      if (owned) weights.forEach(release);
    }
  }

  get config() {
    return this.#config;
  }

  get backend() {
    return this.#backend;
  }

  /** @returns {import('../index.js').Memory} */
  get memory() {
    return { wasm: this.#memory.buffer.byteLength, weights: this.#weightBytes };
  }

  /**
   * @param {ImageLike} image
   * @returns {Float32Array<ArrayBuffer>} [3, height, width] as the model takes it
   */
  preprocess(image) {
    checkPixels(image);
    return this.#call((wasm) => /** @type {Float32Array<ArrayBuffer>} */ (wasm.preprocess(/** @type {ImageData} */ (image))));
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  crop(width, height) {
    return this.#call((wasm) => wasm.crop(width, height));
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {{topK?: number}} [options]
   * @returns {any} with a crop for an image, without for pixel values: engine.d.ts tells the two apart
   */
  classify(image, { topK = 5 } = {}) {
    return this.#run(image, topK, (wasm, pixels) => wasm.classify(pixels, topK));
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {{topK?: number}} [options]
   * @returns {any} with a crop for an image, without for pixel values: engine.d.ts tells the two apart
   */
  trace(image, { topK = 5 } = {}) {
    return new Trace(this.#run(image, topK, (wasm, pixels) => wasm.trace(pixels, topK)), this.#views, this.#lenses);
  }

  /** @type {import('./trace.js').Lenses} */
  #lenses = {
    logitLens: (trace) => {
      const { args, read } = logitLens(this.#config, trace);
      return read(this.logits(...args));
    },
    patchLens: (trace, choice) => {
      const { args, read } = patchLens(this.#config, trace, choice);
      return read(this.patchLogits(...args));
    },
  };

  /** @param {Float32Array} hiddenStates */
  logits(hiddenStates) {
    return this.#call((wasm) => wasm.logitLens(hiddenStates));
  }

  /**
   * @param {Float32Array} stream a layer's tokens
   * @param {number} target
   */
  patchLogits(stream, target) {
    return this.#call((wasm) => wasm.patchLens(stream, target));
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {import('../engine.js').SyncAttributeOptions} [options]
   * @returns {any}
   */
  attribute(image, { onProgress, ...options } = {}) {
    const request = checkAttribution(options, this.#config);
    return finish(this.attributing(image, request), onProgress);
  }

  /**
   * Pass by pass, for a worker that must hear of an abort meanwhile.
   * @param {ImageLike | Float32Array} image
   * @param {import('./attribution.js').AttributionRequest} request
   */
  attributing(image, request) {
    return attribute((work) => this.#call(work), this.#config, this.#input(image), request);
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {import('../index.js').ViewMap} map
   * @param {import('../engine.js').SyncCurvesOptions} [options]
   */
  curves(image, map, { onProgress, ...options } = {}) {
    const request = checkCurves(map, options, this.#config);
    return finish(this.curving(image, request), onProgress);
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {import('./attribution.js').CurvesRequest} request
   */
  curving(image, request) {
    return curves((work) => this.#call(work), this.#config, this.#input(image), request);
  }

  positionSimilarity() {
    return positionMap(this.#config, this.#call((wasm) => wasm.positions()));
  }

  /** @param {{count?: number}} [options] */
  patchFilters({ count = filterCount(this.#config) } = {}) {
    checkWhole('count', count);
    return filterMaps(this.#config, this.#call((wasm) => wasm.filters(count)));
  }

  /** Frees the model's wasm memory, which no garbage collector sees. Later calls throw `closed`. */
  close() {
    const wasm = this.#wasm;
    this.#wasm = undefined;
    // After a trap the memory may be inconsistent: leave it to go with the worker or process.
    if (!this.#dead) wasm?.free();
    this.#dead ??= closed();
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @returns {import('./attribution.js').Input}
   */
  #input(image) {
    if (image instanceof Float32Array) return { pixels: image };
    return { pixels: this.preprocess(image), crop: this.crop(image.width, image.height) };
  }

  /**
   * @template T
   * @param {ImageLike | Float32Array} image
   * @param {number} topK
   * @param {(wasm: WasmEngine, pixels: Float32Array) => T} forward
   */
  #run(image, topK, forward) {
    checkTopK(topK);
    const start = performance.now();
    const given = image instanceof Float32Array;
    const pixels = given ? image : this.preprocess(image);
    const ready = performance.now();
    const result = this.#call((wasm) => forward(wasm, pixels));
    const end = performance.now();
    const timing = { preprocess: given ? 0 : ready - start, forward: end - ready, total: end - start };
    return given ? { ...result, timing } : { ...result, timing, crop: this.crop(image.width, image.height) };
  }

  /**
   * @template T
   * @param {(wasm: WasmEngine) => T} work
   * @returns {T}
   */
  #call(work) {
    const wasm = this.#wasm;
    if (this.#dead || !wasm) throw this.#dead ?? closed();
    try {
      return guard(() => work(wasm));
    } catch (error) {
      if (error instanceof VitscopeError && error.code === 'crashed') this.#dead = error;
      throw error;
    }
  }
}
