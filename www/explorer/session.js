import { Vitscope } from '../../pkg/dist/index.js';

/**
 * @typedef {import('./models.js').ModelChoice} ModelChoice
 * @typedef {import('../../pkg/index.js').Progress} Progress
 * @typedef {import('../../pkg/index.js').Trace} Trace
 * @typedef {import('../../pkg/index.js').ImageSource} ImageSource
 * @typedef {(signal: AbortSignal) => Promise<import('../../pkg/index.js').AssetOptions>} Assets
 * @typedef {{choice: ModelChoice, dtype: 'f32' | 'int8' | undefined, config: import('../../pkg/index.js').ModelConfig, backend: import('../../pkg/index.js').Backend}} LoadedModel
 */

/** The model in use. The newest wish wins: an older load or job that it overtakes is aborted. */
export class Session {
  /** @type {Vitscope | undefined} */
  #vit;
  /** @type {LoadedModel | undefined} */
  #model;
  #load = new AbortController();
  #loading = false;
  #job = new AbortController();
  #assets;

  /** @param {Assets} [assets] where the engine's files are, unless beside the package */
  constructor(assets) {
    this.#assets = assets;
  }

  get model() {
    return this.#model;
  }

  get vit() {
    return this.#vit;
  }

  /** Whether a model is on its way. */
  get loading() {
    return this.#loading;
  }

  /**
   * Loads a model; only once it is ready does it replace the present one, so that a failure costs nothing but memory for a while.
   * @param {ModelChoice} choice
   * @param {'f32' | 'int8' | undefined} dtype
   * @param {(progress: Progress) => void} onProgress
   */
  async load(choice, dtype, onProgress) {
    this.cancel();
    const { signal } = (this.#load = new AbortController());
    this.#loading = true;
    try {
      const vit = await Vitscope.load(choice.source, { dtype, cache: choice.cache, signal, onProgress, assets: await this.#assets?.(signal) });
      if (signal.aborted) {
        vit.close();
        throw signal.reason;
      }
      this.close();
      this.#vit = vit;
      this.#model = { choice, dtype, config: vit.config, backend: vit.backend };
    } finally {
      if (!signal.aborted) this.#loading = false;
    }
  }

  /** Gives up the load under way. */
  cancel() {
    this.#load.abort(new Overtaken());
    this.#loading = false;
  }

  /** Gives up the model in use, and so ends its worker and threads. */
  close() {
    this.#job.abort(new Overtaken());
    this.#vit?.close();
    this.#vit = this.#model = undefined;
  }

  /** Whatever it has or awaits. */
  end() {
    this.cancel();
    this.close();
  }

  /**
   * @param {ImageSource} image
   * @param {number} topK
   * @param {import('../../pkg/index.js').RecordOptions} record
   * @returns {Promise<Trace>}
   */
  async trace(image, topK, record) {
    this.#job.abort(new Overtaken());
    this.#job = new AbortController();
    const vit = this.#vit;
    if (!vit) throw new Overtaken(); // it will be asked for again once there is a model
    return vit.trace(image, { ...record, topK: Math.max(1, Math.min(topK, vit.config.numClasses)), signal: this.#job.signal });
  }
}

/** Not a failure: something newer was asked for. */
export class Overtaken extends Error {}
