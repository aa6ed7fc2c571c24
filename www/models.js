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
  const unlike = (/** @type {string} */ reason) => new Error(`The model ${address} ${reason}, so it is not loaded. Download it and drop its folder here.`);
  try {
    const url = new URL(address, page);
    // The page talks to its own server alone, and a link must not change that.
    return url.origin === page.origin ? folder(url, false) : unlike('is not on this server');
  } catch {
    return unlike('has no valid address');
  }
}

/**
 * @param {URL} url
 * @param {boolean} isDefault
 * @returns {ModelChoice}
 * @throws {URIError} for a malformed escape
 */
function folder(url, isDefault) {
  const name = decodeURIComponent(url.pathname.split('/').filter(Boolean).at(-1) ?? url.host);
  return { name, source: url.href, isDefault };
}
