/** The arithmetic of a load's progress, whoever reports what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loading } from '../../pkg/lib/source/loading.js';

/** @typedef {import('../../pkg/lib/source/loading.js').Step} Step */

/** @param {[Step['phase'], number, number][]} steps */
function told(steps) {
  /** @type {import('../../pkg/index.js').Progress[]} */
  const seen = [];
  const loading = new Loading(undefined, (progress) => seen.push(progress));
  for (const [phase, loaded, total] of steps) loading.report({ phase, loaded, total });
  loading.end();
  for (const [i, { progress }] of seen.entries()) assert.ok(progress >= (seen[i - 1]?.progress ?? 0) && progress <= 1, `${i}: ${JSON.stringify(seen)}`);
  return seen;
}

test('it goes from 0 to 1, in whatever order files come', () => {
  const steps = /** @type {[Step['phase'], number, number][]} */ ([['weights', 0, 800], ['wasm', 0, 200], ['weights', 400, 800], ['config', 60, 60], ['wasm', 200, 200], ['weights', 800, 800], ['prepare', 0, 1], ['prepare', 1, 1]]);
  assert.deepEqual(told(steps).map(({ progress }) => progress), [0, 0, 0.45, 0.46, 0.5, 0.95, 0.95, 1]);
  assert.deepEqual(told([['weights', 5, 10], ['prepare', 0, 1], ['weights', 10, 10], ['prepare', 1, 1]]).map(({ progress }) => progress), [0.45, 0.45, 0.9, 1], 'phases may overlap, and one may be missing');
});

test('a total that comes late, or that turns out wrong, takes nothing back', () => {
  const late = told([['weights', 0, 0], ['weights', 4e7, 0], ['weights', 5e7, 1e9], ['weights', 1e9, 1e9]]);
  assert.deepEqual(late.map(({ total }) => total), [0, 0, 1e9, 1e9]);
  assert.ok(late[1].progress > 0 && late[2].progress === late[1].progress && late[3].progress === 0.9);
  const wrong = told([['weights', 100, 200], ['weights', 300, 200], ['weights', 400, 200], ['prepare', 1, 1]]);
  assert.deepEqual(wrong.map(({ total }) => total), [200, 0, 0, 1]);
  assert.equal(wrong[3].progress, 1);
});

test('what is read anew is not told twice', () => {
  const seen = told([['weights', 100, 1000], ['weights', 600, 1000], ['weights', 0, 1000], ['weights', 1000, 1000]]);
  assert.deepEqual(seen.map(({ loaded }) => loaded), [100, 600, 1000]);
});

test('what has no length never seems whole', () => {
  const seen = told([1e6, 1e8, 1e10].map((loaded) => ['weights', loaded, 0]));
  assert.ok(seen.every(({ progress, total }) => total === 0 && progress < 0.9));
  assert.ok(seen[2].progress > 0.8);
});
