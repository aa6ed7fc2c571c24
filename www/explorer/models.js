/**
 * Which models there are.
 *
 * @typedef {{name: string, source: import('../../pkg/index.js').ModelSource, cache?: true, dtype?: 'f32' | 'int8'}} ModelChoice
 *   cache: it is kept also where its server doesn't say whether it has changed; dtype: how it is loaded at first, as it is stored unless told
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

/**
 * By what a state tells a model: its name among those that are offered, or where it is.
 * @param {ModelChoice | undefined} choice
 * @param {Offer[]} offers
 * @returns {string | null} null: nobody but its owner has it
 */
export function keyOf(choice, offers) {
  const offer = offers.find((offer) => offer === choice);
  if (offer || !choice) return offer?.name ?? null;
  const { source } = choice;
  return typeof source === 'string' || source instanceof URL ? String(source) : null;
}

/**
 * @param {string} key
 * @param {Offer[]} offers
 */
export function choiceFor(key, offers) {
  return offers.find(({ name }) => name === key) ?? choiceOf(key);
}

/** The last part of an address, which is the model's folder. @param {string} address */
export function nameOf(address) {
  return decodeURIComponent(address.replace(/[?#].*$/s, '').split('/').filter(Boolean).at(-1) ?? address);
}
