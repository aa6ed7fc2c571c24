/** @typedef {import('../../../pkg/index.js').ViewMap} ViewMap */

/** What a new frame's map weighs against those before it. */
const WEIGHT = 0.35;

/**
 * Maps of frames that follow each other, each mixed with those before it, so that what flickers is calm.
 * @param {() => boolean} wanted
 */
export function createSteady(wanted) {
  /** @type {ViewMap | undefined} */
  let last;

  return (/** @type {ViewMap} */ map) => {
    const before = last;
    const mixed = wanted() && before && alike(before, map) ? { ...map, data: map.data.map((value, i) => before.data[i] + WEIGHT * (value - before.data[i])) } : map;
    last = mixed;
    return mixed;
  };
}

/**
 * Of the same layer, head, patch or class, in the same shape.
 * @param {ViewMap} a
 * @param {ViewMap} b
 */
function alike(a, b) {
  return a.text === b.text && a.rows === b.rows && a.data.length === b.data.length;
}
