/** A loaded model in this thread: what the engine says, in plain arrays. `engine.js` and, by way of a worker, `client/client.js` make the API of it. */
import { arePixelValues, checkPixels, checkPixelValues, checkTopK } from '../common/checks.js';
import { closed, guard, invalid, isFatal } from '../common/errors.js';
import { Held } from './held.js';
import { recordingOf, startRecording } from './recording.js';

/**
 * @typedef {import('../../index.js').ModelConfig} ModelConfig
 * @typedef {import('../../index.js').Passes} Passes
 * @typedef {import('../../engine.js').ImageLike} ImageLike
 * @typedef {ImageLike | import('../../index.js').PixelValues | Float32Array} Image  the last: pixel values of which nobody asks where they lie
 * @typedef {import('./wasm.js').Instance} Instance
 * @typedef {import('../../wasm/relaxed/vitscope.js').Engine} WasmEngine
 * @typedef {import('../../wasm/relaxed/vitscope.js').Work} Work
 */

/** What a character of JSON becomes at most in the engine, in bytes. */
export const PARSED = 16;

export class Core {
  /** @type {WasmEngine | undefined} */
  #wasm;
  /** @type {Error | undefined} why the instance can't be used any more */
  #dead;
  #instance;
  #config;
  #held = new Held((work) => this.#call(/** @type {any} */ (work)));
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
   * Takes images of another size from now on, over the same weights. Where that fails it is as it was.
   * @param {[height: number, width: number]} size
   */
  resize([height, width]) {
    this.#config = this.#call((wasm) => /** @type {ModelConfig} */ (Object.freeze(wasm.resize(height, width))));
    this.#weightBytes = this.#call((wasm) => wasm.weightBytes);
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
   * @param {number} [width] without both: of pixel values
   * @param {number} [height]
   */
  crop(width, height) {
    return this.#call((wasm) => wasm.crop(width, height));
  }

  // What takes long is a generator: it pauses where it may be left, between blocks or passes, and gives a number of passes whenever one is over.

  /**
   * @param {Image} image
   * @param {number} topK
   * @param {import('../views/intervention.js').Intervention} [told]
   * @param {import('../views/requests.js').RecordRequest} [record]
   * @returns {Generator<undefined, any>} with a crop for an image, without for pixel values
   */
  *classify(image, topK, told = {}, record) {
    checkTopK(topK);
    const start = performance.now();
    const { pixels, crop } = this.#input(image);
    const ready = performance.now();
    this.#call((wasm) => {
      wasm.begin(pixels);
      if (told.without || told.order) this.#intervene(wasm, told);
      if (record) startRecording(wasm, record);
    });
    while (this.#call((wasm) => wasm.step(this.#instance.bell))) yield;
    const result = this.#call((wasm) => ({ ...wasm.answer(topK), ...(record && { ...recordingOf(wasm, this.#config, record), ...told }) }));
    const end = performance.now();
    return { ...result, timing: { preprocess: crop ? ready - start : 0, forward: end - ready, total: end - start }, ...(crop && { crop }) };
  }

  /** Takes an image in, for `classifyHeld`, as number `place`. @param {Image} image @param {number} place */
  hold(image, place) {
    this.#held.add(() => this.#input(image), place, this.#config.imageSize);
  }

  /**
   * Answers the images that were taken in and this one, each by a thread.
   * @param {Image} image
   * @param {number} topK
   * @param {import('../views/intervention.js').Intervention} told
   */
  classifyHeld(image, topK, told) {
    this.hold(image, Infinity);
    return this.#held.classify(topK, told.without || told.order ? (wasm) => this.#intervene(wasm, told) : undefined, this.#instance.bell);
  }

  /**
   * @param {Float32Array} hiddenStates
   * @param {number} tokens of each: a trace keeps its size when the model takes another
   */
  logitLens(hiddenStates, tokens) {
    return this.#call((wasm) => wasm.logitLens(hiddenStates, tokens));
  }

  /**
   * @param {Float32Array} tokens of one layer
   * @param {number} count
   * @param {number} target
   */
  patchLens(tokens, count, target) {
    return this.#call((wasm) => wasm.patchLens(tokens, count, target));
  }

  /**
   * @param {Image} image
   * @param {import('../views/requests.js').AttributionRequest} request
   * @returns {Generator<Passes | undefined, {target: number, data: Float32Array, rows: number, crop?: import('../../index.js').Rectangle}>}
   */
  *attribute(image, { method, target, layer, query, discard, window, stride }) {
    const { pixels } = this.#input(image);
    const make = (/** @type {WasmEngine} */ wasm) => (method === 'occlusion' ? wasm.occlusion(pixels, target, window, stride) : wasm.attribute(pixels, method, target, layer, query, discard));
    const { width = undefined, height = undefined } = 'width' in image ? image : {};
    const crop = image instanceof Float32Array ? undefined : this.#call((wasm) => wasm.mapCrop(width, height));
    return { ...(yield* this.#work(make)), crop };
  }

  /**
   * @param {Image} image
   * @param {import('../views/requests.js').CurvesRequest} request
   * @returns {Generator<Passes | undefined, {target: number, deletion: Float32Array, insertion: Float32Array}>}
   */
  *curves(image, { map, grid: [rows, cols], target, steps }) {
    const { pixels } = this.#input(image);
    const deletion = yield* this.#work((wasm) => wasm.curve(pixels, map, 'deletion', rows, cols, target, steps), { done: 0, total: steps + 1 });
    const insertion = yield* this.#work((wasm) => wasm.curve(pixels, map, 'insertion', rows, cols, deletion.target, steps), { done: steps + 1, total: steps + 1 });
    return { target: deletion.target, deletion: deletion.data, insertion: insertion.data };
  }

  positions() {
    return this.#call((wasm) => wasm.positions());
  }

  /** @param {number} count */
  filters(count) {
    return this.#call((wasm) => wasm.filters(count));
  }

  /** @param {number[]} outputs */
  filtersOf(outputs) {
    return this.#call((wasm) => wasm.filtersOf(Uint32Array.from(outputs)));
  }

  /**
   * @param {Image} image
   * @param {number} row
   * @param {number} column
   */
  patchEmbedding(image, row, column) {
    const { pixels } = this.#input(image);
    return this.#call((wasm) => wasm.patchEmbedding(pixels, row, column));
  }

  /**
   * What happens inside a block.
   * @param {'head' | 'mlp' | 'unit' | 'norms'} view
   * @param {import('../views/inside.js').BlockRequest} asked
   * @param {any[]} args of the view
   */
  inside(view, { stream, layer, grid: [rows, cols], positions, without }, ...args) {
    const block = this.#call((wasm) => wasm.block(stream, layer, rows, cols, positions, Uint32Array.from(without)));
    try {
      return this.#call((wasm) => /** @type {any} */ (block)[view](wasm, ...args));
    } finally {
      if (!isFatal(this.#dead)) block.free();
    }
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
   * @param {WasmEngine} wasm
   * @param {import('../views/intervention.js').Intervention} told
   */
  #intervene(wasm, { without = { heads: [], positions: false }, order }) {
    const [rows, cols] = this.#config.grid;
    // (For what is longer there may be no room, and nobody would check.)
    if (order && order.length !== rows * cols) throw invalid(`The order has ${order.length} patches where the image has ${rows * cols}: it must have all of these, each once.`);
    wasm.intervene(Uint32Array.from(without.heads.flat()), without.positions, order && Uint32Array.from(order));
  }

  /**
   * @param {Image} image
   * @returns {{pixels: Float32Array, crop?: import('../../index.js').Rectangle}}
   */
  #input(image) {
    if (image instanceof Float32Array) return { pixels: image };
    if (arePixelValues(image)) {
      checkPixelValues(image, this.#config.imageSize);
      return { pixels: image.pixelValues, crop: this.crop() };
    }
    return { pixels: this.preprocess(image), crop: this.crop(image.width, image.height) };
  }

  /**
   * @param {(wasm: WasmEngine) => Work} make
   * @param {Passes} [others] passes that are made before it, and all that are not its own
   * @returns {Generator<Passes | undefined, {target: number, data: Float32Array, rows: number}>}
   */
  *#work(make, others = { done: 0, total: 0 }) {
    const work = this.#call(make);
    try {
      let before = 0;
      while (this.#call((wasm) => work.step(wasm, this.#instance.bell))) {
        const { done, passes } = work;
        yield done > before ? { done: others.done + done, total: others.total + passes } : undefined;
        before = done;
      }
      return this.#call(() => ({ target: work.target, data: work.result(), rows: work.rows }));
    } finally {
      if (!isFatal(this.#dead)) work.free();
    }
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
export function reserve({ Engine }, bytes) {
  Engine.reserve(Math.min(bytes, 0xffff_ffff));
}
