/** Explanations of models of stages and windows in Node: what PyTorch shows (`tests/fixtures/explain_stages.py`), in which grid, and what is refused. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { failure, wrong } from './failures.mjs';
import { distance, readTensors } from './safetensors.mjs';

const MODELS = ['hf_mobilevit', 'hf_swin', 'hf_swin_positions', 'hf_swinv2', 'timm_sam_224', 'timm_swin', 'timm_swinv2'];
const folder = (/** @type {string} */ name) => new URL(`../fixtures/${name}/`, import.meta.url);
const read = (/** @type {string} */ name, /** @type {string} */ file) => readTensors(new URL(file, folder(name)));
const refused = (/** @type {RegExp} */ message) => failure(message, 'unsupported-view');

/**
 * @param {Engine} engine
 * @param {Float32Array} pixels
 * @param {(name: string) => Float32Array} recorded
 * @param {string} view as the fixtures name it
 */
function show(engine, pixels, recorded, view) {
  const [method, ...words] = view.split(' ');
  /** @type {any} */
  const { target, layer, window, stride, steps, map } = Object.fromEntries(words.map((word) => word.split('=')).map(([key, value]) => [key, key === 'map' ? value : Number(value)]));
  const trace = () => engine.trace(pixels, { attentions: false });
  if (method === 'logit-lens') return trace().logitLens();
  if (method === 'patch-lens') return trace().patchLens({ layer, target });
  if (method === 'grad-cam') return engine.attribute(pixels, { method, target });
  if (method === 'occlusion') return engine.attribute(pixels, { method, target, window, stride });
  const { stages: [{ grid: [rows, cols], hiddenSize }] } = engine.config;
  const length = (/** @type {Float32Array} */ tokens) => Float32Array.from({ length: rows * cols }, (_, i) => Math.hypot(...tokens.subarray(i * hiddenSize, (i + 1) * hiddenSize)));
  const judged = map === 'grad-cam' ? engine.attribute(pixels, { method: map, target }) : { rows, cols, data: length(recorded('hidden_states.1')) };
  const curves = engine.curves(pixels, wrong({ channels: 1, text: 'a map', signed: false, ...judged }), { target, steps });
  return { data: curves[/** @type {'deletion' | 'insertion'} */ (method)].probabilities };
}

for (const name of MODELS) {
  test(`${name}: what PyTorch shows, at its own size and at another`, async () => {
    const expected = read(name, 'expected.safetensors');
    const [, ...size] = expected['other/pixel_values'].shape;
    const engines = { '': await Engine.load(folder(name)), 'other/': await Engine.load(folder(name), { imageSize: wrong(size) }) };
    for (const [view, { data }] of Object.entries(read(name, 'explain.safetensors'))) {
      const [, of, plain] = /** @type {RegExpExecArray} */ (/^(other\/)?(.*)$/.exec(view));
      if (plain.startsWith('pass')) continue;
      const recorded = (/** @type {string} */ key) => expected[(of ?? '') + key].data;
      const shown = show(engines[/** @type {'' | 'other/'} */ (of ?? '')], recorded('pixel_values'), recorded, plain);
      const error = distance(shown.data, data);
      assert.ok(error < 1e-4, `${view}: ${error}`);
    }
  });
}

test('maps lie in the grid of the last stage, on the part of the photo that it covers', async () => {
  const engine = await Engine.load(folder('hf_swin'), { imageSize: [21, 27] });
  const photo = { width: 54, height: 42, data: new Uint8ClampedArray(4 * 54 * 42).map((_, i) => (i % 4 === 3 ? 255 : (i * 7) % 256)) };
  const cam = engine.attribute(photo, { method: 'grad-cam' });
  assert.deepEqual([cam.rows, cam.cols], [3, 4]);
  assert.match(cam.text, /^Grad-CAM for .*, what is pooled$/);
  const { crop } = engine.classify(photo);
  assert.deepEqual(crop, { x: 0, y: 0, width: 28 * 2, height: 22 * 2 });
  assert.deepEqual(cam.crop, { x: 0, y: 0, width: 32 * 2, height: 24 * 2 });
  const occlusion = engine.attribute(photo, { method: 'occlusion' });
  assert.deepEqual([occlusion.rows, occlusion.cols, occlusion.crop], [3, 4, cam.crop]);
  assert.match(occlusion.text, /with each patch filled$/);
  const trace = engine.trace(photo);
  assert.deepEqual(trace.patchLens({ layer: 4 }).crop, cam.crop);
  const lens = trace.logitLens();
  assert.deepEqual([lens.rows, lens.cols], [2, 5]);
  assert.match(lens.text, /after layers 4 to 5 \(rows\)/);
  assert.ok(distance(lens.data.subarray(5), trace.logits) < 1e-5, 'the last row is the answer');
});

test('a lens needs the layers of the last stage alone', async () => {
  const engine = await Engine.load(folder('hf_swin'));
  const pixels = read('hf_swin', 'expected.safetensors').pixel_values.data;
  const trace = engine.trace(pixels, { layers: [4, 5], attentions: false });
  assert.deepEqual(trace.logitLens().data, engine.trace(pixels).logitLens().data);
  assert.throws(() => engine.trace(pixels, { layers: [0, 5] }).logitLens(), failure(/logitLens needs hiddenStates.*layers: \[4\]/));
});

test('what means nothing of windows is refused, with its reason', async () => {
  const engine = await Engine.load(folder('hf_swin'));
  const pixels = read('hf_swin', 'expected.safetensors').pixel_values.data;
  const trace = engine.trace(pixels);
  assert.deepEqual(engine.attribute(pixels), engine.attribute(pixels, { method: 'grad-cam', layer: 5 }), 'what is defined is what is usual');
  assert.throws(() => engine.attribute(pixels, { method: 'chefer' }), refused(/^chefer is not defined for this model: it multiplies/));
  assert.throws(() => engine.attribute(pixels, { method: 'gradient-rollout' }), refused(/^gradient-rollout is not defined/));
  assert.throws(() => engine.attribute(pixels, { method: 'grad-cam', layer: 2 }), refused(/last layer/));
  assert.throws(() => trace.patchLens({ layer: 3 }), refused(/^patchLens of that layer .*last stage/));
  assert.throws(() => trace.query({ layer: 0, head: 0 }), refused(/^query is not defined.*inside a block/));
  assert.throws(() => trace.mlp({ layer: 0 }), refused(/^mlp is not/));
  assert.throws(() => trace.unit({ unit: 0 }), refused(/^unit is not/));
  assert.throws(() => trace.norms(), refused(/^norms is not/));
  assert.throws(() => engine.positionSimilarity(), failure(/no position embeddings/));
  const map = (/** @type {number} */ rows, /** @type {number} */ cols) => wrong({ rows, cols, channels: 1, signed: false, text: '', data: new Float32Array(rows * cols) });
  assert.throws(() => engine.curves(pixels, map(5, 7)), failure(/5 × 7 is of no stage.*12 × 12, 6 × 6, 3 × 3/));
  assert.equal(engine.curves(pixels, map(6, 6), { steps: 2 }).deletion.probabilities.length, 3);
});

test('patches and filters are those of the first stage', async () => {
  const engine = await Engine.load(folder('hf_swin_positions'));
  const { pixel_values: { data: pixels }, 'hidden_states.0': { data: tokens } } = read('hf_swin_positions', 'expected.safetensors');
  const { token, position, projected } = engine.patchEmbedding(pixels, { patch: [3, 9] });
  assert.ok(distance(token, tokens.subarray(39 * 6, 40 * 6)) < 1e-5);
  assert.deepEqual([position?.length, projected.length], [6, 6]);
  assert.equal(engine.patchFilters().length, 6);
  assert.equal(engine.patchFilters({ outputs: [5] }).length, 1);
  assert.throws(() => engine.patchFilters({ outputs: [6] }), failure(/no output 6/));
  assert.equal(engine.positionSimilarity().rows, 100);
});

test('heads are left out by the number that their layer has, and the order is of the first stage', async () => {
  const engine = await Engine.load(folder('hf_swin'));
  const { pixel_values: { data: pixels } } = read('hf_swin', 'expected.safetensors');
  const told = read('hf_swin', 'explain.safetensors');
  const answers = { 'pass without-heads=0.1,5.1': { without: { heads: [[0, 1], [5, 1]] } }, 'pass without-positions': { without: { positions: true } }, 'pass order': { order: Array.from({ length: 144 }, (_, i) => 143 - i) } };
  for (const [name, options] of Object.entries(answers)) assert.ok(distance(engine.classify(pixels, wrong(options)).logits, told[name].data) < 1e-4, name);
  assert.ok(engine.classify(pixels, { without: { heads: [[4, 3]] } }));
  assert.throws(() => engine.classify(pixels, { without: { heads: [[0, 2]] } }), failure(/no head 2: layer 0 has 2/));
});

test('where no mean is subtracted, middle grey stands for nothing', async () => {
  const files = Object.fromEntries(['config.json', 'model.safetensors', 'preprocessor_config.json'].map((file) => [file, readFileSync(new URL(file, folder('hf_swin')))]));
  const processor = { ...JSON.parse(files['preprocessor_config.json'].toString()), do_normalize: false };
  const load = (/** @type {object} */ processor) => Engine.load(wrong({ config: JSON.parse(files['config.json'].toString()), weights: files['model.safetensors'], preprocessor: processor }));
  const [grey, mean] = [await load(processor), await load(JSON.parse(files['preprocessor_config.json'].toString()))];
  const { pixel_values: { data: pixels } } = read('hf_swin', 'expected.safetensors');
  const all = (/** @type {Engine} */ engine, /** @type {Float32Array} */ pixels) => engine.curves(pixels, engine.attribute(pixels, { method: 'grad-cam', target: 0 }), { target: 0, steps: 1 }).deletion.probabilities[1];
  const score = (/** @type {number} */ value) => Math.exp(grey.classify(new Float32Array(pixels.length).fill(value)).logits[0]) / grey.classify(new Float32Array(pixels.length).fill(value)).logits.reduce((sum, x) => sum + Math.exp(x), 0);
  assert.ok(Math.abs(all(grey, pixels) - score(0.5)) < 1e-5);
  assert.ok(Math.abs(all(mean, pixels) - score(0)) < 1e-5);
  assert.ok(Math.abs(score(0.5) - score(0)) > 1e-4);
});
