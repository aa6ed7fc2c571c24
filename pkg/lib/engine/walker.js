import { closed, fromEngine, guard, isFatal } from '../common/errors.js';
import { release } from '../source/buffers.js';
import { nameClasses, readNames, willName } from './class_names.js';
import { Core, PARSED, reserve } from './core.js';

/**
 * @typedef {import('./wasm.js').Instance} Instance
 * @typedef {import('../../wasm/relaxed/vitscope.js').Walk} Walk
 * @typedef {import('../source/walk.js').Kept} Kept
 * @typedef {{dtype?: 'f32' | 'int8', size?: [number, number]}} Form  size: height and width of the input
 */

/** The engine that takes a model in parts: a `Leader` of source/walk.js. */
export class Walker {
  #instance;
  #form;
  /** @type {Walk | undefined} */
  #walk;
  #closed = false;
  /** @type {ReturnType<typeof readNames> | undefined} */
  #names;

  /**
   * @param {Instance | Promise<Instance>} instance
   * @param {Form} form
   */
  constructor(instance, form) {
    this.#instance = instance;
    this.#form = form;
  }

  /** @param {string} config */
  check(config) {
    return this.#call(({ Walk }) => Walk.check(config), config);
  }

  /**
   * @param {string} index
   * @param {string} config
   */
  files(index, config) {
    return this.#call(({ Walk }) => Walk.files(index, config), index, config);
  }

  /** @param {import('../source/walk.js').Headers} files */
  open({ texts, names, headers, sizes }) {
    const { dtype, size } = this.#form;
    return this.#call(({ Walk, names: address }) => {
      const walk = (this.#walk = new Walk(texts, names, headers, sizes, dtype, size && Uint32Array.from(size)));
      const tensors = walk.tensors();
      if (willName(texts[0], tensors)) this.#names = readNames(address);
      return { tensors, compares: walk.compares, quantises: walk.quantises, format: walk.format };
    }, ...texts);
  }

  /**
   * @param {number} block
   * @param {Uint8Array[]} pieces
   * @param {boolean} keeps
   */
  async block(block, pieces, keeps) {
    const { kept, keep } = keeping(keeps);
    await this.#call(() => /** @type {Walk} */ (this.#walk).block(block, pieces, keep));
    pieces.forEach(release);
    return { kept };
  }

  /**
   * @param {Uint8Array[]} pieces
   * @param {Uint8Array | undefined} text
   * @param {boolean} keeps
   */
  async finish(pieces, text, keeps) {
    const { kept, keep } = keeping(keeps);
    const wasm = await this.#call(() => {
      const walk = /** @type {Walk} */ (this.#walk);
      this.#walk = undefined; // it becomes the model
      return walk.finish(pieces, text, keep);
    });
    pieces.forEach(release);
    const instance = await this.#instance;
    try {
      const warning = await nameClasses(wasm, instance.names, this.#names);
      return { kept, loaded: new Core(wasm, instance, warning) };
    } catch (error) {
      wasm.free();
      throw fromEngine(error, instance.memory);
    }
  }

  /** Nothing comes any more. */
  close() {
    this.#closed = true;
    this.#walk?.free();
    this.#walk = undefined;
  }

  /**
   * @template T
   * @param {(instance: Instance) => T} work
   * @param {(string | undefined)[]} texts  that are handed over
   */
  async #call(work, ...texts) {
    const instance = await this.#instance;
    if (this.#closed) throw closed();
    try {
      return guard(() => {
        reserve(instance, PARSED * texts.reduce((sum, text) => sum + (text?.length ?? 0), 0));
        return work(instance);
      }, instance.memory);
    } catch (error) {
      if (isFatal(error)) this.#walk = undefined; // its memory may be inconsistent
      throw error;
    }
  }
}

/**
 * What takes the portable form, where that is wanted.
 * @param {boolean} keeps
 */
function keeping(keeps) {
  /** @type {Kept[]} */
  const kept = [];
  /** @type {import('../../wasm/relaxed/vitscope.js').WalkKeep} */
  const keep = (name, dtype, shape, bytes) => void kept.push({ name, dtype, shape: [...shape], bytes: bytes.slice() });
  return { kept, keep: keeps ? keep : undefined };
}
