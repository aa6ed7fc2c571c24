import { VitscopeError, invalid } from '../common/errors.js';
import { lengthOf, requireOk } from './site.js';

/**
 * @typedef {{read: () => Promise<{done: boolean, value?: Uint8Array}>, cancel: () => Promise<void>}} Reader
 */

/** Bytes in the order in which they come. */
export class Stream {
  /** How many were read. */
  at = 0;
  ended = false;
  /** @type {Uint8Array} */
  #chunk = new Uint8Array();
  #reader;
  #name;
  /** Whether it says itself what is wrong. */
  #steady;

  /**
   * @param {ReadableStream<Uint8Array> | Reader} stream
   * @param {string} name for messages
   * @param {number} [size] of all, where known
   */
  constructor(stream, name, size) {
    if ('locked' in stream && stream.locked) throw invalid(`The stream of ${name} is being read already. A stream or an answer can be read once; take a new one for each load.`);
    this.#steady = !('getReader' in stream);
    this.#reader = /** @type {Reader} */ ('getReader' in stream ? stream.getReader() : stream);
    this.#name = name;
    this.size = size;
  }

  /**
   * @param {Response} response
   * @param {string} name
   */
  static of(response, name) {
    requireOk(response, name);
    return new Stream(response.body ?? new Blob([]).stream(), name, lengthOf(response) || undefined);
  }

  /**
   * The next bytes, or as many as there are.
   * @param {number} count
   * @param {(n: number) => void} [onBytes]
   */
  async next(count, onBytes = () => {}) {
    const target = new Uint8Array(count);
    let filled = 0;
    while (filled < count && (await this.#more())) {
      const part = this.#use(count - filled);
      target.set(part, filled);
      filled += part.length;
      onBytes(part.length);
    }
    return filled < count ? target.slice(0, filled) : target;
  }

  /** @param {number} count */
  async skip(count) {
    const target = this.at + count;
    while (this.at < target && (await this.#more())) this.#use(target - this.at);
  }

  /** Nobody waits for the rest. */
  cancel() {
    this.#reader.cancel().catch(() => {});
  }

  /** @param {unknown} [cause] */
  brokeOff(cause) {
    const part = this.size ? `${this.at} of ${this.size} bytes` : `${this.at} bytes`;
    return new VitscopeError('network', `The download of ${this.#name} broke off after ${part}. Try again.`, { cause });
  }

  /** @param {number} most */
  #use(most) {
    const part = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(part.length);
    this.at += part.length;
    return part;
  }

  /** Whether there are more. */
  async #more() {
    while (!this.#chunk.length && !this.ended) {
      const { done, value } = await this.#reader.read().catch((cause) => {
        throw this.#steady ? cause : this.brokeOff(cause);
      });
      this.ended = done;
      if (value && !(value instanceof Uint8Array)) throw invalid(`The stream of ${this.#name} should give Uint8Arrays.`);
      this.#chunk = value ?? this.#chunk;
    }
    return !this.ended;
  }
}
