/**
 * How the engine runs, in words.
 * @typedef {import('../../pkg/index.js').Backend} Backend
 */

/** @param {Backend} backend */
export function simdName({ simd }) {
  return simd === 'relaxed' ? 'relaxed SIMD' : 'SIMD';
}

/** @param {Backend} backend */
export function threadCount({ threads }) {
  return threads === 1 ? '1 thread' : `${threads} threads`;
}
