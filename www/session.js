import { Vitscope, VitscopeError } from '../pkg/dist/index.js';

/**
 * @typedef {import('./models.js').ModelChoice} ModelChoice
 * @typedef {import('../pkg/index.js').Progress} Progress
 * @typedef {import('../pkg/index.js').Trace} Trace
 * @typedef {import('../pkg/index.js').ImageSource} ImageSource
 * @typedef {{choice: ModelChoice, dtype: 'f32' | 'int8' | undefined, config: import('../pkg/index.js').ModelConfig, backend: import('../pkg/index.js').Backend}} LoadedModel
 */

/** The model in use. The newest wish wins: an older load or job that it overtakes is aborted. */
export class Session {
  /** @type {Vitscope | undefined} */
  #vit;
  /** @type {LoadedModel | undefined} */
  #model;
  #load = new AbortController();
  #job = new AbortController();

  get model() {
    return this.#model;
  }

  get vit() {
    return this.#vit;
  }

  /**
   * Loads a model; only once it is ready does it replace the present one.
   * @param {ModelChoice} choice
   * @param {'f32' | 'int8' | undefined} dtype
   * @param {(progress: Progress) => void} onProgress
   * @returns {Promise<LoadedModel>}
   */
  async load(choice, dtype, onProgress) {
    this.#load.abort(new Overtaken());
    this.#load = new AbortController();
    const { signal } = this.#load;
    const vit = await Vitscope.load(choice.source, { dtype, signal, onProgress });
    if (signal.aborted) {
      vit.close();
      throw signal.reason;
    }
    this.#job.abort(new Overtaken());
    this.#vit?.close();
    this.#vit = vit;
    this.#model = { choice, dtype, config: vit.config, backend: vit.backend };
    return this.#model;
  }

  /**
   * @param {ImageSource} image
   * @param {number} topK
   * @returns {Promise<Trace>}
   */
  async trace(image, topK) {
    this.#job.abort(new Overtaken());
    this.#job = new AbortController();
    const vit = this.#vit;
    if (!vit) throw new Overtaken(); // it will be asked for again once there is a model
    return vit.trace(image, { topK: Math.max(1, Math.min(topK, vit.config.numClasses)), signal: this.#job.signal });
  }

  /**
   * Whether an error has ended the model; then there is none.
   * @param {unknown} error
   */
  ended(error) {
    const crashed = error instanceof VitscopeError && error.code === 'crashed';
    if (crashed) this.#vit = this.#model = undefined;
    return crashed;
  }
}

/** Not a failure: something newer was asked for. */
export class Overtaken extends Error {}
