import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markdown, replaceBetweenMarkers, rows, terminalTable } from './report.mjs';
import { summarise } from './stats.mjs';

/** @param {number} ms */
const of = (ms) => summarise([ms]);

/**
 * @param {Partial<import('./report.mjs').Record>} parts
 * @returns {import('./report.mjs').Record}
 */
function record(parts) {
  return {
    date: '2026-11-23T14:02:00.000Z', commit: 'abc', cpu: 'A processor', cores: 2, busy: 0, system: 'Linux x64', chromium: '156.0', onnxruntimeWeb: '1.30.0',
    simd: 'relaxed', forward: [], explain: [], agreement: [], cold: [], wire: [], memory: [], kernels: [], ...parts,
  };
}

/** @param {Partial<import('./report.mjs').Record>} parts */
const verdicts = (parts) => rows(record(parts)).map(({ what, ratio, met }) => [what, ratio, met]);

test('speed is theirs over ours, against the target of the model and the dtype', () => {
  const series = { 'ours-1': of(20), 'theirs-1': of(79), 'ours-2': of(10), 'theirs-2': of(40) };
  assert.deepEqual(verdicts({ forward: [{ model: 'ti', dtype: 'int8', series }] }), [
    ['ViT-Ti/16 int8, 1 thread', '3.95 ×', false],
    ['ViT-Ti/16 int8, 2 threads', '4.00 ×', true],
    ['ViT-Ti/16 int8, 2 threads against 1', '', undefined],
  ]);
  const [b] = rows(record({ forward: [{ model: 'b', dtype: 'int8', series }] }));
  assert.deepEqual([b.target, b.met, b.ours, b.theirs], ['≥ 3 × faster', true, '20.0 ms', '79.0 ms']);
  assert.equal(rows(record({ forward: [{ model: 'b', dtype: 'f32', series }] }))[0].target, '≥ 1.5 × faster');
});

test('a ratio is taken round by round, since load comes and goes', () => {
  const series = { 'ours-1': summarise([10, 20, 30, 20, 10]), 'theirs-1': summarise([50, 100, 150, 90, 30]) };
  const [{ ours, theirs, ratio }] = rows(record({ forward: [{ model: 'ti', dtype: 'int8', series }] }));
  assert.deepEqual([ours, theirs, ratio], ['20.0 ms', '90.0 ms', '5.00 ×']);
});

test('scaling has a target for ViT-B', () => {
  /** @param {number} two */
  const scaling = (two) => rows(record({ forward: [{ model: 'b', dtype: 'int8', series: { 'ours-1': of(100), 'ours-2': of(two) } }] }))[0];
  assert.deepEqual([scaling(54).ours, scaling(54).met, scaling(55).met], ['1.85 ×', true, false]);
});

test('recording is slower by a part of the time without it', () => {
  /** @param {number} traced */
  const recording = (traced) => verdicts({ forward: [{ model: 'ti', dtype: 'int8', series: { 'ours-1': of(100), 'trace-1': of(traced) } }] })[0];
  assert.deepEqual(recording(105), ['ViT-Ti/16 int8, attention recorded', '+5.0 %', true]);
  assert.deepEqual(recording(106)[2], false);
  assert.deepEqual(recording(98.5).slice(1), ['−1.5 %', true]);
});

test('what could not be run is not measured, neither met nor missed', () => {
  const parts = { forward: [{ model: /** @type {const} */ ('ti'), dtype: /** @type {const} */ ('f32'), series: { 'ours-1': of(1), 'theirs-1': of(2), 'theirs-2': of(2) } }] };
  assert.deepEqual(verdicts(parts), [['ViT-Ti/16 f32, 1 thread', '2.00 ×', true], ['ViT-Ti/16 f32, 2 threads', '', undefined]]);
  assert.match(terminalTable(rows(record(parts))), /2 threads .* not measured$/m);
  assert.equal(rows(record({ cold: [{ model: 'ti', threads: 2, theirs: of(500) }] }))[0].met, undefined);
});

test('cold start, bytes and memory', () => {
  const file = (/** @type {number} */ brotli) => ({ path: '/pkg/index.js', bytes: 1_000_000, brotli });
  const [cold, wire, wasm, settled, peak] = rows(record({
    cold: [{ model: 'ti', threads: 1, ours: of(100), theirs: of(499) }],
    wire: [{ threads: 1, ours: [file(100_000), file(50_001)], theirs: [file(2_250_015)] }],
    memory: [{ model: 'b', dtype: 'int8', file: 100e6, memory: { wasm: 125e6, weights: 99e6 }, ours: { peak: 300e6, settled: 150e6 }, theirs: { peak: 900e6, settled: 400e6 } }],
  }));
  assert.deepEqual([cold.ratio, cold.met], ['4.99 ×', false]);
  assert.deepEqual([wire.ours, wire.theirs, wire.ratio, wire.met], ['150 kB', '2250 kB', '15.00 × less', false]);
  assert.deepEqual([wasm.ours, wasm.ratio, wasm.met], ['125 MB', '1.25 ×', true]);
  assert.deepEqual([settled.ours, settled.theirs, peak.ours, peak.theirs], ['150 MB', '400 MB', '300 MB', '900 MB']);
});

test('a kernel is held against the peak that it names', () => {
  const kernels = [{ name: 'the dot', gmacs: 80 }, { name: '197 × 768 × 768', gmacs: 59.9, peak: 'the dot', target: 0.75 }, { name: 'f32', gmacs: 9, peak: 'none' }];
  assert.deepEqual(verdicts({ kernels }), [
    ['the dot', '', undefined],
    ['197 × 768 × 768', '75 % of 80.0', false],
    ['f32', '', undefined],
  ]);
});

test('both tables have every row', () => {
  const measured = record({ forward: [{ model: 'ti', dtype: 'int8', series: { 'ours-1': of(20), 'theirs-1': of(110) } }] });
  const [head, line] = terminalTable(rows(measured)).split('\n');
  assert.equal(line, 'ViT-Ti/16 int8, 1 thread   20.0 ms           110 ms  5.50 ×  ≥ 4 × faster  met');
  assert.equal(head.indexOf('onnxruntime-web') + 'onnxruntime-web'.length, line.indexOf('110 ms') + '110 ms'.length);
  assert.equal(markdown(measured), [
    '2026-11-23, A processor, 2 cores, Chromium 156.0, onnxruntime-web 1.30.0, vitscope\'s relaxed build:',
    '',
    '|  | vitscope | onnxruntime-web |  | target |  |',
    '| --- | --: | --: | --: | --- | --- |',
    '| ViT-Ti/16 int8, 1 thread | 20.0 ms | 110 ms | 5.50 × | ≥ 4 × faster | met |',
  ].join('\n'));
});

test('the README is changed between the markers alone', () => {
  const once = replaceBetweenMarkers('before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n', 'new $& $1');
  assert.equal(once, 'before\n<!-- bench -->\n\nnew $& $1\n\n<!-- /bench -->\nafter\n');
  assert.equal(replaceBetweenMarkers(once, 'new $& $1'), once);
  for (const text of ['none', '<!-- bench --> only one', '<!-- /bench --> <!-- bench -->']) {
    assert.throws(() => replaceBetweenMarkers(text, 'new'), /README\.md has no/);
  }
});

test('relevance costs so many forward passes, and the slowest view stands for all of a trace', () => {
  /** @param {number} attribute @param {number} rollout */
  const explain = (attribute, rollout) => {
    const views = { 'head map': of(1), rollout: of(rollout), 'patch filters': of(99) };
    return verdicts({ explain: [{ model: 'b', dtype: 'f32', threads: 1, forward: of(100), attribute: of(attribute), views }] });
  };
  assert.deepEqual(explain(400, 10), [
    ['ViT-B/16 f32, relevance of a class, 1 thread', '4.00 × a forward pass', true],
    ['ViT-B/16 f32, slowest view of a trace (rollout)', '', true],
  ]);
  assert.deepEqual(explain(401, 11).map(([, , met]) => met), [false, false]);
});
