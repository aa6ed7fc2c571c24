import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replaceBetweenMarkers, rows, tables, terminalTable } from './report.mjs';
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
    simd: 'relaxed', defaultModel: 'a-model', forward: [], explain: [], agreement: [], cold: [], page: [], wire: [], memory: [], threads: [], kernels: [], ...parts,
  };
}

/** @param {Partial<import('./report.mjs').Record>} parts */
const verdicts = (parts) => rows(record(parts)).map(({ what, ratio, met }) => [what, ratio, met]);

test('speed is theirs over ours, against the target of the model and the dtype', () => {
  const series = { 'ours-1': of(20), 'theirs-1': of(29), 'ours-2': of(10), 'theirs-2': of(15) };
  assert.deepEqual(verdicts({ forward: [{ model: 'ti', dtype: 'int8', series }] }), [
    ['ViT-Ti/16 int8, 1 thread', '1.45 ×', false],
    ['ViT-Ti/16 int8, 2 threads', '1.50 ×', true],
    ['ViT-Ti/16 int8, 2 threads against 1', '', undefined],
  ]);
  const [b] = rows(record({ forward: [{ model: 'b', dtype: 'int8', series }] }));
  assert.deepEqual([b.target, b.met, b.ours, b.theirs], ['≥ 1.5 × faster', false, '20.0 ms', '29.0 ms']);
  assert.equal(rows(record({ forward: [{ model: 'b', dtype: 'f32', series }] }))[0].target, '≥ 1.6 × faster');
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

test('recording is slower by a part of the time without it: the median over the rounds, and half of them lie between', () => {
  const plain = summarise([100, 200, 100, 200, 100]);
  /** @param {'ti' | 'b' | 'default'} model @param {number[]} percent  more than without, round by round */
  const recording = (model, percent) => {
    const light = summarise(percent.map((more, round) => plain.values[round] * (1 + more / 100)));
    return verdicts({ forward: [{ model, dtype: 'int8', series: { 'ours-1': plain, 'trace-1': light, 'layer-1': light, 'query-1': light } }] });
  };
  assert.deepEqual(recording('ti', [-2, 1, 2, 4, 9]), [
    ['ViT-Ti/16 int8, attention recorded', '+2.0 % (+1.0 to +4.0)', undefined],
    ['ViT-Ti/16 int8, one layer recorded', '+2.0 % (+1.0 to +4.0)', true],
    ['ViT-Ti/16 int8, one query recorded', '+2.0 % (+1.0 to +4.0)', true],
  ]);
  assert.deepEqual(recording('b', [-3, -1, 1.5, 2, 2]).map(([, , met]) => met), [undefined, false, false]);
  assert.deepEqual(recording('default', [1, 1, 1, 1, 1]).map(([, , met]) => met), [undefined, undefined, undefined]);
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
    cold: [{ model: 'ti', threads: 1, ours: of(100), theirs: of(399) }],
    wire: [{ model: 'ti', threads: 1, ours: [file(100_000), file(85_001)], theirs: [file(2_775_015)] }],
    memory: [{ model: 'b', dtype: 'int8', file: 100e6, memory: { wasm: 125e6, weights: 99e6 }, ours: { peak: 300e6, settled: 150e6 }, theirs: { peak: 900e6, settled: 400e6 } }],
  }));
  assert.deepEqual([cold.ratio, cold.met], ['3.99 ×', false]);
  assert.deepEqual([wire.ours, wire.theirs, wire.ratio, wire.met], ['185 kB', '2775 kB', '15.00 × less', false]);
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
  assert.equal(line, 'ViT-Ti/16 int8, 1 thread   20.0 ms           110 ms  5.50 ×  ≥ 1.5 × faster  met');
  assert.equal(head.indexOf('onnxruntime-web') + 'onnxruntime-web'.length, line.indexOf('110 ms') + '110 ms'.length);
  assert.deepEqual(tables(measured), [{ name: 'bench', content: [
    '2026-11-23, A processor, 2 cores, Chromium 156.0, onnxruntime-web 1.30.0, vitscope\'s relaxed build:',
    '',
    '|  | vitscope | onnxruntime-web |  | target |  |',
    '| --- | --: | --: | --: | --- | --- |',
    '| ViT-Ti/16 int8, 1 thread | 20.0 ms | 110 ms | 5.50 × | ≥ 1.5 × faster | met |',
  ].join('\n') }]);
});

test('the README is changed between the markers alone', () => {
  const other = '<!-- bench other -->\nstays\n<!-- /bench other -->\n';
  const once = replaceBetweenMarkers(`${other}<!-- bench -->\nold\n<!-- /bench -->\nafter\n`, 'bench', 'new $& $1');
  assert.equal(once, `${other}<!-- bench -->\n\nnew $& $1\n\n<!-- /bench -->\nafter\n`);
  assert.equal(replaceBetweenMarkers(once, 'bench', 'new $& $1'), once);
  for (const text of ['none', '<!-- bench --> only one', '<!-- /bench --> <!-- bench -->']) {
    assert.throws(() => replaceBetweenMarkers(text, 'bench', 'new'), /README\.md has no/);
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

test('the default model has no targets of the seeded ones, and a table of its own with its name', () => {
  const series = { 'ours-1': of(200), 'theirs-1': of(300) };
  const views = { rollout: of(12) };
  const measured = record({
    forward: [{ model: 'ti', dtype: 'int8', series }, { model: 'default', dtype: 'int8', series }],
    explain: [{ model: 'default', dtype: 'int8', threads: 1, forward: of(200), attribute: of(800), views }],
    cold: [{ model: 'default', threads: 1, ours: of(100), theirs: of(200) }],
    kernels: [{ name: 'the dot', gmacs: 80 }],
  });
  const [seeded, own, ...others] = tables(measured);
  assert.deepEqual([seeded.name, own.name, others], ['bench', 'bench default', []]);
  assert.deepEqual(seeded.content.split('\n').slice(4).map((line) => line.split(' | ')[0]), ['| ViT-Ti/16 int8, 1 thread', '| the dot']);
  assert.equal(own.content, [
    '2026-11-23, a-model, A processor, 2 cores, Chromium 156.0, onnxruntime-web 1.30.0, vitscope\'s relaxed build:',
    '',
    '|  | vitscope | onnxruntime-web |  | target |  |',
    '| --- | --: | --: | --: | --- | --- |',
    '| default model int8, 1 thread | 200 ms | 300 ms | 1.50 × |  |  |',
    '| default model int8, relevance of a class, 1 thread | 800 ms |  | 4.00 × a forward pass |  |  |',
    '| default model int8, slowest view of a trace (rollout) | 12.0 ms |  |  |  |  |',
    '| default model int8, page open to first answer, 1 thread | 100 ms | 200 ms | 2.00 × |  |  |',
  ].join('\n'));
});

test('occlusion costs so much a pass', () => {
  const explained = { model: /** @type {const} */ ('default'), dtype: /** @type {const} */ ('int8'), threads: 2, forward: of(100), attribute: of(400), views: {} };
  const measured = rows(record({ explain: [{ ...explained, occlusion: { passes: 64, ms: 6400 } }, explained] }));
  const occlusions = measured.filter(({ what }) => what.includes('occlusion')).map(({ what, ours, ratio }) => [what, ours, ratio]);
  assert.deepEqual(occlusions, [['default model int8, occlusion in 64 passes, 2 threads', '6.4 s', '100.0 ms a pass']]);
});

test("the page's own visits: another model may answer first, and code is counted apart from data", () => {
  /** @param {number} own */
  const visits = (own) => rows(record({ page: [{
    model: 'default', first: of(500), own: of(own),
    code: [{ path: '/www/main.js', bytes: 9000, brotli: 3000 }, { path: '/pkg/wasm/a.wasm', bytes: 900_000, brotli: 197_000 }],
    data: [{ path: '/models/a/model.safetensors', bytes: 24_900_000 }, { path: '/www/samples/coffee.jpg', bytes: 100_000 }],
  }] })).map(({ what, ours }) => [what, ours]);
  const weights = [['the project page over the wire (brotli)', '200 kB'], ['models and photos beside it', '25.0 MB']];
  assert.deepEqual(visits(500), [['the project page, open to first answer', '500 ms'], ...weights]);
  assert.deepEqual(visits(1200), [['the project page, open to first answer', '500 ms'], ["the project page, open to the default model's answer", '1200 ms'], ...weights]);
});

test('models with stages have a table of their own, and what fails is said', () => {
  const series = { 'ours-1': of(100), 'trace-1': of(120), 'theirs-1': of(129) };
  const measured = record({
    forward: [
      { model: 'swin-t', dtype: 'int8', series, loaded: { 'ours-1': 300, 'theirs-1': 900 } },
      { model: 'sam-b', dtype: 'f32', series: { 'ours-1': of(9000) }, loaded: { 'ours-1': 2000 }, failed: { 'theirs-1': 'out of memory' } },
    ],
  });
  assert.deepEqual(tables(measured).map(({ name }) => name), ['bench stages']);
  assert.deepEqual(rows(measured).map(({ what, ours, theirs, ratio, met }) => [what, ours, theirs, ratio, met]), [
    ['Swin-T int8, 1 thread', '100 ms', '129 ms', '1.29 ×', false],
    ['SAM-B at 1024 f32, 1 thread', '9000 ms', 'fails', '', undefined],
    ['Swin-T int8, attention recorded', '120 ms', '', '+20.0 % (+20.0 to +20.0)', undefined],
    ['Swin-T int8, loaded', '300 ms', '900 ms', '', undefined],
    ['SAM-B at 1024 f32, loaded', '2000 ms', '', '', undefined],
  ]);
});
