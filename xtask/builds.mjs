// The engine's builds, each made when a browser first asks for it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const NAMES = ['relaxed-threads', 'relaxed', 'simd128-threads', 'simd128'];

export class Builds {
  #folder;
  #make;
  /** @type {Map<string, Promise<unknown>>} */
  #underWay = new Map();
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {string} folder where they are: `pkg/wasm`
   * @param {(name: string) => Promise<unknown>} make puts one there; called for one after the other
   */
  constructor(folder, make) {
    this.#folder = folder;
    this.#make = make;
  }

  get complete() {
    return NAMES.every((name) => this.has(name));
  }

  /** @param {string} name */
  has(name) {
    return existsSync(join(this.#folder, name, 'vitscope_bg.wasm'));
  }

  /**
   * Waits until a build is there; rejects where it can't be made. Next time it is tried anew.
   * @param {string} name
   * @returns {Promise<unknown> | undefined} none: it is there, or there is no such build
   */
  provide(name) {
    if (!NAMES.includes(name) || this.has(name)) return undefined;
    return this.#underWay.get(name) ?? this.#start(name);
  }

  /** @param {string} name */
  #start(name) {
    const made = this.#last.then(() => this.#make(name)).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, made);
    this.#last = made.catch(() => {});
    return made;
  }
}
