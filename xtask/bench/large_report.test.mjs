import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LARGE, stored } from './large_models.mjs';
import { markdown, rows } from './large_report.mjs';
import { summarise } from './stats.mjs';

/** @param {number} wasm @returns {import('./large_report.mjs').Record} */
const record = (wasm) => ({
  date: '2026-11-27T14:02:00.000Z', commit: 'abc', cpu: 'A processor', cores: 2, busy: 0, system: 'Linux x64', chromium: '156.0', simd: 'relaxed',
  large: [{ model: 'vit-l', parameters: 304_326_632, file: 300e6, runs: [{ threads: 2, size: 224, tokens: 197, loaded: 1234, first: 900, series: summarise([400, 300, 350]), memory: { wasm, weights: 310e6 }, process: { settled: 360e6, peak: 420e6 } }] }],
});

test('memory is held against the weights', () => {
  assert.deepEqual(rows(record(330e6)), [['ViT-L/16, 304 M, 300 MB, at 224 px (197 tokens)', '2', '1.23 s', '0.90 s', '0.35 s', '330 MB, 1.10 ×', '360 MB, 1.20 ×', '420 MB, 1.40 ×', 'met']]);
  assert.equal(rows(record(376e6))[0].at(-1), 'missed');
});

test('a row has as many cells as the heading', () => {
  const lines = markdown(record(330e6)).split('\n').slice(2);
  assert.deepEqual([...new Set(lines.map((line) => line.split('|').length))], [11]);
});

test('the networks are as large as they are known to be', () => {
  const parameters = (/** @type {string} */ model) => LARGE[model].network.tensors.reduce((sum, [, shape]) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
  assert.equal(parameters('vit-l'), 304_326_632); // timm's vit_large_patch16_224
  assert.equal(parameters('dinov2-g'), 1_136_480_768 - 1536 + 3_073_000); // Dinov2Model's without its mask token, and a head
});

test('matrices are stored in 8 bits with a scale a row, all else in f32', () => {
  assert.deepEqual(stored(['classifier.weight', [10, 64]]).map(({ name, dtype, shape }) => [name, dtype, shape]), [['classifier.weight', 'I8', [10, 64]], ['classifier.weight_scale', 'F32', [10]]]);
  for (const tensor of /** @type {import('./networks.mjs').Tensor[]} */ ([['vit.layernorm.weight', [8]], ['embeddings.projection.weight', [8, 3, 4, 4]]])) assert.deepEqual(stored(tensor).map(({ dtype }) => dtype), ['F32']);
});
