/** A query token, as the engine takes it and as people read it. */
import { checkWhole, mustBe } from '../common/checks.js';

/**
 * @typedef {import('../../index.js').Query} Query
 * @typedef {import('../../index.js').PrefixToken} PrefixToken
 */

/**
 * @param {Query | undefined} query
 * @returns {string | undefined}
 */
export function queryToken(query) {
  if (query === undefined || query === 'cls' || query === 'distillation' || query === 'mean') return query;
  if (Array.isArray(query) && query.length === 2) return query.map((at, i) => checkWhole(`The query's ${i ? 'column' : 'row'}`, at)).join();
  if (typeof query === 'object' && query !== null && 'register' in query) return `register:${checkWhole("The query's register", query.register)}`;
  throw mustBe('query', "'cls', 'distillation', 'mean', {register: number} or [row, col] of a patch", query);
}

/**
 * What stands for the image as a whole.
 * @param {PrefixToken[]} prefix
 * @returns {Query}
 */
function usual(prefix) {
  return prefix.includes('class') ? 'cls' : 'mean';
}

/**
 * The place of a query among those whose rows were kept; -1 where it is none of them.
 * @param {Query[]} kept
 * @param {Query | undefined} query
 * @param {PrefixToken[]} prefix
 */
export function queryPlace(kept, query, prefix) {
  const token = queryToken(query ?? usual(prefix));
  return kept.findIndex((kept) => queryToken(kept) === token);
}

/**
 * @param {Query | undefined} query
 * @param {PrefixToken[]} prefix
 * @returns {string}
 */
export function queryName(query, prefix) {
  if (query === undefined) return queryName(usual(prefix), prefix);
  if (Array.isArray(query)) return `patch (${query.join(', ')})`;
  if (typeof query === 'object') return `register ${query.register}`;
  return { cls: 'the class token', distillation: 'the distillation token', mean: 'the average patch' }[query];
}
