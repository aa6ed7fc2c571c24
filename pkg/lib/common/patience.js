/**
 * What comes of `work`, which fails where that takes longer.
 * @template T
 * @param {number} time in milliseconds
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
export function within(time, work) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nothing came of it for ${time / 1000} seconds`)), time);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
