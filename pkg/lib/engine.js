/** Entry: the synchronous engine, for workers, Node and tests. It blocks the thread that calls it. */
import { checkDtype, checkImageSize, checkPixels, checkSimd, checkThreads, checkTopK } from './checks.js';
import { VitscopeError, closed, fromEngine } from './errors.js';
import { chooseBackend } from './features.js';
import { normaliseSource, readSource, release } from './source.js';
import { loadWasm } from './wasm.js';
import { nameClasses } from './names.js';

export { VitscopeError } from './errors.js';

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
 * @implements {Pick<import('../engine.js').Engine, 'config' | 'backend' | 'memory' | 'preprocess' | 'crop' | 'classify' | 'trace' | 'close'>}
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

  /**
   * @param {WasmEngine} wasm
   * @param {Instance} instance
   */
  constructor(wasm, { backend, memory }) {
    this.#wasm = wasm;
    this.#config = /** @type {ModelConfig} */ (Object.freeze(wasm.config));
    this.#backend = backend;
    this.#memory = memory;
    this.#weightBytes = wasm.weightBytes;
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
    return this.#run(image, topK, (wasm, pixels) => wasm.trace(pixels, topK));
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

/**
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
function guard(work) {
  try {
    return work();
  } catch (error) {
    throw fromEngine(error);
  }
}
