/**
 * When the parts of files may be asked for: one after the other, the most urgent first, and where Python says so no faster than a server lets pass, which
 * counts over three seconds what it forwards, and drops the rest; so is it counted here, as it arrives.
 */

export const PART = 500_000; // bytes
const WINDOW = 3000; // ms

export class Pace {
  #busy = false;
  /** @type {{rank: number, start: () => void}[]} */
  #queue = [];
  /** @type {{at: number, bytes: number}[]} */
  #came = [];

  /**
   * Does some work when its turn has come.
   * @template T
   * @param {number} rank the lowest is first
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async turn(rank, work) {
    if (this.#busy) await new Promise((resolve) => this.#queue.push({ rank, start: () => resolve(undefined) }));
    this.#busy = true;
    try {
      return await work();
    } finally {
      queueMicrotask(() => queueMicrotask(() => this.#next())); // by then whoever had this turn has asked for another
    }
  }

  #next() {
    const [first] = this.#queue.sort((a, b) => a.rank - b.rank).splice(0, 1);
    if (first) first.start();
    else this.#busy = false;
  }

  /** @param {number} bytes that have arrived */
  count(bytes) {
    this.#came.push({ at: performance.now(), bytes });
  }

  /**
   * Until a part more may come.
   * @param {number | null | undefined} rate bytes a second; none: at once
   */
  async room(rate) {
    for (;;) {
      const now = performance.now();
      this.#came = this.#came.filter(({ at }) => at > now - WINDOW);
      const sum = this.#came.reduce((sum, { bytes }) => sum + bytes, 0);
      if (!rate || !this.#came.length || sum + PART <= (rate * WINDOW) / 1000) return;
      await new Promise((resolve) => setTimeout(resolve, this.#came[0].at + WINDOW - now + 1));
    }
  }
}
