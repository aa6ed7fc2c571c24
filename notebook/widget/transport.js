/** Files from the kernel, by messages: in parts, each here before the next is asked for. */
import { Sha256 } from '../../pkg/lib/files/sha256.js';
import { PART } from './pace.js';

/**
 * What is used of anywidget's model.
 * @typedef {{
 *   get: (name: string) => any, set: (name: string, value: unknown) => void, save_changes: () => void,
 *   send: (content: any, callbacks?: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[]) => void,
 *   on: (event: string, listener: (...all: any[]) => void) => void, off: (event: string, listener: (...all: any[]) => void) => void, widget_manager?: object,
 * }} Model
 * @typedef {{id: string, method: string, model: number, options: any}} Question
 */

/** ms until what has not been answered is asked for again: a message may have been dropped. */
const PATIENCE = [5000, 10_000, 20_000, 40_000, 80_000];

const SILENT = 'The kernel has not answered for over two minutes: it is busy, or not running. This goes on when it answers; if it was restarted, run the cell again.';
const ENDED = 'The kernel that had this widget is gone. Run the cell again.';

/** The end of a front-end model that is in the page. */
export class Wire {
  #model;
  #pace;
  #patience;
  /** Who waits for what. @type {Map<string, {resolve: (buffer: DataView | undefined) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  #closed = false;
  /** Why what was asked before is in vain, each time that it was. @type {string[]} */
  #losses = [];
  /** Told when the kernel is late, and when it is heard again. @type {Set<(late: boolean) => void>} */
  listeners = new Set();
  /** @type {(question: Question) => void} */
  onQuestion = () => {};

  /**
   * @param {Model} model
   * @param {import('./pace.js').Pace} pace
   * @param {number[]} [patience]
   */
  constructor(model, pace, patience = PATIENCE) {
    this.#model = model;
    this.#pace = pace;
    this.#patience = patience;
    model.on('msg:custom', this.#hear);
  }

  /** Nothing is heard any more, and whoever waits hears that. */
  close() {
    this.#closed = true;
    this.#model.off('msg:custom', this.#hear);
    this.give(ENDED);
  }

  /** Whoever waits waits in vain. @param {string} sentence */
  give(sentence) {
    this.#losses.push(sentence);
    for (const { reject } of this.#waiting.values()) reject(new Error(sentence));
    this.#waiting.clear();
  }

  #hear = (/** @type {any} */ content, /** @type {DataView[]} */ buffers = []) => {
    this.#tell(false);
    const { kind, name, begin, id, text } = content ?? {};
    if (kind === 'ask') return this.onQuestion(content);
    if (kind === 'part') {
      this.#pace.count(buffers[0]?.byteLength ?? 0);
      this.#settle(`${name} ${begin}`)?.resolve(buffers[0]);
    }
    if (kind === 'taken') this.#settle(`${id} ${begin}`)?.resolve(undefined);
    if (kind === 'gone') for (const key of [...this.#waiting.keys()]) if (key.startsWith(`${name} `)) this.#settle(key)?.reject(new Error(text));
  };

  /** Once: what comes twice or late is of no use and no harm. @param {string} key */
  #settle(key) {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    return waiting;
  }

  /** @param {boolean} late */
  #tell(late) {
    for (const listener of this.listeners) listener(late);
  }

  /**
   * A part of a file.
   * @param {string} name its SHA-256
   * @param {number} begin
   * @param {number} rank of how urgent it is, the lowest first
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  part(name, begin, rank) {
    const { length } = this.#losses;
    return this.#pace.turn(rank, async () => {
      await this.#pace.room(this.#model.get('_rate'));
      if (this.#losses.length > length) throw new Error(this.#losses[length]);
      const view = await this.exchange(`${name} ${begin}`, { kind: 'get', name, begin });
      return new Uint8Array(/** @type {ArrayBuffer} */ (view?.buffer ?? new ArrayBuffer(0)), view?.byteOffset, view?.byteLength);
    });
  }

  /** @param {object} message that expects no answer: of a kernel that is gone, nobody hears it */
  tell(message) {
    try {
      this.#model.send(message);
    } catch {}
  }

  /**
   * Sends it until it is answered.
   * @param {string} key by which its answer is known
   * @param {object} message
   * @param {ArrayBufferView[]} [buffers]
   * @returns {Promise<DataView | undefined>}
   */
  async exchange(key, message, buffers) {
    if (this.#closed) throw new Error(ENDED);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(key, { resolve, reject });
        const send = (/** @type {number} */ turn) => {
          if (turn) this.#tell(true);
          if (turn === this.#patience.length) return reject(Object.assign(new Error(SILENT), { code: 'silent' }));
          try {
            this.#model.send(message, undefined, buffers);
          } catch (cause) {
            return reject(new Error(ENDED, { cause })); // front ends refuse to send to a kernel that was restarted
          }
          timer = setTimeout(send, this.#patience[turn], turn + 1);
        };
        send(0);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(key);
    }
  }
}

/** A file on its way. What breaks off goes on later from where it was. */
export class Pull {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  #parts = [];
  #sum = new Sha256();
  loaded = 0;

  /**
   * @param {string} name its SHA-256
   * @param {number} size
   */
  constructor(name, size) {
    this.name = name;
    this.size = size;
  }

  /**
   * @param {() => Pick<Wire, 'part'>[]} wires by any of which it may come
   * @param {{rank?: number, onProgress?: (loaded: number) => void}} [options]
   * @returns {Promise<Blob>}
   */
  async run(wires, { rank = 0, onProgress = () => {} } = {}) {
    const failed = new Set();
    /** @type {unknown} */
    let failure = new Error('Nobody wants it any more.');
    while (this.loaded < this.size) {
      const wire = wires().find((wire) => !failed.has(wire));
      if (!wire) throw failure;
      try {
        this.#take(await wire.part(this.name, this.loaded, rank));
        onProgress(this.loaded);
      } catch (error) {
        failure = error;
        failed.add(wire);
      }
    }
    const parts = this.#parts;
    const found = this.#sum.digest();
    this.#restart();
    if (found !== this.name) throw new Error(`A file came damaged from the kernel: its SHA-256 is ${found}, not ${this.name}. Run the cell again.`);
    return new Blob(parts);
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  #take(bytes) {
    if (!bytes.length || this.loaded + bytes.length > this.size) throw new Error(`The kernel sent ${this.loaded + bytes.length} of ${this.size} bytes of a file. Run the cell again.`);
    this.#sum.update(bytes);
    this.#parts.push(bytes);
    this.loaded += bytes.length;
  }

  #restart() {
    this.#parts = [];
    this.#sum = new Sha256();
    this.loaded = 0;
  }
}
