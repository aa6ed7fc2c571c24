import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markdown, rows, versionOf } from './engines_report.mjs';

/** @param {'relaxed' | 'simd128'} simd @param {number} gmacs @param {number[]} int8 @returns {import('./engines_report.mjs').Build} */
const build = (simd, gmacs, int8) => ({ simd, kernels: [{ name: 'qkv', gmacs }], passes: { int8 } });
const machine = { date: '2026-11-27T14:02:00.000Z', commit: 'abc', cpu: 'A processor', cores: 2, busy: 0, system: 'Linux x64' };

/** @type {import('./engines_report.mjs').Record} */
const record = {
  ...machine,
  engines: [
    { browser: 'Chromium', version: '156.0', builds: [build('relaxed', 100, [10, 30, 20]), build('simd128', 50, [40])] },
    { browser: 'Firefox', version: '153.0', builds: [build('relaxed', 80, [25]), build('simd128', 60, [32])] },
    { browser: 'WebKitGTK', version: '26.4', builds: [build('simd128', 25, [80])] },
  ],
};

test('browsers are held against the first: rates by rates, times the other way around', () => {
  assert.deepEqual(rows(record), [
    ['relaxed: qkv', '100.0 GMAC/s', '80.0 GMAC/s', '0.80 ×', '', ''],
    ['relaxed: ViT-Ti int8, one pass', '20.0 ms', '25.0 ms', '0.80 ×', '', ''],
    ['simd128: qkv', '50.0 GMAC/s', '60.0 GMAC/s', '1.20 ×', '25.0 GMAC/s', '0.50 ×'],
    ['simd128: ViT-Ti int8, one pass', '40.0 ms', '32.0 ms', '1.25 ×', '80.0 ms', '0.50 ×'],
  ]);
});

test('a row has as many cells as the heading', () => {
  const text = markdown(record);
  assert.match(text, /Chromium 156\.0, Firefox 153\.0, WebKitGTK 26\.4:/);
  assert.deepEqual([...new Set(text.split('\n').slice(2).map((line) => line.split('|').length))], [8]);
});

test('a browser says its version in its own way', () => {
  for (const [agent, version] of [
    ['Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0', '153.0'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36', '156.0.0.0'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.4 Safari/605.1.15', '26.4'],
  ]) assert.equal(versionOf(agent), version);
});
