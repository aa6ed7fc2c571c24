/** Engines that take turns. */

/** @typedef {import('./worker.js').Setup} Setup */
/**
 * Who has a turn: one engine, asked for one thing.
 * @typedef {{name: string, setup: Setup, type: import('./worker.js').Pass}} Runner
 */

/** Engines of one model, each loaded when its first turn comes. */
export class Garage {
  /** @type {string | undefined} ours */
  simd;
  /** Milliseconds from server to engine. @type {{[engine: string]: number}} */
  loaded = {};
  /** Engines that can't have so many threads. @type {Set<string>} */
  leftOut = new Set();
  /** @type {import('playwright-core').Page | undefined} */
  #page;
  /** @type {{[engine: string]: number}} */
  #ids = {};
  #open;
  #alone;

  /**
   * @param {() => Promise<import('playwright-core').Page>} open a page with its pixels
   * @param {boolean} alone whether each has the page for itself while it has its turn
   */
  constructor(open, alone) {
    this.#open = open;
    this.#alone = alone;
  }

  /**
   * @param {Runner} runner
   * @returns {Promise<{ms: number, logits: number[]} | undefined>} undefined where so many threads can't be had
   */
  async turn({ setup, type }) {
    try {
      const page = (this.#page ??= await this.#open());
      const id = await this.#engine(page, setup);
      if (id === undefined) return undefined;
      const run = () => page.evaluate(({ id, type }) => bench.run(id, type), { id, type });
      // As from a camera, whose images follow each other: a turn's first run finds the caches full of the other side's.
      if (!this.#alone) await run();
      return await run();
    } finally {
      if (this.#alone) await this.close();
    }
  }

  async close() {
    const page = this.#page;
    this.#page = undefined;
    this.#ids = {};
    await page?.context().close();
  }

  /**
   * @param {import('playwright-core').Page} page
   * @param {Setup} setup
   */
  async #engine(page, setup) {
    const name = `${setup.side}-${setup.threads}`;
    if (!(name in this.#ids) && !this.leftOut.has(name)) {
      const { id, threads, simd, ms } = await page.evaluate((setup) => bench.load(setup), setup);
      this.loaded[name] = /** @type {number} */ (ms);
      if (setup.side === 'ours') this.simd = simd;
      if (threads === setup.threads) this.#ids[name] = id;
      else this.leftOut.add(name);
    }
    return this.leftOut.has(name) ? undefined : this.#ids[name];
  }
}
