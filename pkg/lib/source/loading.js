import { VitscopeError } from '../common/errors.js';

/**
 * @typedef {import('../../index.js').Progress} Progress
 * @typedef {Omit<Progress, 'progress'>} Step  of one phase
 */

// Nobody can tell a server that stalls from one that is slow; but who sends nothing at all for so long won't.
const PATIENCE = 60;

/** Of the way, in percent, what each phase is. Shares of its own, so that no phase's size, which may come late, moves what another has done. */
const SHARES = { wasm: 4, config: 1, weights: 90, prepare: 5 };

// Of what has no length the half is there when this has come, and never all.
const HALF = 50e6;

/** One load, which ends early by the caller's signal, by what the caller's callback throws, or because nothing moves any more. */
export class Loading {
  #controller = new AbortController();
  #caller;
  #onProgress;
  #said = '';
  #watched = 0;
  #quiet = 0;
  /** Of each phase what has come, and which part of it that is. */
  #came = { wasm: 0, config: 0, weights: 0, prepare: 0 };
  #parts = { wasm: 0, config: 0, weights: 0, prepare: 0 };
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
  report = (/** @type {Step} */ step) => {
    this.#quiet = 0;
    if (this.signal.aborted) return;
    const progress = this.#add(step);
    const said = `${Object.values(progress)}`;
    if (said === this.#said) return; // something arrived of which nothing is wanted
    this.#said = said;
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
    return 'access' in source ? this.watch(arrival) : arrival;
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

  /**
   * Nothing goes back, whatever is read anew or turns out longer than it was said to be.
   * @param {Step} step
   * @returns {Progress}
   */
  #add({ phase, loaded: now, total: said }) {
    const parts = this.#parts;
    const loaded = (this.#came[phase] = Math.max(this.#came[phase], now));
    const total = loaded > said ? 0 : said;
    parts[phase] = Math.max(parts[phase], total ? loaded / total : loaded / (loaded + HALF));
    if (parts.prepare === 1) Object.assign(parts, { wasm: 1, config: 1, weights: 1 }); // one that was there already has nothing to say
    const sum = SHARES.wasm * parts.wasm + SHARES.config * parts.config + SHARES.weights * parts.weights + SHARES.prepare * parts.prepare;
    return { phase, loaded, total, progress: sum / 100 };
  }

  #abort = () => void this.stop(this.#caller?.reason);

  #tick() {
    this.#quiet = this.#watched ? this.#quiet + 1 : 0;
    if (this.#quiet > PATIENCE) this.stop(new VitscopeError('network', `Nothing has arrived for ${PATIENCE} seconds: the server or the connection has stalled. Try again.`));
  }
}
