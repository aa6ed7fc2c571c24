/** The first model, over whatever line: while the default would be long in coming, the lightest one answers. */
import { OFFERS } from './offers.js';

const MEASURED = 900; // ms of a download after which its rate is believed
const WORTH_WAITING = 4000; // ms

/** @param {import('./loader.js').Loader} loader */
export async function loadFirst(loader) {
  const wanted = OFFERS[0];
  const light = OFFERS[OFFERS.length - 1];
  let start = 0;
  /** @type {Promise<boolean> | undefined} */
  let instead;
  await loader.load(wanted, undefined, ({ phase, loaded, total }) => {
    if (phase !== 'weights' || instead) return;
    start ||= performance.now();
    const spent = performance.now() - start;
    if (spent < MEASURED || ((total - loaded) * spent) / loaded < WORTH_WAITING) return;
    // What of the default has come stays in the browser's cache, which goes on from there.
    instead = loader.load(light).then((settled) => settled && loader.load(wanted));
  });
  await instead;
}
