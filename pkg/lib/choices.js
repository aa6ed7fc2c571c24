/** What callers name, as the engine takes it and as people read it: a query token, a class. */
import { checkWhole, describe } from './checks.js';
import { VitscopeError } from './errors.js';

/**
 * @typedef {import('../index.js').Query} Query
 * @typedef {import('../index.js').PrefixToken} PrefixToken
 */

/**
 * @param {Query | undefined} query
 * @returns {string | undefined}
 */
export function queryToken(query) {
  if (query === undefined || query === 'cls' || query === 'distillation' || query === 'mean') return query;
  if (Array.isArray(query) && query.length === 2) return query.map((at, i) => checkWhole(`The query's ${i ? 'column' : 'row'}`, at)).join();
  if (typeof query === 'object' && query !== null && 'register' in query) return `register:${checkWhole("The query's register", query.register)}`;
  throw new VitscopeError('invalid-argument', `query must be 'cls', 'distillation', 'mean', {register: number} or [row, col] of a patch; not ${describe(query)}.`);
}

/**
 * @param {Query | undefined} query
 * @param {PrefixToken[]} prefix
 */
export function queryName(query, prefix) {
  if (query === undefined) return queryName(prefix[0] === 'class' ? 'cls' : 'mean', prefix);
  if (Array.isArray(query)) return `patch (${query.join(', ')})`;
  if (typeof query === 'object') return `register ${query.register}`;
  return { cls: 'the class token', distillation: 'the distillation token', mean: 'the average patch' }[query];
}

/**
 * @param {number | string | undefined} target
 * @param {string[]} labels
 * @returns {number | undefined}
 */
export function targetIndex(target, labels) {
  if (target === undefined) return undefined;
  if (typeof target !== 'string') return checkWhole('target', target);
  const wanted = target.trim().toLowerCase();
  const names = labels.map((label) => label.toLowerCase());
  const found = names.indexOf(wanted);
  if (found >= 0) return found;
  // ImageNet's labels are lists of synonyms.
  const synonym = names.findIndex((name) => name.split(', ').includes(wanted));
  if (synonym >= 0) return synonym;
  const near = labels.filter((_, i) => alike(wanted, names[i])).slice(0, 3);
  const remedy = near.length ? `Near it there ${near.length > 1 ? 'are' : 'is'} ${near.join('; ')}.` : labels.length ? `There are ${labels.length} classes; config.labels has their names.` : 'This model has no classes.';
  throw new VitscopeError('invalid-argument', `There is no class '${target}'. ${remedy}`);
}

/**
 * @param {string} wanted
 * @param {string} name
 */
function alike(wanted, name) {
  return wanted.length > 2 && (name.includes(wanted) || name.split(/[ ,]+/).some((word) => word.length > 2 && wanted.includes(word)) || name.startsWith(wanted.slice(0, 4)));
}
