/** What is given up with a caller's signal, and that nothing of ours stays at it. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { askAll } from '../../pkg/lib/client/several.js';
import { follow } from '../../pkg/lib/common/abort.js';
import { normaliseSource } from '../../pkg/lib/source/source.js';
import { walk } from '../../pkg/lib/source/walk.js';
import { newWalker } from './walker.mjs';

const left = (/** @type {AbortSignal} */ signal) => getEventListeners(signal, 'abort').length;

test('a signal aborts what follows it, before and after, and with its own reason', () => {
  const caller = new AbortController();
  const early = follow(caller.signal);
  caller.abort('enough');
  assert.deepEqual([early.signal.reason, follow(caller.signal).signal.reason], ['enough', 'enough']);
  const alone = follow(undefined);
  alone.abort('own');
  assert.equal(alone.signal.reason, 'own');
});

test('who followed and is done leaves nothing at the signal, and aborts nobody else', () => {
  const { signal } = new AbortController();
  const [one, two] = [follow(signal), follow(signal)];
  assert.equal(left(signal), 2);
  one.abort();
  assert.deepEqual([left(signal), signal.aborted, two.signal.aborted], [1, false, false]);
  two.abort();
  assert.equal(left(signal), 0);
});

test('several questions: the first failure and the caller end the others, and nothing stays at the signal', async () => {
  const caller = new AbortController();
  const { signal } = caller;
  assert.deepEqual(await askAll([1, 2], async (n) => 2 * n, signal), [2, 4]);
  assert.equal(left(signal), 0);
  /** @type {unknown[]} */
  const reasons = [];
  const ask = (/** @type {number} */ n, /** @type {AbortSignal} */ own) => new Promise((_, reject) => {
    if (n === 1) setTimeout(() => reject('the first'), 5);
    own.addEventListener('abort', () => (reasons.push(own.reason), reject(own.reason)));
  });
  await assert.rejects(askAll([1, 2, 3], ask, signal), (error) => error === 'the first');
  assert.deepEqual([reasons, left(signal)], [['the first', 'the first', 'the first'], 0]);
  const asked = askAll([2, 3], ask, signal);
  caller.abort('enough');
  await assert.rejects(asked, (error) => error === 'enough');
  assert.deepEqual(reasons.slice(3), ['enough', 'enough']);
});

test('a load leaves nothing at the signal, whether it comes to its end or not', async () => {
  const { signal } = new AbortController();
  const load = (/** @type {string} */ folder) => {
    const leader = newWalker();
    const source = normaliseSource(new URL(`../fixtures/${folder}/`, import.meta.url).href);
    return walk(source, leader, { signal, onProgress() {} }).finally(() => leader.close());
  };
  await load('hf_vit_sharded');
  await assert.rejects(load('processors'));
  assert.equal(left(signal), 0);
});
