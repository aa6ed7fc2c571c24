/**
 * @typedef {{begin: number, end: number}} Range
 */

/** No more than this is read in vain at once, in bytes: about what arrives while a request is on its way. */
const LARGEST_GAP = 2 ** 18;

/**
 * Ascending ranges in few: what lies between two is read with them where it is little, of itself and beside what is wanted.
 * @param {Range[]} ranges
 */
export function gapOf(ranges) {
  return Math.min(LARGEST_GAP, ranges.reduce((sum, { begin, end }) => sum + end - begin, 0) / 32);
}

/**
 * @param {Range[]} ranges
 * @param {number} gap
 * @returns {Range[]}
 */
export function merged(ranges, gap) {
  /** @type {Range[]} */
  const few = [];
  for (const { begin, end } of ranges) {
    const last = few.at(-1);
    if (last && begin - last.end <= gap) last.end = end;
    else few.push({ begin, end });
  }
  return few;
}
