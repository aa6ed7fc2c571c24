import { follow } from '../common/abort.js';

/**
 * Asks about several, answered in order. The first that fails ends the others, and is what comes out.
 * @template T, A
 * @param {T[]} items
 * @param {(item: T, signal: AbortSignal) => Promise<A>} ask
 * @param {AbortSignal} [signal]
 * @param {() => void} [onAnswer]
 * @returns {Promise<A[]>}
 */
export async function askAll(items, ask, signal, onAnswer) {
  const stop = follow(signal);
  const askOne = async (/** @type {T} */ item) => {
    const answer = await ask(item, stop.signal);
    if (!stop.signal.aborted) onAnswer?.();
    return answer;
  };
  try {
    return await Promise.all(items.map(askOne));
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    stop.abort();
  }
}
