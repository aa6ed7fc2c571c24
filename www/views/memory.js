/** @type {WeakMap<object, Map<string, any>>} */
const memory = new WeakMap();

/**
 * What was made of something once is not made again, as long as that is there. A promise that fails is forgotten.
 * @template T
 * @param {object} of
 * @param {string} key
 * @param {() => T} make
 * @returns {T}
 */
export function remember(of, key, make) {
  const known = memory.get(of) ?? new Map();
  memory.set(of, known);
  if (!known.has(key)) {
    const made = make();
    known.set(key, made);
    if (made instanceof Promise) made.catch(() => known.delete(key));
  }
  return known.get(key);
}

/**
 * @param {object} of
 * @param {string} key
 * @param {any} value
 */
export function keep(of, key, value) {
  remember(of, key, () => value);
}

/**
 * @param {object} of
 * @param {string} key
 */
export function kept(of, key) {
  return memory.get(of)?.get(key);
}

export const NO_CLASSES = 'This model has no classes: it gives features and attention only.';
