/**
 * Asks about several, few at a time: a browser has six connections for a server, and keeps whoever wants another waiting.
 * @template T, A
 * @param {T[]} items
 * @param {(item: T) => Promise<A>} ask
 * @returns {Promise<A[]>} in order
 */
export async function fewAtOnce(items, ask) {
  const answers = [];
  for (let i = 0; i < items.length; i += 4) answers.push(...(await Promise.all(items.slice(i, i + 4).map(ask))));
  return answers;
}
