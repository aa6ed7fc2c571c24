/**
 * What is chosen of what there is to see: plain data, all of which a link can hold.
 *
 * @typedef {{
 *   view: string, layer: number | null, head: number | null, patch: number | null, target: number | null, stop: 'photo' | 'patches' | null,
 *   detail: number | null, whole: boolean,
 * }} Choice
 *   layer: null where the view has one of its own to begin with; head: null for all, fused; patch: in row-major order of the model's first grid, null for the image as a whole;
 *   target: index of a class, null for the likeliest; stop: before the first layer, where there is no map yet;
 *   detail: patches along an edge, null for as many as the model was made for, or as let a moving picture move; whole: all of the picture, in its own shape
 * @typedef {Choice & {model: string | null, sample: string | null, chapter: string | null, look: import('./maps.js').Look}} State
 *   model: the name of one that is offered, else its address or `hf:org/name`, null for files that somebody gave; sample: the name of one that is offered, null for
 *   any other picture; chapter: where one is in the lesson, or was before one came from it; look: how maps are drawn
 * @typedef {Partial<Omit<State, 'look'>> & {look?: Partial<State['look']>}} Wish  some of it; the rest stays
 */

/** @returns {Omit<Choice, 'view'>} */
export function unchosen() {
  return { layer: null, head: null, patch: null, target: null, stop: null, detail: null, whole: false };
}

/**
 * A choice without what a model has not.
 * @template {Choice} C
 * @param {C} choice
 * @param {{layers: number, heads: number, patches: number, classes: number}} model
 * @returns {C}
 */
export function within(choice, { layers, heads, patches, classes }) {
  const below = (/** @type {number | null} */ index, /** @type {number} */ count) => (index !== null && index < count ? index : null);
  return { ...choice, layer: below(choice.layer, layers), head: below(choice.head, heads), patch: below(choice.patch, patches), target: below(choice.target, classes) };
}

/** What a model has, for `within`. @param {import('../../pkg/index.js').ModelConfig} config */
export function limitsOf({ layers, heads, stages, numClasses, grid: [rows, cols] }) {
  return { layers, heads: Math.max(heads, ...stages.map((stage) => stage.heads)), patches: rows * cols, classes: numClasses };
}
