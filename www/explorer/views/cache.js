/** @type {WeakMap<object, Map<string, any>>} */
const memory = new WeakMap();

/**
 * What was made of something once is not made again, as long as that is there. A promise that fails is forgotten.
 * @template T
 * @param {object} of
 * @param {string} key
 * @param {() => T} make
 * @param {AbortSignal} [wanted] aborted, a promise is forgotten at once: it has yet to fail when the same is asked for again
 * @returns {T}
 */
export function remember(of, key, make, wanted) {
  const known = memory.get(of) ?? new Map();
  memory.set(of, known);
  if (!known.has(key)) {
    const made = make();
    known.set(key, made);
    if (made instanceof Promise) {
      const forget = () => void (known.get(key) === made && known.delete(key));
      wanted?.addEventListener('abort', forget);
      made.then(() => wanted?.removeEventListener('abort', forget), forget);
    }
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
