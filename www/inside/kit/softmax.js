/**
 * Softmax at a temperature, with what is summed.
 * @param {ArrayLike<number>} scores
 * @param {number} temperature
 */
export function softmax(scores, temperature) {
  const most = Array.from(scores).reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Array.from(scores, (score) => Math.exp((score - most) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return { powers, sum, shares: powers.map((power) => power / sum) };
}

/** Over how many tokens shares are spread as evenly: e to their entropy. @param {ArrayLike<number>} shares */
export function spread(shares) {
  return Math.exp(Array.from(shares).reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0));
}
