/** Rotary positions as angles: those that a model has, read from what it turned, or those that the formula gives. */

/**
 * @typedef {{
 *   pairs: [number, number][], angles: Float64Array, named: string[],
 * }} Turning
 *   pairs: which two numbers of a query or a key are turned together; angles: [patches, pairs], in radians; named: what each pair follows
 */

/**
 * The angles by which keys were turned.
 * @param {Float32Array} unturned [tokens, d]
 * @param {Float32Array} turned [tokens, d]
 * @param {number} prefix tokens before the patches, which are not turned
 * @param {[rows: number, cols: number]} grid
 * @returns {Turning}
 */
export function anglesOf(unturned, turned, prefix, grid) {
  const patches = grid[0] * grid[1];
  const d = unturned.length / (prefix + patches);
  const layouts = [neighbours(d), halves(d)];
  // A turn leaves the length of a pair as it was, which tells which two numbers are one.
  const changes = layouts.map((pairs) => pairs.reduce((sum, [a, b]) => {
    for (let at = prefix * d; at < unturned.length; at += d) sum += Math.abs(Math.hypot(unturned[at + a], unturned[at + b]) - Math.hypot(turned[at + a], turned[at + b]));
    return sum;
  }, 0));
  const pairs = layouts[changes[0] < changes[1] ? 0 : 1];
  const angles = new Float64Array(patches * pairs.length);
  for (let patch = 0; patch < patches; patch++) {
    pairs.forEach(([a, b], m) => {
      const at = (prefix + patch) * d;
      angles[patch * pairs.length + m] = Math.atan2(turned[at + b], turned[at + a]) - Math.atan2(unturned[at + b], unturned[at + a]);
    });
  }
  return { pairs, angles, named: pairs.map((_, m) => axis(angles, m, pairs.length, grid)) };
}

/** @param {number} d @returns {[number, number][]} */
const neighbours = (d) => Array.from({ length: d >> 1 }, (_, m) => [2 * m, 2 * m + 1]);
/** @param {number} d @returns {[number, number][]} */
const halves = (d) => Array.from({ length: d >> 1 }, (_, m) => [m, m + (d >> 1)]);

/**
 * Whether a pair turns from row to row, from column to column, or with both.
 * @param {Float64Array} angles
 * @param {number} m
 * @param {number} count of pairs
 * @param {[rows: number, cols: number]} grid
 */
function axis(angles, m, count, [rows, cols]) {
  const turn = (/** @type {number} */ step) => 1 - Math.cos(angles[step * count + m] - angles[m]);
  const [down, across] = [rows > 1 ? turn(cols) : 0, cols > 1 ? turn(1) : 0];
  if (Math.max(down, across) < 1e-9) return 'hardly any';
  return down > 1e3 * across ? 'row' : across > 1e3 * down ? 'column' : 'both';
}

/** Of the formula below. */
const BASE = 100;

/**
 * Angles as DINOv3 has them (Siméoni et al., 2025): half of the pairs follow the row and half the column, each half from 2π over the image down to a hundredth of it.
 * @param {number} d numbers of a query
 * @param {[rows: number, cols: number]} grid
 * @returns {Turning}
 */
export function anglesFor(d, [rows, cols]) {
  const pairs = halves(d);
  const each = pairs.length >> 1;
  const angles = new Float64Array(rows * cols * pairs.length);
  for (let patch = 0; patch < rows * cols; patch++) {
    const places = [(2 * (Math.floor(patch / cols) + 0.5)) / rows - 1, (2 * ((patch % cols) + 0.5)) / cols - 1];
    for (let m = 0; m < 2 * each; m++) angles[patch * pairs.length + m] = 2 * Math.PI * places[Math.floor(m / each)] * BASE ** (-(m % each) / each);
  }
  return { pairs, angles, named: pairs.map((_, m) => (m < each ? 'row' : m < 2 * each ? 'column' : 'hardly any')) };
}

/**
 * The score of a query and a key whose contents stay, by their places: each pair adds the product of its two lengths and the cosine of the angle between them.
 * @param {Turning} turning
 * @param {ArrayLike<number>} q
 * @param {ArrayLike<number>} k
 */
export function scorer({ pairs, angles }, q, k) {
  const d = q.length;
  const parts = pairs.map(([a, b]) => ({ size: (Math.hypot(q[a], q[b]) * Math.hypot(k[a], k[b])) / Math.sqrt(d), apart: Math.atan2(q[b], q[a]) - Math.atan2(k[b], k[a]) }));
  return (/** @type {number} */ query, /** @type {number} */ key) => parts.reduce((sum, { size, apart }, m) => sum + size * Math.cos(apart + angles[query * pairs.length + m] - angles[key * pairs.length + m]), 0);
}
