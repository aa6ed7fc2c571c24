/** The arithmetic of measurements. */

/**
 * What is kept of a series: every value in the order it was measured, and its quartiles.
 * @typedef {{rounds: number, median: number, q1: number, q3: number, min: number, max: number, values: number[]}} Series
 */

/**
 * @param {number[]} values at least one
 * @returns {Series}
 */
export function summarise(values) {
  if (values.length === 0) throw new Error('no value was measured');
  const [min, q1, median, q3, max] = [0, 0.25, 0.5, 0.75, 1].map((part) => quantile(values, part));
  return { rounds: values.length, median, q1, q3, min, max, values };
}

/**
 * Between neighbours linearly, so that the median of an even count is the mean of the middle two.
 * @param {number[]} values
 * @param {number} part 0 to 1
 */
export function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = part * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at % 1);
}

/**
 * How many times the second is faster, by this quantile of the rounds, each of which met the same load of the machine.
 * @param {Series} slow
 * @param {Series} fast
 * @param {number} [part]
 */
export function times(slow, fast, part = 0.5) {
  return quantile(slow.values.map((value, round) => value / fast.values[round]), part);
}

/**
 * How alike two answers are: 1 where they differ by a factor only.
 * @param {number[]} a
 * @param {number[]} b
 */
export function cosine(a, b) {
  /** @param {number[]} x @param {number[]} y */
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  if (a.length !== b.length) throw new Error(`answers of ${a.length} and ${b.length} classes`);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
