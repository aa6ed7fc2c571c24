import { follow } from '../common/abort.js';
import { ofImage } from '../common/errors.js';

/**
 * Asks about several images, answered in order. The first that fails ends the others, and is what comes out.
 * @template T, A
 * @param {T[]} items
 * @param {(item: T, signal: AbortSignal, index: number) => Promise<A>} ask
 * @param {AbortSignal} [signal]
 * @param {(answer: A) => void} [onAnswer]
 * @returns {Promise<A[]>}
 */
export async function askAll(items, ask, signal, onAnswer) {
  const stop = follow(signal);
  const askOne = async (/** @type {T} */ item, /** @type {number} */ index) => {
    const answer = await ask(item, stop.signal, index).catch((error) => Promise.reject(ofImage(error, index)));
    if (!stop.signal.aborted) onAnswer?.(answer);
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
