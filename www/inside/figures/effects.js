/** What the model answers without some of its heads, each such pass once. */
import { scoresOf } from '../../explorer/scores.js';
import { kept, remember } from '../../explorer/views/cache.js';
import { cosine } from '../kit/token.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').Classification} Classification
 * @typedef {[layer: number, head: number][]} Heads
 */

/** @param {Heads} heads */
const keyOf = (heads) => `without ${heads.map(([layer, head]) => `${layer}.${head}`).sort().join(' ')}`;

/**
 * @param {Context} context
 * @param {Heads} heads
 * @returns {Promise<Classification>}
 */
export async function without({ trace, vit, image, signal }, heads) {
  if (!heads.length) return trace;
  return remember(trace, keyOf(heads), async () => {
    const answer = await vit.classify(image, { without: { heads }, signal });
    remember(trace, `${keyOf(heads)} answer`, () => answer);
    return answer;
  }, signal);
}

/** The answer, where there is one already. @param {Context} context @param {Heads} heads @returns {Classification | undefined} */
export function knownWithout({ trace }, heads) {
  return heads.length ? kept(trace, `${keyOf(heads)} answer`) : trace;
}

/**
 * What is followed while heads are off: the score of the class that is asked about; of a model without classes how alike the features stay, as their cosine.
 * @param {Context} context
 * @param {Classification} answer
 */
export function followed({ trace, vit: { config }, target }, { logits, features }) {
  if (!target) return cosine(features, trace.features);
  return scoresOf({ rows: 1, cols: logits.length, channels: 1, data: logits, signed: true, text: '' }, config.scores)[target.index];
}
