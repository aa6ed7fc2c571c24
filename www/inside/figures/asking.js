/** Tokens as the figures of attention name and ask for them, and which of a model's heads shows best what attention does. */
import { remember } from '../../explorer/views/cache.js';

/**
 * @typedef {import('../../../pkg/index.js').Trace} Trace
 * @typedef {import('../../../pkg/index.js').Query} Query
 */

/** Patches this near are neighbours, which many heads look at whatever they show. */
const NEAR = 2;

/** @param {Trace} trace @param {number} token */
export function tokenName({ prefix, prefixTokens, grid: [, cols] }, token) {
  if (token >= prefixTokens) return `patch (${Math.floor((token - prefixTokens) / cols)}, ${(token - prefixTokens) % cols})`;
  return prefix[token] === 'register' ? `register ${registerOf(prefix, token)}` : `the ${prefix[token]} token`;
}

/** The same in a few letters. @param {Trace} trace @param {number} token */
export function tokenMark({ prefix, prefixTokens, grid: [, cols] }, token) {
  if (token >= prefixTokens) return `${Math.floor((token - prefixTokens) / cols)},${(token - prefixTokens) % cols}`;
  return prefix[token] === 'register' ? `reg ${registerOf(prefix, token)}` : { class: 'cls', distillation: 'dist' }[/** @type {'class'} */ (prefix[token])];
}

/** As the package is asked for it. @param {Trace} trace @param {number} token @returns {Query} */
export function queryOf({ prefix, prefixTokens, grid: [, cols] }, token) {
  const patch = token - prefixTokens;
  if (patch >= 0) return [Math.floor(patch / cols), patch % cols];
  return prefix[token] === 'register' ? { register: registerOf(prefix, token) } : prefix[token] === 'class' ? 'cls' : 'distillation';
}

/** @param {string[]} prefix @param {number} token */
function registerOf(prefix, token) {
  return prefix.slice(0, token).filter((kind) => kind === 'register').length;
}

/**
 * The head that tells most of what a patch asks: whose attention to patches beyond the neighbours differs most from what all patches give these, as the part of the
 * Kullback-Leibler divergence that is theirs. In the middle half of the layers, unless a layer or a head is given. Where not all rows of attention were recorded, the middle layer's first.
 * @param {Trace} trace
 * @param {number} patch
 * @param {{layer: number | null, head: number | null}} given
 * @returns {{layer: number, head: number}}
 */
export function tellingHead(trace, patch, given) {
  return remember(trace, `telling head ${patch} ${given.layer} ${given.head}`, () => findTelling(trace, patch, given));
}

/** @type {typeof tellingHead} */
function findTelling({ layers, heads, tokens, prefixTokens, attentions, recorded, queries, grid: [rows, cols] }, patch, given) {
  let best = { layer: given.layer ?? Math.floor(layers / 2), head: given.head ?? 0 };
  if (queries || !attentions.length || (given.layer !== null && given.head !== null)) return best;
  const among = given.layer !== null ? [given.layer] : recorded.filter((layer) => layers < 4 || (layer >= Math.floor(layers / 4) && layer < Math.ceil((3 * layers) / 4)));
  const which = given.head !== null ? [given.head] : Array.from({ length: heads }, (_, head) => head);
  let most = -Infinity;
  for (const layer of among) {
    for (const head of which) {
      const start = (recorded.indexOf(layer) * heads + head) * tokens * tokens;
      const mean = meanRow(attentions, start, tokens, prefixTokens);
      const row = start + (prefixTokens + patch) * tokens + prefixTokens;
      let told = 0;
      for (let key = 0; key < rows * cols; key++) {
        const away = Math.max(Math.abs(Math.floor(key / cols) - Math.floor(patch / cols)), Math.abs((key % cols) - (patch % cols)));
        if (away > NEAR && attentions[row + key] > 0) told += attentions[row + key] * Math.log(attentions[row + key] / mean[prefixTokens + key]);
      }
      if (told > most) [most, best] = [told, { layer, head }];
    }
  }
  return best;
}

/** What all patches give each token. @param {ArrayLike<number>} attentions @param {number} start @param {number} tokens @param {number} first */
function meanRow(attentions, start, tokens, first) {
  const mean = new Float64Array(tokens);
  for (let query = first; query < tokens; query++) {
    for (let key = 0; key < tokens; key++) mean[key] += attentions[start + query * tokens + key] / (tokens - first);
  }
  return mean;
}
