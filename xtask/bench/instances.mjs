/** Engines beside each other on a page, each with two threads, and two threads beside one. */
import { summarise } from './stats.mjs';

/**
 * @typedef {import('./stats.mjs').Series} Series
 * @typedef {import('./report.mjs').Model} Model
 * @typedef {import('./report.mjs').Dtype} Dtype
 * @typedef {{model: Model, dtype: Dtype, alone: Series, idle: Series, apart: Series, together: Series, scaling?: {one: Series, two: Series, pair: Series}}} Instances
 *   milliseconds, each round's of all in turns: an engine alone, and while another is loaded that ran once; images of two engines one after the other, and at
 *   once; an image with one thread, with two, and one of each of two engines with a thread at once: what the machine's two cores are worth, which may share one of their host's
 */

/**
 * Images that are timed together, some 0.4 s of them.
 * @type {Partial<Record<Model, number>>}
 */
const IMAGES = { ti: 10, b: 2, default: 4 };
const WARM_UP = 3;
const ROUNDS = 5;
/** Where a goal is a ratio near 2, a tenth of it counts. */
const SCALING_ROUNDS = 21;

/**
 * @param {() => Promise<import('playwright-core').Page>} open a page with pixels
 * @param {{setup: Omit<import('./worker.js').Setup, 'threads'>, model: Model, rounds: number | null}} choices
 * @returns {Promise<Instances[]>} none where a page has no threads
 */
export async function instances(open, { setup, model, rounds }) {
  const { dtype } = setup;
  const page = await open();
  const load = (/** @type {number} */ threads) => page.evaluate((setup) => bench.load(setup), { ...setup, threads });
  const stop = (/** @type {number} */ id) => page.evaluate((id) => bench.stop(id), id);
  /** Milliseconds an image. @param {number[]} ids @param {number} [images] of each */
  const time = async (ids, images = IMAGES[model] ?? 1) => (await page.evaluate(([ids, images]) => bench.together(ids, images), /** @type {const} */ ([ids, images]))) / images;
  try {
    const first = await load(2);
    if (first.threads !== 2) return [];
    for (let run = 0; run < WARM_UP; run++) await time([first.id]);
    const idle = await turns(rounds ?? ROUNDS, async () => {
      const alone = await time([first.id]);
      const second = await load(2);
      await time([second.id], 1);
      const idle = await time([first.id]);
      await stop(second.id);
      return { alone, idle };
    });
    const second = await load(2);
    for (let run = 0; run < WARM_UP; run++) await time([second.id]);
    const both = await turns(rounds ?? ROUNDS, async () => {
      const apart = (await time([first.id])) + (await time([second.id]));
      return { apart, together: await time([first.id, second.id]) };
    });
    await stop(second.id);
    if (model !== 'b') return [{ model, dtype, ...idle, ...both }];
    const singles = [(await load(1)).id, (await load(1)).id];
    for (let run = 0; run < WARM_UP; run++) await time(singles, 1);
    const scaling = await turns(Math.max(rounds ?? 0, SCALING_ROUNDS), async () => ({
      one: await time(singles.slice(0, 1), 1), two: await time([first.id], 1), pair: await time(singles, 1),
    }));
    return [{ model, dtype, ...idle, ...both, scaling }];
  } finally {
    await page.context().close();
  }
}

/**
 * @template {string} What
 * @param {number} rounds
 * @param {() => Promise<{[what in What]: number}>} round
 * @returns {Promise<{[what in What]: Series}>}
 */
async function turns(rounds, round) {
  /** @type {any} */
  const all = {};
  for (let n = 0; n < rounds; n++) {
    for (const [what, ms] of Object.entries(await round())) (all[what] ??= []).push(ms);
  }
  for (const what of Object.keys(all)) all[what] = summarise(all[what]);
  return all;
}
