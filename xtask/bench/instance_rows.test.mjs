import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceRows } from './instance_rows.mjs';
import { summarise } from './stats.mjs';

test('engines beside each other, round by round', () => {
  const of = (/** @type {number[]} */ ...values) => summarise(values);
  const times = { alone: of(100, 200, 100), idle: of(109, 220, 90), apart: of(200, 400, 200), together: of(240, 464, 232) };
  const [idle, together, ...none] = instanceRows('ViT', { model: 'ti', dtype: 'int8', ...times });
  assert.deepEqual([idle.ours, idle.ratio, idle.met, none], ['109 ms', '+9.0 %', true, []]);
  assert.deepEqual([together.ours, together.ratio, together.met], ['240 ms', '1.16 × one after the other', false]);
  const scaling = { one: of(185, 370, 185), two: of(100, 200, 110), pair: of(200, 400, 200) };
  const [, , two] = instanceRows('ViT', { model: 'b', dtype: 'f32', ...times, scaling });
  assert.deepEqual([two.what, two.ours, two.ratio, two.met], ['ViT f32, 2 threads against 1 in 3 rounds', '1.85 ×', '1.85 × by two engines at once', true]);
});
