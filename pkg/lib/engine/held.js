/** Images that wait until there are as many as threads, each of which then makes the whole forward pass of one. */
import { invalid, isFatal } from '../common/errors.js';

/**
 * @typedef {import('../../wasm/relaxed-threads/vitscope.js').Engine} WasmEngine  that of a build with threads
 * @typedef {{pixels: Float32Array, crop?: import('../../index.js').Rectangle}} Input
 * @typedef {Input & {start: number, preprocess: number}} Waiting  since when, and how long it took to prepare
 */

export class Held {
  /** @type {Waiting[]} */
  #images = [];
  #call;

  /** @param {<T>(work: (wasm: WasmEngine) => T) => T} call */
  constructor(call) {
    this.#call = call;
  }

  /**
   * @param {() => Input} prepare
   * @param {number} place how many are before it: what is there or behind it nobody asks for any more
   * @param {[height: number, width: number]} size
   */
  add(prepare, place, [height, width]) {
    const start = performance.now();
    this.#images.splice(place);
    const input = prepare();
    // (Later nobody would know which it was.)
    if (input.pixels.length !== 3 * height * width) throw invalid(`${input.pixels.length} pixel values were given where the model takes 3 × ${height} × ${width}.`);
    this.#images.push({ ...input, start, preprocess: input.crop ? performance.now() - start : 0 });
  }

  /**
   * Answers them in order; where there isn't memory for a pass of each, in several turns.
   * @param {number} topK
   * @param {((wasm: WasmEngine) => void) | undefined} intervene
   * @param {Int32Array} [bell]
   * @returns {Generator<undefined, any[]>}
   */
  *classify(topK, intervene, bell) {
    let rest = this.#images.splice(0);
    const answers = [];
    while (rest.length) {
      const begin = performance.now();
      const count = this.#begin(rest);
      if (intervene) this.#call(intervene);
      while (this.#call((wasm) => wasm.step(bell))) yield;
      const end = performance.now();
      for (const [i, { crop, start, preprocess }] of rest.slice(0, count).entries()) {
        const answer = this.#call((wasm) => (i ? wasm.answerBeside(i - 1, topK) : wasm.answer(topK)));
        answers.push({ ...answer, timing: { preprocess, forward: end - begin, total: end - start }, ...(crop && { crop }) });
      }
      rest = rest.slice(count);
    }
    return answers;
  }

  /**
   * @param {Waiting[]} images
   * @returns {number} how many of them there is memory for
   */
  #begin([first, ...others]) {
    this.#call((wasm) => wasm.begin(first.pixels));
    for (const [i, { pixels }] of others.entries()) {
      try {
        this.#call((wasm) => wasm.also(pixels));
      } catch (error) {
        if (isFatal(error) || /** @type {any} */ (error).code !== 'out-of-memory') throw error;
        return i + 1;
      }
    }
    return others.length + 1;
  }
}
