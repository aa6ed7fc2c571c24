/** What the outputs of one page share, of whichever widgets and kernels: files by their SHA-256, and what was made of them, as long as somebody uses it. */
import { Pace } from './pace.js';
import { Pull } from './transport.js';

/** @typedef {import('./transport.js').Wire} Wire */
/** @typedef {{name: string, size: number}} FileName  name: its SHA-256 */

const KEPT = 10_000; // ms after the last user has gone: a cell that is run again asks for the same

export class Page {
  /** @type {Map<string, Thing>} */
  #things = new Map();
  /** @type {WeakMap<object, Pace>} */
  #paces = new WeakMap();

  /** Of its kernel's connection. @param {import('./transport.js').Model} model */
  paceOf({ widget_manager: manager = this }) {
    const pace = this.#paces.get(manager) ?? new Pace();
    this.#paces.set(manager, pace);
    return pace;
  }

  /** A user of what there is, until `leave()`. @param {Wire} wire by which files may come */
  hold(wire) {
    return new Holder(this.#things, wire);
  }

  /** What there is now. */
  get names() {
    return [...this.#things.keys()];
  }
}

/** A file, or what was made of one. */
class Thing {
  /** @type {Set<Holder>} */
  users = new Set();
  /** @type {Promise<any> | undefined} */
  value;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
  /** @type {Set<(loaded: number) => void>} */
  listeners = new Set();
  /** Where it is a file. @type {Pull | undefined} */
  pull;
  /** None: it is never let go. @type {((made: any) => void) | undefined} */
  free;

  /** @param {() => Promise<any>} make */
  make(make) {
    this.value ??= make().catch((error) => {
      this.value = undefined; // who asks next tries anew
      throw error;
    });
    return this.value;
  }
}

export class Holder {
  #things;
  #left = false;

  /**
   * @param {Map<string, Thing>} things
   * @param {Wire} wire
   */
  constructor(things, wire) {
    this.#things = things;
    this.wire = wire;
  }

  /**
   * A file of the kernel's, which comes once.
   * @param {FileName} file
   * @param {{rank?: number, onProgress?: (loaded: number) => void}} [options]
   * @returns {Promise<Blob>}
   */
  async file({ name, size }, { rank, onProgress = () => {} } = {}) {
    const thing = this.#use(name);
    const pull = (thing.pull ??= new Pull(name, size));
    thing.free = () => {};
    const wires = () => [...thing.users].map(({ wire }) => wire);
    thing.listeners.add(onProgress);
    try {
      const blob = await thing.make(() => pull.run(wires, { rank, onProgress: (loaded) => thing.listeners.forEach((listener) => listener(loaded)) }));
      onProgress(size);
      return blob;
    } finally {
      thing.listeners.delete(onProgress);
    }
  }

  /**
   * What is made once, and where nothing frees it is there for good.
   * @template T
   * @param {string} key
   * @param {() => Promise<T>} make
   * @param {(made: T) => void} [free]
   * @returns {Promise<T>}
   */
  share(key, make, free) {
    const thing = this.#use(key);
    thing.free = free;
    return thing.make(make);
  }

  /** Uses nothing any more. */
  leave() {
    this.#left = true;
    for (const [key, thing] of this.#things) {
      if (!thing.users.delete(this) || thing.users.size || !thing.free) continue;
      thing.timer = setTimeout(() => {
        this.#things.delete(key);
        thing.value?.then(thing.free, () => {});
      }, KEPT);
    }
  }

  /** @param {string} key */
  #use(key) {
    if (this.#left) throw new Error('This output was closed.');
    const thing = this.#things.get(key) ?? new Thing();
    this.#things.set(key, thing);
    clearTimeout(thing.timer);
    thing.users.add(this);
    return thing;
  }
}

/** @returns {Page} */
export function thisPage() {
  const place = /** @type {any} */ (globalThis);
  return (place[Symbol.for('vitscope')] ??= new Page());
}
