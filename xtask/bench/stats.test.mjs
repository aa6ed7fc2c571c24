import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cosine, quantile, summarise } from './stats.mjs';

test('the median of an even count is the mean of the middle two', () => {
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.equal(quantile([100, 9, 20], 0.5), 20); // in the order of numbers, not of text
  assert.equal(quantile([7], 0.25), 7);
});

test('a series is summarised without being reordered', () => {
  const values = [5, 1, 4, 2, 3];
  assert.deepEqual(summarise(values), { rounds: 5, median: 3, q1: 2, q3: 4, min: 1, max: 5, values: [5, 1, 4, 2, 3] });
  assert.throws(() => summarise([]), /no value/);
});

test('the cosine compares directions', () => {
  assert.equal(cosine([1, 2, 2], [2, 4, 4]), 1);
  assert.equal(cosine([1, 0], [0, 3]), 0);
  assert.ok(Math.abs(cosine([1, 1], [1, 0]) - Math.SQRT1_2) < 1e-15);
  assert.ok(Number.isNaN(cosine([0, 0], [1, 0])), 'an empty answer is like none');
  assert.throws(() => cosine([1, 2], [1]), /2 and 1 classes/);
});
