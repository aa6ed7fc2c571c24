import { Vitscope } from '../../pkg/dist/index.js';

/**
 * @typedef {import('./models.js').ModelChoice} ModelChoice
 * @typedef {import('../../pkg/index.js').Progress} Progress
 * @typedef {import('../../pkg/index.js').Trace} Trace
 * @typedef {import('../../pkg/index.js').ImageSource} ImageSource
 * @typedef {(signal: AbortSignal) => Promise<import('../../pkg/index.js').AssetOptions>} Assets
 * @typedef {{choice: ModelChoice, dtype: 'f32' | 'int8' | undefined, config: import('../../pkg/index.js').ModelConfig, backend: import('../../pkg/index.js').Backend}} LoadedModel
 */

/** The model in use, with its own classes or with others. The newest wish wins: an older load or job that it overtakes is aborted. */
export class Session {
  /** As it was loaded. @type {Vitscope | undefined} */
  #base;
  /** The same with other classes. @type {Vitscope | undefined} */
  #derived;
  /** @type {(base: Vitscope, name: string) => Promise<Vitscope | undefined>} */
  #prepare = async () => undefined;
  /** @type {LoadedModel | undefined} */
  #model;
  #load = new AbortController();
  #loading = false;
  #job = new AbortController();
  #assets;
  /** That was asked for last. @type {[height: number, width: number] | undefined} */
  #size;

  /** @param {Assets} [assets] where the engine's files are, unless beside the package */
  constructor(assets) {
    this.#assets = assets;
  }

  get model() {
    return this.#model;
  }

  /** What answers. */
  get vit() {
    return this.#derived ?? this.#base;
  }

  /** The model with its own classes. */
  get base() {
    return this.#base;
  }

  /** Other classes for a model that has been loaded, before it is asked anything. @param {(base: Vitscope, name: string) => Promise<Vitscope | undefined>} prepare */
  prepareBy(prepare) {
    this.#prepare = prepare;
  }

  /**
   * Other classes, or again those of the model.
   * @param {Vitscope} base the model that they are for
   * @param {Vitscope | undefined} derived an instance of it, this one's from now on
   * @returns {Promise<boolean>} whether it is still in use
   */
  async answerBy(base, derived) {
    const [next, size] = [derived ?? base, this.vit?.config.imageSize];
    if (size && String(size) !== String(next.config.imageSize)) await next.resize(size); // as what answers now
    if (this.#base !== base) derived?.close();
    if (this.#base !== base) return false;
    this.#job.abort(new Overtaken());
    this.#derived?.close();
    this.#derived = derived;
    this.#size = undefined;
    return true;
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
      const derived = signal.aborted ? undefined : await this.#prepare(vit, choice.name);
      if (signal.aborted) {
        derived?.close();
        vit.close();
        throw signal.reason;
      }
      this.close();
      this.#base = vit;
      this.#derived = derived;
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
    this.#derived?.close();
    this.#base?.close();
    this.#derived = this.#base = this.#model = this.#size = undefined;
  }

  /** Whatever it has or awaits. */
  end() {
    this.cancel();
    this.close();
  }

  /**
   * Images of another size from now on, if it is another. What is asked for now is given up.
   * @param {[height: number, width: number]} imageSize
   */
  async resize(imageSize) {
    const { vit } = this;
    if (!vit || String(this.#size ?? vit.config.imageSize) === String(imageSize)) return;
    this.#job.abort(new Overtaken());
    this.#job = new AbortController();
    this.#size = imageSize;
    try {
      await vit.resize(imageSize, { signal: this.#job.signal });
    } catch (error) {
      this.#size = [0, 0]; // whichever it is now: it will be asked for
      throw error;
    }
  }

  /**
   * @param {ImageSource} image
   * @param {number} topK
   * @param {(config: import('../../pkg/index.js').ModelConfig) => import('../../pkg/index.js').RecordOptions} record of the model at its present size
   * @returns {Promise<Trace>}
   */
  async trace(image, topK, record) {
    this.#job.abort(new Overtaken());
    this.#job = new AbortController();
    const { vit } = this;
    if (!vit) throw new Overtaken(); // it will be asked for again once there is a model
    const trace = await vit.trace(image, { ...record(vit.config), topK: Math.max(1, Math.min(topK, vit.config.numClasses)), signal: this.#job.signal });
    if (vit !== this.vit) throw new Overtaken(); // its classes are not the present ones
    return trace;
  }
}

/** Not a failure: something newer was asked for. */
export class Overtaken extends Error {}
