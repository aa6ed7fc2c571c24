/** A loaded model in this thread: what the engine says, in plain arrays. `engine.js` and, by way of a worker, `client/client.js` make the API of it. */
import { checkPixels, checkTopK } from '../common/checks.js';
import { closed, fromEngine, guard, isFatal } from '../common/errors.js';
import { release } from '../source/source.js';
import { nameClasses } from './class_names.js';

/**
 * @typedef {import('../../index.js').ModelConfig} ModelConfig
 * @typedef {import('../../index.js').LoadOptions} LoadOptions
 * @typedef {import('../../index.js').Passes} Passes
 * @typedef {import('../../engine.js').ImageLike} ImageLike
 * @typedef {import('../source/source.js').ModelFiles} ModelFiles
 * @typedef {import('./wasm.js').Instance} Instance
 * @typedef {{dtype?: 'f32' | 'int8', size?: [number, number]}} EngineOptions  size: height and width of the input
 * @typedef {import('../../wasm/relaxed/vitscope.js').Engine} WasmEngine
 * @typedef {import('../../wasm/relaxed/vitscope.js').Dropping} Dropping
 */

/** What a character of JSON becomes at most in the engine, in bytes. */
const PARSED = 16;

export class Core {
  /** @type {WasmEngine | undefined} */
  #wasm;
  /** @type {Error | undefined} why the instance can't be used any more */
  #dead;
  #instance;
  #config;
  #memory;
  #weightBytes;

  /**
   * @param {WasmEngine} wasm
   * @param {Instance} instance
   * @param {string} [warning] for the console, where a page has one for all its workers
   */
  constructor(wasm, instance, warning) {
    this.#wasm = wasm;
    this.warning = warning;
    this.#instance = instance;
    this.#config = /** @type {ModelConfig} */ (Object.freeze(wasm.config));
    this.#memory = instance.memory;
    this.#weightBytes = wasm.weightBytes;
  }

  /**
   * Refuses what a config says by itself that can't be read: its weights may be long in coming.
   * @param {Instance} instance
   * @param {string} config
   */
  static check(instance, config) {
    try {
      guard(() => {
        reserve(instance, PARSED * config.length);
        instance.Engine.load({ config, names: [], weights: [new Uint8Array()] }, undefined, undefined).free();
      }, instance.memory);
    } catch (error) {
      const { code, message } = /** @type {import('../common/errors.js').VitscopeError} */ (error);
      // Of weights there are none yet, which comes last; and where the config names nothing, they tell what it is.
      if (code !== 'invalid-weights' && !message.startsWith('unsupported architecture `unknown`')) throw error;
    }
  }

  /**
   * Once the engine and the model's files are there.
   * @param {Instance} instance
   * @param {ModelFiles} files
   * @param {EngineOptions} options
   * @param {NonNullable<LoadOptions['onProgress']>} onProgress
   */
  static async prepare(instance, files, { dtype, size }, onProgress) {
    onProgress({ phase: 'prepare', loaded: 0, total: 1 });
    let wasm;
    try {
      wasm = guard(() => {
        const texts = [files.config, files.preprocessor, files.processor].reduce((sum, text) => sum + (text?.length ?? 0), 0);
        reserve(instance, PARSED * texts);
        return instance.Engine.load(files, dtype, size && Uint32Array.from(size));
      }, instance.memory);
      const warning = await nameClasses(wasm, instance.names);
      onProgress({ phase: 'prepare', loaded: 1, total: 1 });
      return new Core(wasm, instance, warning);
    } catch (error) {
      wasm?.free();
      throw fromEngine(error, instance.memory);
    } finally {
      if (files.owned) files.weights.forEach(release);
    }
  }

  get config() {
    return this.#config;
  }

  get backend() {
    return this.#instance.backend;
  }

  /** @returns {import('../../index.js').Memory} */
  get memory() {
    return { wasm: this.#memory.buffer.byteLength, weights: this.#weightBytes };
  }

  /**
   * The same model with other classes. It has the same weights, which go when the last one is closed.
   * @param {import('../classes/given.js').Given} given
   */
  withClasses(given) {
    return new Core(this.#call((wasm) => {
      if (given instanceof Uint8Array) return wasm.withTextEmbeddings(given);
      const { labels, embeddings, scale, bias } = given;
      reserve(this.#instance, labels.reduce((sum, label) => sum + PARSED + 4 * label.length, 0));
      return wasm.withClasses(labels, embeddings, scale, bias);
    }), this.#instance);
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
   * @param {number} topK
   */
  classify(image, topK) {
    return this.#answer(image, topK, (wasm, pixels) => wasm.classify(pixels, topK));
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {number} topK
   */
  trace(image, topK) {
    return this.#answer(image, topK, (wasm, pixels) => wasm.trace(pixels, topK));
  }

  /** @param {Float32Array} hiddenStates */
  logitLens(hiddenStates) {
    return this.#call((wasm) => wasm.logitLens(hiddenStates));
  }

  /**
   * @param {Float32Array} tokens of one layer
   * @param {number} target
   */
  patchLens(tokens, target) {
    return this.#call((wasm) => wasm.patchLens(tokens, target));
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {import('../views/requests.js').AttributionRequest} request
   * @returns {Generator<Passes, {target: number, data: Float32Array, crop?: import('../../index.js').Rectangle}>}
   */
  *attribute(image, { method, target, layer, query, discard, window, stride }) {
    const { pixels, crop } = this.#input(image);
    if (method !== 'occlusion') {
      return { ...this.#call((wasm) => wasm.attribute(pixels, method, target, layer, query, discard)), crop };
    }
    const [result] = yield* this.#passes([(wasm) => wasm.occlusion(pixels, target, window, stride)]);
    return { ...result, crop };
  }

  /**
   * @param {ImageLike | Float32Array} image
   * @param {import('../views/requests.js').CurvesRequest} request
   * @returns {Generator<Passes, {target: number, deletion: Float32Array, insertion: Float32Array}>}
   */
  *curves(image, { map, target, steps }) {
    const { pixels } = this.#input(image);
    const make = (/** @type {string} */ kind) => (/** @type {WasmEngine} */ wasm) => wasm.curve(pixels, map, kind, target, steps);
    const [deletion, insertion] = yield* this.#passes([make('deletion'), make('insertion')]);
    return { target: deletion.target, deletion: deletion.data, insertion: insertion.data };
  }

  positions() {
    return this.#call((wasm) => wasm.positions());
  }

  /** @param {number} count */
  filters(count) {
    return this.#call((wasm) => wasm.filters(count));
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
   * @returns {{pixels: Float32Array, crop?: import('../../index.js').Rectangle}}
   */
  #input(image) {
    if (image instanceof Float32Array) return { pixels: image };
    return { pixels: this.preprocess(image), crop: this.crop(image.width, image.height) };
  }

  /**
   * Forward passes that leave patches out.
   * @param {((wasm: WasmEngine) => Dropping)[]} makers
   */
  *#passes(makers) {
    /** @type {Dropping[]} */
    const droppings = [];
    try {
      for (const make of makers) droppings.push(this.#call(make));
      const total = droppings.reduce((sum, { passes }) => sum + passes, 0);
      for (const dropping of droppings) {
        while (this.#call((wasm) => dropping.step(wasm))) yield { done: droppings.reduce((sum, { done }) => sum + done, 0), total };
      }
      return this.#call(() => droppings.map((dropping) => ({ target: dropping.target, data: dropping.result() })));
    } finally {
      if (!isFatal(this.#dead)) for (const dropping of droppings) dropping.free();
    }
  }

  /**
   * @template T
   * @param {ImageLike | Float32Array} image
   * @param {number} topK
   * @param {(wasm: WasmEngine, pixels: Float32Array) => T} forward
   * @returns {any} with a crop for an image, without for pixel values
   */
  #answer(image, topK, forward) {
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
      return guard(() => work(wasm), this.#memory);
    } catch (error) {
      if (isFatal(error)) this.#dead = /** @type {Error} */ (error);
      throw error;
    }
  }
}

/**
 * Fails where as many bytes can't be had: texts are handed over unchecked.
 * @param {Instance} instance
 * @param {number} bytes
 */
function reserve({ Engine }, bytes) {
  Engine.reserve(Math.min(bytes, 0xffff_ffff));
}
