/**
 * Which models there are.
 *
 * @typedef {{name: string, source: import('../../pkg/index.js').ModelSource, cache?: true}} ModelChoice  cache: it is kept also where its server doesn't say whether it has changed
 * @typedef {ModelChoice & {megabytes: number, classes: number, grid: [number, number]}} Offer  with what is said of a model before it is there
 */

/**
 * A model as the package takes it, with a name to call it by.
 * @param {import('../../pkg/index.js').ModelSource | ModelChoice} model
 * @returns {ModelChoice}
 * @throws {URIError} for a malformed escape
 */
export function choiceOf(model) {
  if (typeof model === 'object' && 'source' in model) return model;
  const named = typeof model === 'string' || model instanceof URL;
  return { name: named ? nameOf(String(model)) : 'model', source: model };
}

/** The last part of an address, which is the model's folder. @param {string} address */
function nameOf(address) {
  return decodeURIComponent(address.replace(/[?#].*$/s, '').split('/').filter(Boolean).at(-1) ?? address);
}
