/** The first model, over whatever line: while the default would be long in coming, the lightest one answers. */

const MEASURED = 900; // ms of a download after which its rate is believed
const WORTH_WAITING = 4000; // ms

/**
 * @param {import('./loader.js').Loader} loader
 * @param {import('./models.js').Offer[]} offers the default first, the lightest last
 */
export async function loadFirst(loader, offers) {
  const wanted = offers[0];
  const light = offers[offers.length - 1];
  let start = 0;
  /** @type {Promise<boolean> | undefined} */
  let instead;
  await loader.load(wanted, undefined, ({ phase, loaded, total }) => {
    if (phase !== 'weights' || instead) return;
    start ||= performance.now();
    const spent = performance.now() - start;
    if (light === wanted || spent < MEASURED || ((total - loaded) * spent) / loaded < WORTH_WAITING) return;
    // What of the default has come stays in the browser's cache, which goes on from there.
    instead = loader.standIn(light).then((settled) => settled && loader.load(wanted));
  });
  await instead;
}
