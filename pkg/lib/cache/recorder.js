/** Keeps a model while it is loaded: its tensors as they are taken, then what they are. Only what was loaded to its end becomes an entry. */
import { within } from '../common/patience.js';
import { warnOnce } from '../common/warn.js';
import { checksum } from './checksum.js';

/**
 * @typedef {{name: string, dtype: string, shape: number[], bytes: Uint8Array}} Kept  a tensor of the portable form
 */

/** What is written at once, in bytes, and how long that may take, in milliseconds: some browsers have stalled here. */
const STEP = 2 ** 20;
const PATIENCE = 15_000;

/** What is held before any of it is written, in bytes: of a small model nothing is before it runs, so that it takes no time of the load. A large one is kept when it has loaded, also for who leaves at once. */
const HELD = globalThis.process ? 0 : 2 ** 23;

export class Recorder {
  #store;
  #key;
  #model;
  /** Until it is written. @type {Uint8Array[] | undefined} */
  #held = [];
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */
  #controller;
  /** Says that there is room for more. */
  #pull = () => {};
  /** @type {Promise<unknown>} */
  #put = Promise.resolve();
  #length = 0;
  /** Sums of what was written, by where it begins. @type {Record<number, number>} */
  #checks = {};
  #failed = false;
  #dropped = false;
  /** @type {Promise<unknown>} */
  #written = Promise.resolve();
  /** What a safetensors file says of its tensors. @type {Record<string, object>} */
  #header = {};
  /** Text embeddings, behind the tensors. */
  text = /** @type {Uint8Array} */ (new Uint8Array());

  /**
   * @param {import('./store.js').Store} store
   * @param {string} key
   * @param {string} model for messages
   */
  constructor(store, key, model) {
    this.#store = store;
    this.#key = key;
    this.#model = model;
  }

  /** Whether all of it is still to be written. */
  get holds() {
    return Boolean(this.#held);
  }

  /** Writes what is held, and from now on what comes. */
  async #begin() {
    const held = this.#held ?? [];
    this.#held = undefined;
    /** @type {any} */
    let controller;
    const stop = () => {
      this.#failed = true;
      this.#pull();
    };
    const body = new ReadableStream({ start: (own) => void (controller = own), pull: () => this.#pull(), cancel: stop });
    this.#controller = controller;
    this.#put = this.#store.put(this.#key, body).catch(async (error) => {
      if (!this.#dropped) warnOnce(await sentence(this.#model, error));
      stop();
    });
    for (const bytes of held) if (!this.#failed) await this.#step(bytes);
  }

  /**
   * @param {Kept[]} tensors whose bytes stay the caller's, who may give them away
   * @param {{format?: string}} plan format: for the file's metadata
   */
  async keep(tensors, { format }) {
    if (format) this.#header.__metadata__ = { format };
    for (const { name, dtype, shape, bytes } of tensors) {
      this.#header[name] = { dtype, shape, data_offsets: [this.#length, this.#length + bytes.length] };
      await this.#write(bytes);
    }
  }

  /**
   * The model was loaded: from here on it is seen.
   * @param {object} about
   */
  async finish(about) {
    const weights = this.#length;
    if (this.#held) this.#written = this.#written.then(() => this.#begin());
    await this.#write(this.text);
    const manifest = new TextEncoder().encode(JSON.stringify({ ...about, header: JSON.stringify(this.#header), weights, text: this.text.length, checks: this.#checks }));
    const end = this.#length;
    await this.#write(manifest);
    await this.#write(new Uint8Array(Int32Array.of(manifest.length, this.#checks[end]).buffer));
    if (!this.#failed) this.#controller?.close();
    await within(4 * PATIENCE, this.#put);
    return !this.#failed;
  }

  /** It was not, or can't be kept. */
  async drop() {
    this.#failed = this.#dropped = true;
    this.#held = undefined;
    this.#controller?.error(new Error('it is not kept'));
    await within(PATIENCE, this.#put).catch(() => {});
  }

  /** @param {Uint8Array} bytes */
  #write(bytes) {
    const begin = this.#length;
    this.#length += bytes.length;
    return (this.#written = this.#written.then(async () => {
      let sum = 0;
      for (let at = 0; at < bytes.length && !this.#failed; at += STEP) {
        const part = bytes.slice(at, at + STEP);
        sum = checksum(part, sum);
        await this.#step(part);
      }
      this.#checks[begin] = sum;
    }));
  }

  /** @param {Uint8Array} bytes */
  async #step(bytes) {
    if (this.#held) {
      this.#held.push(bytes);
      if (this.#length > HELD) await this.#begin();
      return;
    }
    if (Number(this.#controller?.desiredSize) <= 0) await within(PATIENCE, new Promise((resolve) => (this.#pull = () => resolve(undefined)))).catch(() => this.drop());
    if (!this.#failed) this.#controller?.enqueue(bytes);
  }
}

/**
 * The model runs all the same.
 * @param {string} model
 * @param {any} error
 */
async function sentence(model, error) {
  const { usage, quota } = (error?.name === 'QuotaExceededError' && (await navigator.storage?.estimate?.())) || {};
  const why = quota ? `this site has taken ${megabytes(usage)} of the ${megabytes(quota)} that it may` : error?.message;
  return `vitscope does not keep ${model} for the next time: ${why}. It runs all the same.`;
}

const megabytes = (bytes = 0) => `${Math.round(bytes / 1e6)} MB`;
