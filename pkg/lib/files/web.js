/** A file of weights on the web: by ranges where the server has them, else out of the whole as it passes. */
import { VitscopeError } from '../common/errors.js';
import { gapOf, merged } from './ranges.js';
import { Sha256, requireSum } from './sha256.js';
import { TRIES, ask, backoff, htmlInstead, isEncoded, isHtml, lengthOf, pause, validator } from './site.js';
import { Stream } from './stream.js';
import { headerLength, joined } from './weights.js';

/**
 * @typedef {import('./weights.js').Reading} Reading
 * @typedef {import('./weights.js').WeightFile} WeightFile
 * @typedef {object} Known
 * @property {boolean} [pinned] what the address means never changes
 * @property {number} [size]
 * @property {string} [sha256] in hexadecimal digits, which is checked where the whole file is read
 * @property {boolean} [alone] nothing else waits for a connection
 * @property {Promise<boolean>} [onward] whether what follows on the header is wanted, as far as can be told
 * @property {boolean} [must] it must be checked, so the whole file is read
 * @typedef {{reader: {read: () => Promise<{value?: Uint8Array}>, cancel: () => Promise<void>}, at: number, end: number, left?: Uint8Array}} Body  an answer, how far it has been read, and how far it goes
 */

/** @implements {WeightFile} */
export class WebFile {
  #site;
  #url;
  #known;
  /** Where the last answer came from: the Hub leads to an address of its CDN, which holds for a while. */
  #target;
  /** Until a server has answered a range by the whole. */
  #ranged;
  /** @type {Body | undefined} */
  #body;
  /** Whether any of it has come. */
  arrived = false;
  /** Hears that something has, wanted or not. */
  #onArrival = () => {};
  #header = new Uint8Array();
  /** Whether the header is asked for with all behind it, which comes while the engine still starts. */
  #onward = false;
  /** @type {Sha256 | undefined} */
  #sum;
  /** What says whether it is still the same file. @type {string | undefined} */
  validator;

  /**
   * @param {string} name
   * @param {import('./site.js').Site} site
   * @param {string} url
   * @param {Known} known
   */
  constructor(name, site, url, known) {
    this.name = name;
    this.#site = site;
    this.#url = this.#target = url;
    this.#known = known;
    this.#ranged = /^https?:/.test(url); // an extension's files come in parts that don't say so
    this.#sum = known.sha256 ? new Sha256() : undefined;
  }

  /** Whether another answer is known to fit to what has arrived. */
  get #resumes() {
    return this.#known.pinned || this.validator !== undefined;
  }

  /** @param {Reading} reading */
  async header({ signal }) {
    const bytes = (/** @type {number} */ begin, /** @type {number} */ end) => this.#stream(begin, end, signal).next(end - begin);
    let first = await bytes(0, 8);
    if (this.#ranged && !this.#resumes) {
      // Parts of two versions must never mix, and where nothing would tell, there is one answer for all.
      this.#ranged = false;
      this.#close();
      first = await bytes(0, 8);
    }
    if (isHtml(undefined, first)) throw htmlInstead(this.#url);
    this.#onward = Boolean(this.#known.alone && (await this.#known.onward));
    const rest = await bytes(first.length, headerLength(first));
    const header = joined(first, rest);
    this.#sum?.update(header);
    this.#header = header;
    this.#known.size ??= rest.length ? header.length + lastOffset(rest) : undefined;
    if (!this.#known.alone) this.#close(); // of several files there may be more than a browser has connections for
    return { bytes: header, size: this.#known.size };
  }

  /**
   * @param {import('./weights.js').Range[]} ranges
   * @param {import('./weights.js').Take} take
   * @param {Reading} reading
   */
  async read(ranges, take, { signal, onBytes }) {
    this.#onArrival = () => onBytes(0);
    const start = this.#header.length;
    if (!this.#body && !this.#resumes) {
      // An answer that has the same header has all that goes with it.
      const again = await this.#stream(0, start, signal).next(start);
      if (this.#header.some((byte, i) => byte !== again[i])) throw this.#changed();
    }
    const gap = gapOf(ranges);
    const whole = { begin: start, end: this.#known.size ?? 0 };
    const ends = [{ begin: whole.begin, end: whole.begin }, { begin: whole.end, end: whole.end }];
    // Whether all of it passes anyway.
    const passes = merged([ends[0], ...ranges, ends[1]], gap).length === 1 || (!this.#ranged && whole.end - (ranges.at(-1)?.end ?? 0) <= gap);
    const sum = this.#known.must || passes ? this.#sum : undefined;
    let i = 0;
    for (const { begin, end } of sum ? [whole] : merged(ranges, gap)) {
      // (Without ranges there is but one answer, which is read on.)
      if (this.#ranged && this.#body && begin - this.#body.at > gap) this.#close();
      const stream = this.#stream(begin, end, signal, sum);
      for (; ranges[i]?.end <= end; i++) {
        await stream.skip(ranges[i].begin - begin - stream.at);
        const bytes = await stream.next(ranges[i].end - ranges[i].begin, onBytes);
        signal?.throwIfAborted();
        if (bytes.length < ranges[i].end - ranges[i].begin) throw stream.brokeOff();
        await take(i, bytes);
      }
      if (sum) await stream.skip(end - begin - stream.at);
    }
    if (sum) requireSum(this.#url, sum, this.#known.sha256 ?? '');
    this.#sum = undefined; // of a second reading there is none
    this.#close();
  }

  /** Nobody reads on. */
  #close() {
    this.#body?.reader.cancel().catch(() => {});
    this.#body = undefined;
  }

  /**
   * All bytes from `begin` to `end`, or to the file's end, whatever breaks on the way.
   * @param {number} begin
   * @param {number} end
   * @param {AbortSignal | undefined} signal
   * @param {Sha256} [sum]
   */
  #stream(begin, end, signal, sum) {
    let tries = 1;
    const read = async () => {
      while (begin < end) {
        try {
          const value = await this.#next(begin, end, signal);
          if (!value) break;
          sum?.update(value);
          begin += value.length;
          tries = 1;
          return { done: false, value };
        } catch (error) {
          this.#body = undefined;
          signal?.throwIfAborted();
          // What never answered won't, nor what said no.
          if (error instanceof VitscopeError && (!this.arrived || error.code !== 'network' || /** @type {any} */ (error.cause)?.status)) throw error;
          if (tries > TRIES || (begin && !this.#resumes)) throw new VitscopeError('network', `The download of ${this.#url} broke off after ${begin} of ${this.#known.size ?? end} bytes. Try again.`, { cause: error });
          await pause(backoff(tries++), signal);
        }
      }
      return { done: true };
    };
    return new Stream({ read, cancel: async () => {} }, this.#url, this.#known.size);
  }

  /**
   * What comes next, from `begin` on.
   * @param {number} begin
   * @param {number} end
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Uint8Array | undefined>} not empty; nothing where the file has ended
   */
  async #next(begin, end, signal) {
    if (!this.#body || this.#body.at > begin || this.#body.end <= begin) this.#body = await this.#open(begin, end, signal);
    const body = this.#body;
    for (;;) {
      const chunk = body.left ?? (await body.reader.read()).value;
      if (!chunk && body.end === Infinity) this.#known.size ??= body.at;
      if (begin >= /** @type {number} */ (this.#known.size)) return undefined;
      if (!chunk) throw new Error('the server sent less than it announced');
      this.arrived = true;
      this.#onArrival();
      const part = chunk.subarray(Math.max(0, begin - body.at), Math.max(0, end - body.at));
      const used = part.length ? begin - body.at + part.length : chunk.length;
      body.left = used < chunk.length ? chunk.subarray(used) : undefined;
      body.at += used;
      if (part.length) return part;
    }
  }

  /**
   * @param {number} begin
   * @param {number} end
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Body>}
   */
  async #open(begin, end, signal) {
    const on = this.#onward && begin === 8;
    const range = this.#ranged ? `bytes=${begin}-${on ? '' : end - 1}` : undefined;
    const signed = this.#target !== this.#url;
    const options = { range, signal, allowed: (/** @type {number} */ status) => signed || status === 416 };
    let response = await ask(this.#site, this.#target, options).catch((error) => {
      if (!range || this.arrived || error.code !== 'network' || error.cause?.status) throw error;
      this.#ranged = false; // old browsers want leave to ask for a part, and not every server gives it
      return ask(this.#site, this.#target, { signal });
    });
    if (signed && !response.ok) {
      // Such an address holds for a while.
      await response.body?.cancel();
      this.#target = this.#url;
      response = await ask(this.#site, this.#url, { range, signal });
    }
    if (response.status === 416) throw new VitscopeError('invalid-weights', `${this.#url} ends before its byte ${begin}: it is not whole.`);
    if (isHtml(response)) throw htmlInstead(this.#url);
    this.#requireSame(response, begin);
    if (response.redirected && response.url) this.#target = response.url;
    const isPart = response.status === 206;
    const [, from = begin] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
    if (isPart && (Number(from) !== begin || isEncoded(response))) {
      // Not what was asked for.
      await response.body?.cancel();
      this.#ranged = false;
      return this.#open(begin, end, signal);
    }
    this.#ranged &&= isPart;
    return { reader: readerOf(response.body ?? new Blob([]).stream()), at: isPart ? begin : 0, end: isPart && !on ? end : (isPart && this.#known.size) || Infinity };
  }

  /**
   * @param {Response} response
   * @param {number} begin
   */
  #requireSame(response, begin) {
    const { pinned, size } = this.#known;
    const now = validator(response);
    const total = (response.status === 200 && lengthOf(response)) || Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]) || size;
    const other = !pinned && this.arrived && (now !== this.validator || (begin && !now));
    if (other || (size && total !== size)) throw this.#changed();
    this.validator ??= now;
    this.#known.size ??= total;
  }

  #changed() {
    return new VitscopeError('network', `${this.#url} was another file when its first bytes were read. Load the model again.`, { cause: { status: 412 } });
  }
}

/**
 * Reads into one buffer again and again, where the stream can: else each part is garbage until somebody collects it. What it gave is gone when it is asked for more.
 * @param {ReadableStream<Uint8Array>} stream
 */
function readerOf(stream) {
  try {
    const reader = stream.getReader({ mode: 'byob' });
    let buffer = new ArrayBuffer(1 << 18);
    const read = async () => {
      const { value } = await reader.read(new Uint8Array(buffer));
      buffer = value?.buffer ?? buffer;
      return { value: value?.length ? value : undefined };
    };
    return { read, cancel: () => reader.cancel() };
  } catch {
    return stream.getReader();
  }
}

/**
 * Where the last tensor of a header ends.
 * @param {Uint8Array} text
 */
function lastOffset(text) {
  try {
    return Object.values(JSON.parse(new TextDecoder().decode(text))).reduce((last, { data_offsets: [, end] = [0, 0] }) => Math.max(last, end), 0);
  } catch {
    return 0; // the engine says what is wrong with it
  }
}
