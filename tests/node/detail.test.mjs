/** Traces of many patches: the rows of some queries, the rollout made on the way, layers on their own. What they keep is what a whole trace has. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Trace, Vitscope } from '../../pkg/dist/index.node.js';
import { failure, wrong } from './failures.mjs';
import { samples } from './pictures.mjs';
import { distance, parseTensors } from './safetensors.mjs';

/**
 * @typedef {Record<string, any>} Any
 * @typedef {import('../../pkg/index.js').Query} Query
 */

const folder = (/** @type {string} */ name) => new URL(`../fixtures/${name}/`, import.meta.url);
const [PICTURE] = samples();
/** @type {Any[]} */
const opened = [];
afterEach(() => opened.splice(0).forEach((vit) => vit.close()));
/** @template {Any} T @param {T} vit */
const kept = (vit) => (opened.push(vit), vit);
const load = async (/** @type {string} */ name, /** @type {import('../../pkg/index.js').LoadOptions} */ options = {}) => kept(await Engine.load(folder(name), options));
/** @type {(actual: any, expected: any, name: string, tolerance?: number) => void} */
const close = ({ data, ...rest }, { data: expected, ...others }, name, tolerance = 1e-6) => {
  assert.deepEqual(rest, others, name);
  assert.ok(distance(data, expected) < tolerance, `${name}: ${distance(data, expected)}`);
};
/** Of each kind: with a class token, with two tokens before the patches, with registers and without a class token, in integers. @type {[string, Query[], import('../../pkg/index.js').LoadOptions?][]} */
const MODELS = [
  ['hf_vit', ['cls', [1, 2], 'mean']],
  ['timm_deit_distilled', ['distillation', 'cls', [0, 0]]],
  ['timm_reg_gap', ['mean', { register: 1 }, [0, 1]]],
  ['hf_vit', ['cls', [0, 1], 'mean'], { dtype: 'int8', threads: 1 }],
];

test('the head maps of kept queries are those of a whole trace, to the bit, in every layer and head', async () => {
  for (const [name, queries, options] of MODELS) {
    const engine = await load(name, options);
    const whole = engine.trace(PICTURE);
    const trace = engine.trace(PICTURE, { queries, hiddenStates: false });
    const { layers, heads, tokens } = whole;
    assert.deepEqual(trace.queries, queries);
    assert.equal('queries' in whole, false);
    assert.equal(trace.attentions.length, layers * heads * queries.length * tokens);
    assert.deepEqual([trace.logits, trace.recorded, trace.hiddenStates.length], [whole.logits, whole.recorded, 0]);
    for (const query of queries) {
      for (let layer = 0; layer < layers; layer++) {
        for (let head = 0; head < heads; head++) {
          for (const cut of [{}, { mass: 0.5 }, { clip: 80 }]) assert.deepEqual(trace.headMap({ layer, head, query, ...cut }), whole.headMap({ layer, head, query, ...cut }), `${name} ${layer} ${head} ${query}`);
        }
        close(trace.headMap({ layer, query }), whole.headMap({ layer, query }), `${name} ${layer} ${query}`);
        for (const head of /** @type {const} */ (['max', 'min'])) {
          const ask = () => trace.headMap({ layer, head, query });
          if (query === 'mean') assert.throws(ask, failure(new RegExp(`^headMap by the ${head} of heads needs .*queries left out\\.$`)));
          else assert.deepEqual(ask(), whole.headMap({ layer, head, query }));
        }
      }
    }
    close(trace.headMap(), whole.headMap(), `${name}: the usual query is one of them`);
  }
});

test('rows and layers are chosen together; who is named twice is kept once', async () => {
  const engine = await load('hf_vit');
  const whole = engine.trace(PICTURE);
  const { heads, tokens } = whole;
  const trace = engine.trace(PICTURE, { layers: [2, 0], queries: [[1, 1], 'cls', [1, 1]] });
  assert.deepEqual([trace.recorded, trace.queries], [[0, 2], [[1, 1], 'cls']]);
  const token = [trace.prefixTokens + whole.grid[1] + 1, 0];
  trace.recorded.forEach((/** @type {number} */ layer, /** @type {number} */ i) => {
    for (let h = 0; h < heads; h++) {
      token.forEach((q, n) => {
        const row = (/** @type {Float32Array} */ data, /** @type {number} */ at) => data.subarray(at * tokens, (at + 1) * tokens);
        assert.deepEqual(row(trace.attentions, (i * heads + h) * 2 + n), row(whole.attentions, (layer * heads + h) * tokens + q));
      });
    }
  });
  assert.deepEqual(trace.headMap({ layer: 2, head: 1 }), whole.headMap({ layer: 2, head: 1 }));
  assert.throws(() => trace.headMap({ layer: 1 }), failure(/^headMap needs attentions .*layers: \[1\]/));
});

test('what needs other rows says so, by the option', async () => {
  const engine = await load('hf_vit');
  const trace = engine.trace(PICTURE, { queries: ['cls'] });
  for (const [view, message] of /** @type {[() => unknown, RegExp][]} */ ([
    [() => trace.headMap({ query: [0, 1] }), /^headMap needs the attention of patch \(0, 1\), which this trace does not have\. Record it with that query among queries, or queries left out\.$/],
    [() => trace.headMap({ query: 'mean' }), /attention of the average patch/],
    [() => trace.rollout(), /^rollout needs attentions .*rollout: \{fusion: 'mean', discard: 0\}, or .*queries left out\.$/],
    [() => trace.attentionDistance(), /^attentionDistance needs attentions .*queries left out\.$/],
    [() => trace.attentionEntropy(), /^attentionEntropy needs attentions .*queries left out\.$/],
  ])) assert.throws(view, failure(message), String(view));
  assert.ok(trace.featureMap().data.length && trace.logitLens().data.length, 'the stream is all there');
  for (const [options, message] of /** @type {[any, RegExp][]} */ ([
    [{ queries: 'cls' }, /^queries must be an array of one query or more/], [{ queries: [] }, /^queries must be/], [{ queries: null }, /^queries must be/], [{ queries: [undefined] }, /^queries must be/],
    [{ queries: ['all', 'none'] }, /^query must be 'cls'.*'none'/], [{ queries: [[0, 99]] }, /no patch 0,99/], [{ queries: ['distillation'] }, /no distillation token/],
    [{ rollout: true }, /^rollout must be an object/], [{ rollout: 'mean' }, /^rollout must be an object/], [{ rollout: { fusion: 'sum' } }, /fusion must be one of/], [{ rollout: { discard: 1 } }, /discard is 1/], [{ rollout: { discard: '0' } }, /discard must be a number/],
    [{ rollout: { query: 'cls' } }, /no option 'query'/],
  ])) assert.throws(() => engine.trace(PICTURE, options), failure(message), JSON.stringify(options));
  assert.deepEqual(engine.trace(PICTURE).logits, trace.logits, 'what was refused left nothing behind');
});

test('a rollout that was made on the way is that of a whole trace, for every query', async () => {
  for (const [name, queries, options] of MODELS) {
    const engine = await load(name, options);
    const whole = engine.trace(PICTURE);
    for (const rollout of /** @type {const} */ ([{}, { fusion: 'max', discard: 0.5 }, { fusion: 'min' }, { discard: 0.9 }])) {
      const trace = engine.trace(PICTURE, { attentions: false, hiddenStates: false, layers: [1], rollout });
      assert.deepEqual(trace.rolled, { fusion: 'mean', discard: 0, ...rollout });
      assert.deepEqual([trace.rollouts?.length, trace.attentions.length], [whole.tokens ** 2, 0]);
      assert.deepEqual(trace.logits, whole.logits);
      for (const query of [...queries, undefined]) close(trace.rollout({ ...rollout, query }), whole.rollout({ ...rollout, query }), `${name} ${JSON.stringify(rollout)} ${query}`);
      assert.throws(() => trace.rollout({ ...rollout, discard: 0.1 }), failure(/^rollout needs attentions .*Record it with rollout: \{fusion: '\w+', discard: 0\.1\}, or attentions: true and (layers|queries) left out\.$/));
      assert.throws(() => trace.rollout({ ...rollout, query: [0, 99] }), failure(/no patch 0,99/));
    }
    const both = engine.trace(PICTURE, { rollout: {} });
    assert.deepEqual(both.rollout({ fusion: 'max' }), whole.rollout({ fusion: 'max' }), 'others come of the attention');
    assert.deepEqual(both.attentions, whole.attentions);
  }
});

test('distance and entropy of some layers are those rows of all', async () => {
  const engine = await load('hf_vit');
  const whole = engine.trace(PICTURE);
  for (const layers of [[0], [2, 0]]) {
    const trace = engine.trace(PICTURE, { layers, hiddenStates: false });
    for (const view of /** @type {const} */ (['attentionDistance', 'attentionEntropy'])) {
      const { rows, cols, data, text } = trace[view]();
      const all = whole[view]();
      assert.deepEqual([rows, cols], [layers.length, whole.heads]);
      assert.deepEqual([...data], trace.recorded.flatMap((/** @type {number} */ layer) => [...all.data.subarray(layer * cols, (layer + 1) * cols)]));
      assert.match(text, new RegExp(`in layers ${trace.recorded.join(', ')} \\(rows\\)$`));
      assert.match(all.text, /in each layer \(rows\)$/);
    }
  }
});

test('such a trace becomes a file, and data, and comes back', async () => {
  const engine = await load('hf_vit');
  const { layers, heads, tokens } = engine.config;
  const trace = engine.trace(PICTURE, { queries: [[0, 1], 'cls'], rollout: { discard: 0.5 }, hiddenStates: false });
  const file = trace.toSafetensors();
  const tensors = parseTensors(file);
  assert.deepEqual([tensors.attentions.shape, tensors.rollout.shape], [[layers, heads, 2, tokens], [tokens, tokens]]);
  assert.deepEqual([tensors.attentions.data, tensors.rollout.data], [trace.attentions, trace.rollouts]);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + new DataView(file.buffer).getUint32(0, true))));
  assert.deepEqual(header.__metadata__, { queries: '[[0,1],"cls"]', rollout: '{"fusion":"mean","discard":0.5}' });
  const data = structuredClone(trace);
  const back = await Trace.from(data);
  assert.deepEqual(structuredClone(back), data);
  for (const view of /** @type {((trace: any) => any)[]} */ ([(trace) => trace.headMap(), (trace) => trace.headMap({ query: [0, 1], layer: 0, head: 2 }), (trace) => trace.rollout({ discard: 0.5, query: [1, 1] }), (trace) => trace.toSafetensors()])) assert.deepEqual(view(back), view(trace));
  assert.throws(() => back.headMap({ query: [1, 1] }), failure(/patch \(1, 1\)/));
  for (const part of [{ queries: 'cls' }, { rollouts: [] }]) await assert.rejects(Trace.from(wrong({ ...data, ...part })), failure(/Trace\.from takes/));
  const fewer = await Trace.from({ ...data, queries: [[0, 1]] });
  assert.throws(() => fewer.headMap({ query: [0, 1] }), failure(/attentions has \d+ values/));
});

test('in a worker the same, on one thread and on two; called off between blocks, the next is right', async () => {
  const engine = await load('hf_vit');
  const options = { queries: [/** @type {const} */ ('mean'), /** @type {[number, number]} */ ([1, 1])], rollout: { fusion: /** @type {const} */ ('max'), discard: 0.2 } };
  const { timing, ...expected } = engine.trace(PICTURE, options);
  for (const threads of [1, 2]) {
    const vit = kept(await Vitscope.load(folder('hf_vit'), { threads }));
    for (const late of [0, 1, 5]) {
      const stop = new AbortController();
      const called = vit.trace(PICTURE, { ...options, signal: stop.signal });
      setTimeout(() => stop.abort(new Error('enough')), late);
      await called.catch((error) => assert.equal(error.message, 'enough'));
    }
    const { timing, ...trace } = await vit.trace(PICTURE, options);
    assert.deepEqual(trace, expected, `${threads} threads`);
    const classes = await vit.trace(PICTURE, { attentions: false, hiddenStates: false });
    assert.deepEqual([classes.attentions.length, classes.rollouts, classes.queries], [0, undefined, undefined], 'nothing stays of the one before');
  }
});

test('what is recorded at a larger size is of that size, and a few rows are a few kilobytes', async () => {
  const engine = kept(await Engine.load(new URL('../../models/vitscope-tiny/', import.meta.url)));
  engine.resize(20 * engine.config.patchSize[0]);
  const { layers, heads, tokens } = engine.config;
  const trace = engine.trace(PICTURE, { queries: ['mean', [19, 19]], rollout: {}, hiddenStates: false });
  assert.deepEqual([trace.grid, trace.attentions.byteLength, trace.rollouts?.byteLength], [[20, 20], 4 * layers * heads * 2 * tokens, 4 * tokens ** 2]);
  const whole = engine.trace(PICTURE, { hiddenStates: false });
  assert.deepEqual(trace.headMap({ query: [19, 19], head: 'max' }), whole.headMap({ query: [19, 19], head: 'max' }));
  for (const query of [undefined, /** @type {const} */ ('mean'), /** @type {[number, number]} */ ([19, 19])]) close(trace.rollout({ query }), whole.rollout({ query }), `${query}`, 5e-6);
});
