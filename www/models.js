/**
 * Which model to load.
 *
 * @typedef {{name: string, source: import('../pkg/index.js').ModelSource, isDefault: boolean}} ModelChoice
 */

/** @type {ModelChoice} */
export const DEFAULT_MODEL = folder(new URL('../models/vitscope-tiny/', import.meta.url), true);

/**
 * The folder that the page's own address asks for, as in `?model=/models/other/`.
 * @param {URL} page
 * @returns {ModelChoice | Error}
 */
export function requestedModel(page) {
  const address = page.searchParams.get('model');
  if (!address) return DEFAULT_MODEL;
  const url = URL.canParse(address, page) ? new URL(address, page) : undefined;
  // The page talks to its own server alone, and a link must not change that.
  if (url?.origin !== page.origin) return new Error(`The model ${address} is not on this server, so it is not loaded. Download it and drop its folder here.`);
  return folder(url, false);
}

/**
 * @param {URL} url
 * @param {boolean} isDefault
 * @returns {ModelChoice}
 */
function folder(url, isDefault) {
  const name = decodeURIComponent(url.pathname.split('/').filter(Boolean).at(-1) ?? url.host);
  return { name, source: url.href, isDefault };
}
