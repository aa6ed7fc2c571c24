import { percent } from './dom.js';
import { number } from './words.js';

/** @typedef {import('../../pkg/index.js').Scores} Scores */

/** A score below one half is wrong more often than right, as far as the model is calibrated. */
const SURE = 0.5;

/** @param {{top: {score: number}[], scores: Scores}} answer */
export function isSure({ top: [best], scores }) {
  return scores === 'none' || !best || best.score >= SURE;
}

/** What a score is called. @param {Scores} scores */
export function scoreName(scores) {
  return scores === 'none' ? 'value' : 'probability';
}

/** A score as people read it. @type {(scores: Scores) => (score: number) => string} */
export function scoreFormat(scores) {
  return scores === 'none' ? number : percent;
}

/**
 * What the engine makes of logits, for each row of a map of them.
 * @param {import('../../pkg/index.js').ViewMap} map
 * @param {Scores} scores
 */
export function scoresOf({ cols, data }, scores) {
  if (scores === 'none') return data;
  if (scores === 'sigmoid') return data.map((logit) => 1 / (1 + Math.exp(-logit)));
  const out = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += cols) {
    const logits = data.subarray(start, start + cols);
    const most = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    out.set(powers.map((power) => power / sum), start);
  }
  return out;
}
