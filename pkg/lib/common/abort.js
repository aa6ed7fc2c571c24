/**
 * What comes of `work`, or the signal's reason as soon as it is aborted.
 * @template T
 * @param {Promise<T>} work
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export function orAborted(work, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal?.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop);
    work.then(resolve, reject).finally(() => signal?.removeEventListener('abort', stop));
  });
}

/**
 * A controller that a signal aborts too, until it is aborted itself: whoever made it does that when all is done, and nothing is left at the signal.
 * @param {AbortSignal} [signal]
 */
export function follow(signal) {
  const own = new AbortController();
  const stop = () => own.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { signal: own.signal });
  return own;
}
