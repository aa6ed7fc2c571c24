import { VitscopeError } from '../common/errors.js';

/**
 * @typedef {import('../../index.js').Progress} Progress
 */

// Nobody can tell a server that stalls from one that is slow; but who sends nothing at all for so long won't.
const PATIENCE = 60;

/** One load, which ends early by the caller's signal, by what the caller's callback throws, or because nothing moves any more. */
export class Loading {
  #controller = new AbortController();
  #caller;
  #onProgress;
  #watched = 0;
  #quiet = 0;
  // Counted rather than timed: a machine that slept has missed nothing.
  #clock = setInterval(() => this.#tick(), 1000);

  /**
   * @param {AbortSignal | undefined} caller
   * @param {((progress: Progress) => void) | undefined} onProgress
   */
  constructor(caller, onProgress) {
    this.#caller = caller;
    this.#onProgress = onProgress;
    caller?.addEventListener('abort', this.#abort);
  }

  get signal() {
    return this.#controller.signal;
  }

  /** Tells the caller, whose errors are the caller's own. What still comes of a load that has ended is nobody's progress. */
  report = (/** @type {Progress} */ progress) => {
    this.#quiet = 0;
    if (this.signal.aborted) return;
    try {
      this.#onProgress?.(progress);
    } catch (error) {
      this.stop(error);
    }
  };

  /**
   * Loses patience with what has to arrive.
   * @template T
   * @param {Promise<T>} arrival
   */
  watch(arrival) {
    const arrived = () => void this.#watched--;
    this.#watched++;
    arrival.then(arrived, arrived);
    return arrival;
  }

  /**
   * The same for files that come over the network: a disk may be silent for longer.
   * @template T
   * @param {import('./source.js').Source} source
   * @param {Promise<T>} arrival
   */
  watchDownloads(source, arrival) {
    return 'folder' in source ? this.watch(arrival) : arrival;
  }

  /**
   * What comes of `work`, or the reason to stop.
   * @template T
   * @param {Promise<T>} work
   * @returns {Promise<T>}
   */
  orStop(work) {
    return new Promise((resolve, reject) => {
      const stopped = () => reject(this.signal.reason);
      if (this.signal.aborted) stopped();
      this.signal.addEventListener('abort', stopped);
      work.then(resolve, reject);
    });
  }

  /**
   * @param {unknown} reason
   * @returns {unknown} the first there was
   */
  stop(reason) {
    this.#controller.abort(reason);
    return this.signal.reason;
  }

  end() {
    clearInterval(this.#clock);
    this.#caller?.removeEventListener('abort', this.#abort);
  }

  #abort = () => void this.stop(this.#caller?.reason);

  #tick() {
    this.#quiet = this.#watched ? this.#quiet + 1 : 0;
    if (this.#quiet > PATIENCE) this.stop(new VitscopeError('network', `Nothing has arrived for ${PATIENCE} seconds: the server or the connection has stalled. Try again.`));
  }
}
