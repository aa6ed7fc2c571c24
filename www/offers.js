/** What the page offers, the default first; the others are lighter. Another model is a folder and a line. */
import { choiceOf } from './explorer/models.js';

/** @typedef {import('./explorer/models.js').Offer} Offer */

/** @type {[Offer, ...Offer[]]} */
export const OFFERS = [
  { ...here('vitscope-small'), megabytes: 25, classes: 200, grid: [16, 16] },
  { ...here('vitscope-tiny'), megabytes: 3, classes: 42, grid: [16, 16] },
];

/**
 * The folder that the page's own address asks for, as in `?model=/models/other/`.
 * @param {URL} page
 * @returns {import('./explorer/models.js').ModelChoice}
 * @throws {Error} that says why it isn't loaded
 */
export function requestedModel(page) {
  const address = page.searchParams.get('model');
  if (!address) return OFFERS[0];
  const unlike = (/** @type {string} */ reason) => new Error(`The model ${address} ${reason}, so it is not loaded. Download it and drop its folder here.`);
  try {
    const url = new URL(address, page);
    // The page talks to its own server alone, and a link must not change that.
    if (url.origin === page.origin) {
      const choice = choiceOf(url.href);
      return OFFERS.find(({ source }) => source === url.href.replace(/\/?$/, '/')) ?? choice;
    }
  } catch {
    throw unlike('has no valid address');
  }
  throw unlike('is not on this server');
}

/** @param {string} name */
function here(name) {
  return /** @type {const} */ ({ ...choiceOf(new URL(`../models/${name}/`, import.meta.url).href), cache: true });
}
