/**
 * Which model to load.
 *
 * @typedef {{name: string, source: import('../pkg/index.js').ModelSource, cache?: true}} ModelChoice  cache: it is kept also where its server doesn't say whether it has changed
 * @typedef {ModelChoice & {megabytes: number, classes: number, grid: [number, number]}} Offer  with what is said of a model before it is there
 */

/** What the page offers, the default first; the others are lighter. Another model is a folder and a line. @type {[Offer, ...Offer[]]} */
export const OFFERS = [
  { ...here('vitscope-small'), megabytes: 25, classes: 200, grid: [16, 16] },
  { ...here('vitscope-tiny'), megabytes: 3, classes: 42, grid: [16, 16] },
];

/** @param {ModelChoice | Error} choice @returns {Offer | undefined} */
export function offered(choice) {
  return OFFERS.find((model) => model === choice);
}

/**
 * The folder that the page's own address asks for, as in `?model=/models/other/`.
 * @param {URL} page
 * @returns {ModelChoice | Error}
 */
export function requestedModel(page) {
  const address = page.searchParams.get('model');
  if (!address) return OFFERS[0];
  const unlike = (/** @type {string} */ reason) => new Error(`The model ${address} ${reason}, so it is not loaded. Download it and drop its folder here.`);
  try {
    const url = new URL(address, page);
    // The page talks to its own server alone, and a link must not change that.
    if (url.origin !== page.origin) return unlike('is not on this server');
    const choice = folder(url);
    return OFFERS.find(({ source }) => source === choice.source.replace(/\/?$/, '/')) ?? choice;
  } catch {
    return unlike('has no valid address');
  }
}

/** @param {string} name */
function here(name) {
  return /** @type {const} */ ({ ...folder(new URL(`../models/${name}/`, import.meta.url)), cache: true });
}

/**
 * @param {URL} url
 * @throws {URIError} for a malformed escape
 */
function folder(url) {
  return { name: decodeURIComponent(url.pathname.split('/').filter(Boolean).at(-1) ?? url.host), source: url.href };
}
