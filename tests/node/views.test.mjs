/** The views of a trace and of a model in Node: what they ask of the engine, what they say, how they fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { failure, wrong } from './failures.mjs';
import { distance, parseTensors, readTensors } from './safetensors.mjs';

/** @typedef {import('../../pkg/index.js').ViewMap} ViewMap */

const FIXTURES = new URL('../fixtures/', import.meta.url);
const load = (/** @type {string} */ name) => Engine.load(new URL(`${name}/`, FIXTURES));
const pixels = (/** @type {string} */ name) => readTensors(new URL(`${name}/expected.safetensors`, FIXTURES)).pixel_values.data;

/** @type {(map: ViewMap, rows: number, cols: number, channels?: number) => void} */
const shaped = (map, rows, cols, channels = 1) => {
  assert.deepEqual([map.rows, map.cols, map.channels, map.data.length], [rows, cols, channels, rows * cols * channels]);
  assert.ok(map.data.every(Number.isFinite) && new Set(map.data).size > 1, 'a map has something to show');
  assert.match(map.text, /^.{10,}[^.]$/);
};
/** @type {(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance?: number) => void} */
const close = (actual, expected, tolerance = 1e-5) => assert.ok(distance(actual, expected) < tolerance, `${[...Array.from(actual)].slice(0, 6)} instead of ${Array.from(expected).slice(0, 6)}`);

const engine = await load('hf_vit');
const trace = engine.trace(pixels('hf_vit'));
const { layers, heads, tokens, prefixTokens, hiddenSize } = trace;
const [rows, cols] = trace.grid;
const row = (/** @type {number} */ l, /** @type {number} */ h, /** @type {number} */ q) => {
  const start = ((l * heads + h) * tokens + q) * tokens;
  return trace.attentions.subarray(start + prefixTokens, start + tokens);
};
const overHeads = (/** @type {number} */ l, /** @type {number} */ q, /** @type {(values: number[]) => number} */ fuse) =>
  Array.from({ length: rows * cols }, (_, k) => fuse(Array.from({ length: heads }, (_, h) => row(l, h, q)[k])));
const mean = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b) / values.length;

test('a head map is a row of the attentions', () => {
  shaped(trace.headMap(), rows, cols);
  close(trace.headMap({ layer: 1, head: 2 }).data, row(1, 2, 0));
  close(trace.headMap({ layer: 0, head: 1, query: [1, 2] }).data, row(0, 1, prefixTokens + cols + 2));
  close(trace.headMap().data, overHeads(layers - 1, 0, mean));
  close(trace.headMap({ layer: 0, head: 'max', query: 'cls' }).data, overHeads(0, 0, (values) => Math.max(...values)));
  close(trace.headMap({ layer: 0, head: 'min' }).data, overHeads(0, 0, (values) => Math.min(...values)));
  assert.equal(trace.headMap({ layer: 1, head: 2, query: [1, 2] }).text, 'Layer 1, head 2: where patch (1, 2) looks');
  const part = trace.headMap({ layer: 1, head: 0, mass: 0.5 }).data;
  assert.ok(part.filter((value) => value > 0).length < rows * cols / 2);
  assert.ok(part.every((value, i) => value === 0 || Math.abs(value - row(1, 0, 0)[i]) < 1e-6));
  assert.ok(Math.max(...trace.headMap({ layer: 1, head: 0, clip: 80 }).data) < Math.max(...row(1, 0, 0)));
});

test('rollout follows its options', () => {
  const maps = [{}, { fusion: /** @type {const} */ ('max') }, { discard: 0.5 }, { query: /** @type {[number, number]} */ ([0, 1]) }].map((options) => trace.rollout(options));
  for (const map of maps) shaped(map, rows, cols);
  assert.equal(new Set(maps.map(({ data }) => data.join())).size, maps.length);
  assert.equal(new Set(maps.map(({ text }) => text)).size, maps.length);
});

test("layers' tokens: principal components and similarity", () => {
  shaped(trace.featureMap({ layer: 0 }), rows, cols, 3);
  const token = (/** @type {number} */ l, /** @type {number} */ t) => trace.hiddenStates.subarray(((l + 1) * tokens + t) * hiddenSize, ((l + 1) * tokens + t + 1) * hiddenSize);
  const dot = (/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  const cosine = (/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const similarity = trace.similarity({ layer: 1, query: [2, 1] });
  shaped(similarity, rows, cols);
  close(similarity.data, Array.from({ length: rows * cols }, (_, i) => cosine(token(1, prefixTokens + 2 * cols + 1), token(1, prefixTokens + i))));
  assert.ok(similarity.signed);
});

test('distance and entropy have a number for each head of each layer', () => {
  const entropy = trace.attentionEntropy();
  shaped(entropy, layers, heads);
  shaped(trace.attentionDistance(), layers, heads);
  const start = (1 * heads + 3) * tokens * tokens;
  const expected = trace.attentions.subarray(start, start + tokens * tokens).reduce((sum, p) => sum - p * Math.log(p), 0) / tokens;
  assert.ok(Math.abs(entropy.data[1 * heads + 3] - expected) < 1e-4);
});

test('the lenses end in the answer', () => {
  const lens = trace.logitLens();
  shaped(lens, layers + 1, engine.config.numClasses);
  close(lens.data.slice(-trace.logits.length), trace.logits);
  const map = trace.patchLens({ target: 4 });
  shaped(map, rows, cols);
  assert.ok(map.text.includes(engine.config.labels[4]));
  assert.deepEqual(trace.patchLens({ target: engine.config.labels[4] }), map, 'a class can be named');
  assert.deepEqual(trace.patchLens(), trace.patchLens({ layer: layers - 1, target: trace.top[0].index }));
});

test('occlusion and curves come pass by pass', () => {
  const image = pixels('hf_vit');
  /** @type {import('../../pkg/index.js').Passes[]} */
  const seen = [];
  const map = engine.attribute(image, { method: 'occlusion', window: 2, stride: 1, onProgress: (passes) => seen.push(passes) });
  shaped(map, rows, cols);
  assert.deepEqual(map.target, { index: trace.top[0].index, label: trace.top[0].label });
  assert.ok(map.signed && map.text.includes(trace.top[0].label));
  const total = 1 + (rows - 1) * (cols - 1);
  assert.deepEqual(seen.map(({ done }) => done), Array.from({ length: seen.length }, (_, i) => i + 1));
  assert.deepEqual(seen.at(-1), { done: total, total });
  assert.notDeepEqual(engine.attribute(image, { method: 'occlusion', target: 7 }).data, map.data);

  const { deletion, insertion, target } = engine.curves(image, map, { steps: 4 });
  assert.deepEqual(target, map.target);
  for (const { fractions, probabilities, area } of [deletion, insertion]) {
    assert.deepEqual([...fractions], [0, 0.25, 0.5, 0.75, 1]);
    const p = [...probabilities];
    assert.ok(Math.abs(Number(area) - (p[0] / 2 + p[1] + p[2] + p[3] + p[4] / 2) / 4) < 1e-6);
  }
  assert.ok(Math.abs(deletion.probabilities[0] - trace.top[0].score) < 1e-6, 'deletion starts with all patches');
  assert.ok(Math.abs(insertion.probabilities[4] - trace.top[0].score) < 1e-6, 'insertion ends with them');
});

test('attribution by gradients follows its options', () => {
  const image = pixels('hf_vit');
  const { label, index } = trace.top[0];
  const maps = [
    {}, { target: index === 4 ? 5 : 4 }, { query: /** @type {[number, number]} */ ([1, 1]) },
    { method: /** @type {const} */ ('gradient-rollout') }, { method: /** @type {const} */ ('gradient-rollout'), discard: 0.5 },
    { method: /** @type {const} */ ('grad-cam') }, { method: /** @type {const} */ ('grad-cam'), layer: 0 },
  ].map((options) => engine.attribute(image, options));
  for (const map of maps) assert.deepEqual([map.rows, map.cols, map.channels, map.signed], [rows, cols, 1, false]);
  assert.equal(new Set(maps.map(({ data }) => data.join())).size, maps.length);
  assert.equal(new Set(maps.map(({ text }) => text)).size, maps.length);
  shaped(maps[0], rows, cols);
  assert.deepEqual(maps[0].target, { index, label });
  assert.deepEqual(engine.attribute(image, { target: label }).data, maps[0].data);
});

test('what the model has learned', () => {
  const positions = engine.positionSimilarity();
  shaped(positions, rows * cols, rows * cols);
  for (let i = 0; i < rows * cols; i++) assert.ok(Math.abs(positions.data[i * (rows * cols + 1)] - 1) < 1e-5);
  const filters = engine.patchFilters({ count: 3 });
  assert.equal(filters.length, 3);
  const [height, width] = engine.config.patchSize;
  for (const filter of filters) {
    shaped(filter, height, width, 3);
    assert.ok(Math.abs(filter.data.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4, 'unit length');
  }
  assert.equal(engine.patchFilters().length, 28);
});

test('an image gives its maps the crop that they lie on', () => {
  const image = { width: 60, height: 40, data: Uint8ClampedArray.from({ length: 9600 }, (_, i) => (i * 7) % 256) };
  const seen = engine.trace(image);
  assert.deepEqual(seen.headMap().crop, seen.crop);
  assert.deepEqual(engine.attribute(image, { method: 'occlusion' }).crop, seen.crop);
  assert.equal('crop' in trace.headMap(), false, 'pixel values have none');
});

test('a trace becomes a safetensors file', () => {
  const tensors = parseTensors(trace.toSafetensors());
  assert.deepEqual(Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape])), {
    logits: [11], features: [hiddenSize], attentions: [layers, heads, tokens, tokens], hidden_states: [layers + 1, tokens, hiddenSize],
  });
  assert.deepEqual(tensors.attentions.data, trace.attentions);
  assert.deepEqual(tensors.hidden_states.data, trace.hiddenStates);
  assert.deepEqual(tensors.logits.data, trace.logits);
  close(trace.hiddenStates, readTensors(new URL('hf_vit/expected.safetensors', FIXTURES)).hidden_states.data, 1e-4);
});

test('models without a class token, with registers, and without a head', async () => {
  const gap = await load('timm_reg_gap');
  const map = gap.trace(pixels('timm_reg_gap'));
  assert.deepEqual(map.headMap().data, map.headMap({ query: 'mean' }).data);
  assert.match(map.headMap().text, /the average patch/);
  assert.match(map.headMap({ query: { register: 1 } }).text, /register 1/);
  assert.notDeepEqual(map.headMap({ query: { register: 0 } }).data, map.headMap().data);
  assert.throws(() => map.headMap({ query: 'cls' }), failure(/class token/));
  const headless = await load('hf_vit_model');
  assert.throws(() => headless.trace(pixels('hf_vit_model')).logitLens(), failure(/./));
  assert.throws(() => headless.attribute(pixels('hf_vit_model'), { target: 'cat' }), failure(/no classes/));
  const relative = await load('timm_beit');
  assert.throws(() => relative.positionSimilarity(), failure(/position/));
});

test('what is not right is refused with a sentence', () => {
  const image = pixels('hf_vit');
  for (const [call, message] of /** @type {[() => unknown, RegExp][]} */ ([
    [() => trace.headMap({ layer: 3 }), /no layer 3.*has 3/],
    [() => trace.headMap({ layer: -1 }), /layer must be a whole number.*-1/],
    [() => trace.headMap({ head: 4 }), /head 4/],
    [() => trace.headMap({ head: wrong('best') }), /best/],
    [() => trace.headMap({ query: [4, 0] }), /patch 4,0/],
    [() => trace.headMap({ query: wrong('patch') }), /query must be 'cls'.*'patch'/],
    [() => trace.headMap({ query: wrong(null) }), /query must be/],
    [() => trace.headMap({ query: { register: 0 } }), /register/],
    [() => trace.headMap({ mass: 0 }), /mass/],
    [() => trace.headMap({ clip: wrong('much') }), /clip must be a number/],
    [() => trace.rollout({ discard: 1 }), /discard/],
    [() => trace.rollout({ fusion: wrong('sum') }), /sum/],
    [() => trace.similarity({ query: [0, 9] }), /patch 0,9/],
    [() => trace.patchLens({ layer: 3 }), /no layer 3/],
    [() => trace.patchLens({ target: 11 }), /class 11.*has 11/],
    [() => engine.attribute(image, { method: wrong('lime') }), /method must be one of chefer, .*'lime'/],
    [() => engine.attribute(image, { method: 'grad-cam', layer: 3 }), /no layer 3/],
    [() => engine.attribute(image, { target: 11 }), /class 11.*has 11/],
    [() => engine.attribute(image, { method: 'occlusion', window: 9 }), /window/],
    [() => engine.attribute(image, { method: 'occlusion', window: 1, stride: 2 }), /stride/],
    [() => engine.attribute(image, { target: 'shark' }), /no class 'shark'\. Near it there are great white shark; tiger shark/],
    [() => engine.attribute(image, { target: 'xyzzy' }), /There are 11 classes/],
    [() => engine.curves(image, wrong({ data: [1] }), {}), /The map must be what a view returns/],
    [() => engine.curves(image, { ...trace.headMap(), rows: 1, cols: 2, data: new Float32Array(2) }), /the map has 2 values/],
    [() => engine.curves(image, trace.headMap(), { steps: 0 }), /steps/],
    [() => engine.patchFilters({ count: 0 }), /filters/],
  ])) assert.throws(call, failure(message), String(call));
});

test('after close, views go on and what needs the model says so', async () => {
  const mine = await load('hf_vit');
  const seen = mine.trace(pixels('hf_vit'));
  mine.close();
  shaped(seen.rollout(), rows, cols);
  assert.throws(() => seen.logitLens(), failure(/closed/, 'closed'));
  assert.throws(() => mine.positionSimilarity(), failure(/closed/, 'closed'));
});
