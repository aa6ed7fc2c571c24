/** Traces that record a part, that become data and come back, and engines that are closed by themselves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Engine, VitscopeError } from '../../pkg/dist/engine.node.js';
import { Trace } from '../../pkg/dist/index.node.js';
import { parseTensors, readTensors } from './safetensors.mjs';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const pixels = readTensors(new URL('hf_vit/expected.safetensors', FIXTURES)).pixel_values.data;
const engine = await Engine.load(new URL('hf_vit/', FIXTURES));
const { layers, heads, tokens, hiddenSize } = engine.config;
const whole = engine.trace(pixels);
/** @returns {any} */
const wrong = (/** @type {any} */ value) => value;

const failure = (/** @type {RegExp} */ message, code = 'invalid-argument') => (/** @type {any} */ error) => {
  assert.ok(error instanceof VitscopeError, `${error?.stack}`);
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

/** Each view, by its name: of one layer where it is of one. @type {Record<string, [kind: 'attentions' | 'hiddenStates', view: (trace: any, layer?: number) => any]>} */
const VIEWS = {
  headMap: ['attentions', (trace, layer) => trace.headMap({ layer, head: 1 })],
  rollout: ['attentions', (trace) => trace.rollout()],
  attentionDistance: ['attentions', (trace) => trace.attentionDistance()],
  attentionEntropy: ['attentions', (trace) => trace.attentionEntropy()],
  featureMap: ['hiddenStates', (trace, layer) => trace.featureMap({ layer })],
  similarity: ['hiddenStates', (trace, layer) => trace.similarity({ layer, query: [1, 1] })],
  logitLens: ['hiddenStates', (trace) => trace.logitLens()],
  patchLens: ['hiddenStates', (trace, layer) => trace.patchLens({ layer })],
};
const OF_A_LAYER = ['headMap', 'featureMap', 'similarity', 'patchLens'];
const OF_THE_RECORDED = ['attentionDistance', 'attentionEntropy'];

test('what is recorded of some layers is what a whole trace has of them', () => {
  assert.ok(layers >= 2);
  assert.deepEqual(whole.recorded, Array.from({ length: layers }, (_, layer) => layer));
  for (const chosen of [[], [0], [layers - 1], [layers - 1, 0, 0]]) {
    const trace = engine.trace(pixels, { layers: chosen });
    const recorded = [...new Set(chosen)].sort((a, b) => a - b);
    assert.deepEqual(trace.recorded, recorded);
    assert.deepEqual(trace.logits, whole.logits);
    const part = (/** @type {Float32Array} */ data, /** @type {number} */ size, /** @type {number[]} */ rows) => rows.flatMap((row) => [...data.subarray(row * size, (row + 1) * size)]);
    assert.deepEqual([...trace.attentions], part(whole.attentions, heads * tokens * tokens, recorded));
    assert.deepEqual([...trace.hiddenStates], part(whole.hiddenStates, tokens * hiddenSize, [0, ...recorded.map((layer) => layer + 1)]));
  }
});

test('views of a light trace are those of a whole one, or say what they lack by its option', () => {
  for (const [name, [kind, view]] of Object.entries(VIEWS)) {
    for (const layer of [0, layers - 1]) {
      const light = engine.trace(pixels, { layers: [layer], [kind === 'attentions' ? 'hiddenStates' : 'attentions']: false });
      if (OF_A_LAYER.includes(name)) assert.deepEqual(view(light, layer), view(whole, layer), name);
      else if (OF_THE_RECORDED.includes(name)) assert.equal(view(light).rows, 1, name);
      else assert.throws(() => view(light), failure(new RegExp(`^${name} needs ${kind}.*${kind}: true and layers left out\\.$`)), name);
      const without = engine.trace(pixels, { [kind]: false });
      assert.equal(without[kind].length, 0);
      assert.throws(() => view(without, layer), failure(new RegExp(`^${name} needs ${kind}.*${kind}: true`)), name);
    }
    const other = engine.trace(pixels, { layers: [0] });
    if (OF_A_LAYER.includes(name)) assert.throws(() => view(other, 1), failure(new RegExp(`^${name} needs.*layers: \\[1\\]`)));
    if (OF_A_LAYER.includes(name)) for (const trace of [other, whole]) assert.throws(() => view(trace, layers), failure(new RegExp(`no layer ${layers}: the model has ${layers}`)));
    else assert.deepEqual(view(engine.trace(pixels, { [kind === 'attentions' ? 'hiddenStates' : 'attentions']: false })), view(whole), `${name} needs nothing else`);
  }
});

test('what is inside a block is of the stream before it, or says by the options that there is none', () => {
  /** @type {Record<string, (trace: any, layer: number) => any>} */
  const inside = {
    query: (trace, layer) => trace.query({ layer, head: 0 }),
    mlp: (trace, layer) => trace.mlp({ layer, token: 'cls' }),
    unit: (trace, layer) => trace.unit({ layer, unit: 1 }),
    norms: (trace, layer) => trace.norms({ layer }),
  };
  const [without, first, rows] = [{ hiddenStates: false }, { layers: [0], attentions: false }, { queries: [/** @type {const} */ ('cls')] }].map((options) => engine.trace(pixels, options));
  for (const [name, view] of Object.entries(inside)) {
    for (let layer = 0; layer < layers; layer++) {
      const before = layer ? `layers: \\[${layer - 1}\\], whose stream layer ${layer} reads` : 'any layers';
      const needs = failure(new RegExp(`^${name} needs hiddenStates .*hiddenStates: true and ${before}\\.$`));
      assert.throws(() => view(without, layer), needs, name);
      if (layer > 1) assert.throws(() => view(first, layer), needs, name);
      else assert.deepEqual(view(first, layer), view(whole, layer), name);
      assert.deepEqual(view(rows, layer), view(whole, layer), name);
    }
  }
});

test("'all' among queries keeps all", () => {
  for (const queries of /** @type {(import('../../pkg/index.js').Query | 'all')[][]} */ ([['all'], ['cls', 'all', [0, 1]]])) {
    const trace = engine.trace(pixels, { queries });
    assert.equal(trace.queries, undefined);
    assert.deepEqual(trace.attentions, whole.attentions);
  }
});

test('a file of a light trace holds what there is, and says which layers', () => {
  const tensors = parseTensors(engine.trace(pixels, { layers: [1], attentions: false }).toSafetensors());
  assert.deepEqual(Object.keys(tensors).sort(), ['features', 'hidden_states', 'logits']);
  assert.deepEqual(tensors.hidden_states.shape, [2, tokens, hiddenSize]);
  const header = new TextDecoder().decode(engine.trace(pixels, { layers: [1] }).toSafetensors().subarray(8, 400));
  assert.match(header, /"layers":"\[1\]"/);
});

test('what can not be recorded is refused before the model runs', () => {
  for (const [options, message] of /** @type {[any, RegExp][]} */ ([
    [{ layers: [layers] }, /no layer/], [{ layers: [-1] }, /whole number/], [{ layers: [0.5] }, /whole number/], [{ layers: 1 }, /array/], [{ layers: null }, /array/],
    [{ attentions: 1 }, /attentions must be one of true, false/], [{ hiddenStates: 'no' }, /hiddenStates must be/], [{ heads: [0] }, /no option 'heads'/], [{ topK: 0 }, /topK/],
  ])) assert.throws(() => engine.trace(pixels, options), failure(message), JSON.stringify(options));
});

test('a trace becomes data and comes back, with all views but the lenses', async () => {
  for (const trace of [whole, engine.trace(pixels, { layers: [0] })]) {
    const data = structuredClone(trace);
    assert.ok(!(data instanceof Trace));
    const back = await Trace.from(data);
    assert.ok(back instanceof Trace);
    assert.deepEqual(structuredClone(back), data);
    for (const [name, [, view]] of Object.entries(VIEWS)) {
      const answer = (/** @type {any} */ of) => {
        try {
          return view(of, 0);
        } catch (error) {
          return /** @type {Error} */ (error).message;
        }
      };
      if (/Lens$/.test(name)) await assert.rejects(answer(back), failure(/model/), name);
      else assert.deepEqual(answer(back), answer(trace), name);
    }
    assert.deepEqual(back.toSafetensors(), trace.toSafetensors());
  }
  await assert.rejects(Trace.from(structuredClone(whole), { signal: AbortSignal.abort('no') }), (error) => error === 'no');
  for (const data of [undefined, null, {}, { ...whole, attentions: [] }, 'trace', { ...whole, grid: 3 }]) await assert.rejects(Trace.from(wrong(data)), failure(/Trace\.from takes/));
});

test('a trace that was posted to another thread has its views there', async () => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    parentPort.once('message', async (data) => {
      const { Trace } = await import(workerData);
      const trace = await Trace.from(data);
      parentPort.postMessage([trace.rollout(), trace.featureMap({ layer: 0 })]);
    });`;
  const worker = new Worker(code, { eval: true, workerData: new URL('../../pkg/dist/index.node.js', import.meta.url).href });
  const maps = await new Promise((resolve, reject) => {
    worker.on('message', resolve).on('error', reject);
    worker.postMessage(structuredClone(whole));
  });
  await worker.terminate();
  assert.deepEqual(maps, [whole.rollout(), whole.featureMap({ layer: 0 })]);
});

test('several are answered in order', () => {
  const others = pixels.map((x) => 1 - x);
  const logits = (/** @type {{logits: Float32Array}} */ answer) => answer.logits;
  assert.deepEqual(engine.classify([pixels, others, pixels]).map(logits), [pixels, others, pixels].map((one) => engine.classify(one).logits));
  assert.deepEqual(engine.classify([]), []);
  assert.equal(engine.classify([pixels], { topK: 2 })[0].top.length, 2);
});

test('an engine is disposed of where there is something to dispose by', { skip: !Symbol.dispose && 'this Node has no Symbol.dispose' }, async () => {
  const load = () => Engine.load(new URL('hf_vit/', FIXTURES));
  const [first, second] = await Promise.all([load(), load()]);
  first[Symbol.dispose]();
  await second[Symbol.asyncDispose]();
  for (const gone of [first, second]) assert.throws(() => gone.classify(pixels), failure(/closed/, 'closed'));
});
