/**
 * What is chosen of what there is to see: plain data, all of which a link can hold.
 *
 * @typedef {{
 *   view: string, layer: number | null, head: number | null, patch: number | null, target: number | null, stop: 'photo' | 'patches' | null,
 *   detail: number | null, whole: boolean,
 * }} Choice
 *   layer: null where the view has one of its own to begin with; head: null for all, fused; patch: in row-major order, null for the image as a whole;
 *   target: index of a class, null for the likeliest; stop: before the first layer, where there is no map yet;
 *   detail: patches along an edge, null for as many as the model was made for, or as let a moving picture move; whole: all of the picture, in its own shape
 */

/** @returns {Omit<Choice, 'view'>} */
export function unchosen() {
  return { layer: null, head: null, patch: null, target: null, stop: null, detail: null, whole: false };
}
