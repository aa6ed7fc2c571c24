/** What a trace shows of the inside of a block, and a model of how patches become tokens: both engines alike. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Trace, Vitscope } from '../../pkg/dist/index.node.js';
import { failure, wrong } from './failures.mjs';
import { samples } from './pictures.mjs';
import { distance, readTensors } from './safetensors.mjs';

/** @typedef {Record<string, any>} Any */

const folder = (/** @type {string} */ name) => new URL(`../fixtures/${name}/`, import.meta.url);
const tensors = (/** @type {string} */ name, /** @type {string} */ file) => readTensors(new URL(file, folder(name)));
const [PICTURE] = samples();
/** What is to be closed, as a worker would wait for more. @type {Any[]} */
const opened = [];
afterEach(() => opened.splice(0).forEach((vit) => vit.close()));
/** @type {(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance?: number) => void} */
const close = (actual, expected, tolerance = 1e-5) => assert.ok(distance(actual, expected) < tolerance, `${[...Array.from(actual)].slice(0, 6)} instead of ${Array.from(expected).slice(0, 6)}`);
/** The lengths of all arrays in it. @param {Any} answer */
const lengths = (answer) => Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, value instanceof Float32Array ? value.length : value]));

/** Of one class token, of learned, relative or rotary positions, of a gate and a norm within, of no class token. */
const MODELS = ['hf_vit', 'hf_beit', 'timm_eva02', 'timm_gap'];

for (const [kind, load] of /** @type {[string, (source: URL, options?: any) => Promise<Any>][]} */ ([['Engine', Engine.load], ['Vitscope', Vitscope.load]])) {
  const open = async (/** @type {string} */ name, /** @type {Any} */ options = { dtype: 'f32' }) => {
    const vit = await load(folder(name), options);
    opened.push(vit);
    return vit;
  };

  test(`${kind}: shapes, and where nothing is told the last layer, head 0 and the usual token`, async () => {
    for (const name of MODELS) {
      const vit = await open(name);
      const trace = await vit.trace(PICTURE);
      const { layers, heads, tokens, hiddenSize, prefixTokens, grid: [rows, cols] } = trace;
      const [size, layer, units] = [hiddenSize / heads, layers - 1, vit.config.mlpSize];
      const { unturned, ...query } = await trace.query();
      const token = prefixTokens ? 0 : (rows >> 1) * cols + (cols >> 1);
      assert.deepEqual(lengths(query), { layer, head: 0, token, q: size, k: tokens * size, v: tokens * size, bias: name === 'hf_beit' ? tokens : null, scores: tokens, attention: tokens, context: size }, name);
      assert.deepEqual(unturned && lengths(unturned), name === 'timm_eva02' ? { q: size, k: tokens * size } : null);
      assert.deepEqual(lengths(await trace.mlp()), { layer, token, before: units, gate: name === 'timm_eva02' ? units : null, hidden: units });
      assert.deepEqual(lengths(await trace.norms()), { layer, stream: tokens, norm1: tokens, attention: tokens, between: tokens, norm2: tokens, mlp: tokens });
      const [height, width] = trace.patchSize;
      const position = name === 'hf_beit' ? null : hiddenSize;
      assert.deepEqual(lengths(await vit.patchEmbedding(PICTURE, { patch: [1, 2] })), { patch: [1, 2], pixels: 3 * height * width, projected: hiddenSize, position, token: hiddenSize });
      const { data, text, ...map } = await trace.unit({ unit: 5 });
      assert.deepEqual(map, { rows, cols, channels: 1, signed: true, crop: trace.crop });
      assert.equal(text, `Layer ${layer}, hidden unit 5 of the MLP: its value in each patch`);
      assert.equal(data.length, rows * cols);
    }
  });

  test(`${kind}: they belong together, and are what the trace has`, async () => {
    for (const name of MODELS) {
      const vit = await open(name);
      const trace = await vit.trace(PICTURE);
      const { heads, tokens, hiddenSize, prefixTokens, grid: [, cols] } = trace;
      const [layer, head, size] = [1, 1, hiddenSize / heads];
      const { token, q, k, v, bias, scores, attention, context } = await trace.query({ layer, head, query: [1, 2] });
      assert.equal(token, prefixTokens + cols + 2);
      const products = Array.from({ length: tokens }, (_, t) => q.reduce((/** @type {number} */ sum, /** @type {number} */ x, /** @type {number} */ i) => sum + x * k[t * size + i], 0) / Math.sqrt(size) + (bias?.[t] ?? 0));
      close(scores, products);
      const sum = products.reduce((sum, score) => sum + Math.exp(score), 0);
      close(attention, products.map((score) => Math.exp(score) / sum));
      close(attention, trace.attentions.subarray(((layer * heads + head) * tokens + token) * tokens).subarray(0, tokens));
      close(context, Array.from(q, (_, i) => attention.reduce((/** @type {number} */ sum, /** @type {number} */ share, /** @type {number} */ t) => sum + share * v[t * size + i], 0)));

      const [{ stream, between }, { data }, { hidden }] = [await trace.norms({ layer }), await trace.unit({ layer, unit: 3 }), await trace.mlp({ layer, token: [1, 2] })];
      const stored = (/** @type {number} */ t) => Math.hypot(...trace.hiddenStates.subarray((layer * tokens + t) * hiddenSize).subarray(0, hiddenSize));
      close(stream, Array.from({ length: tokens }, (_, t) => stored(t)));
      assert.notDeepEqual(between, stream);
      close([data[cols + 2], data[0]], [hidden[3], (await trace.mlp({ layer, token: [0, 0] })).hidden[3]]);

      const { token: first } = await vit.patchEmbedding(PICTURE, { patch: [1, 2] });
      close(first, trace.hiddenStates.subarray(token * hiddenSize).subarray(0, hiddenSize), 1e-6);
    }
  });

  test(`${kind}: every kind of token, and PyTorch's numbers of one`, async () => {
    const name = 'timm_deit_distilled';
    const trace = await (await open(name)).trace(PICTURE);
    assert.deepEqual([(await trace.query({ query: 'cls' })).token, (await trace.mlp({ token: 'distillation' })).token, (await trace.mlp({ token: [0, 1] })).token], [0, 1, 3]);
    const registers = await (await open('hf_dinov2_reg')).trace(PICTURE);
    assert.equal((await registers.query({ query: { register: 1 } })).token, 2);
    if (kind === 'Engine') {
      const { pixel_values: pixels } = tensors(name, 'expected.safetensors');
      const seen = (await open(name)).trace(pixels.data);
      const expected = tensors(name, 'inside.safetensors');
      close((await seen.query({ head: seen.heads - 1, query: 'cls' })).scores, expected[`query scores layer=${seen.layers - 1} head=${seen.heads - 1} query=cls`].data, 1e-4);
      close((await seen.mlp()).hidden, expected[`mlp hidden layer=${seen.layers - 1} query=cls`].data, 1e-4);
    }
  });

  test(`${kind}: a trace of another size is looked into as before; a part of it is enough`, async () => {
    for (const name of ['hf_beit', 'timm_eva02']) {
      const vit = await open(name);
      const trace = await vit.trace(PICTURE);
      const views = async () => [await trace.query({ query: [1, 1] }), await trace.mlp({ token: [2, 0] }), await trace.unit({ unit: 0 }), await trace.norms({ layer: 0 })];
      const before = await views();
      await vit.resize(vit.config.imageSize.map((/** @type {number} */ edge, /** @type {number} */ i) => edge + (i + 1) * vit.config.patchSize[i]));
      assert.deepEqual(await views(), before, name);
    }
    const vit = await open('hf_vit');
    const [whole, part] = [await vit.trace(PICTURE), await vit.trace(PICTURE, { layers: [1], attentions: false })];
    assert.deepEqual(await part.query({ layer: 2 }), await whole.query({ layer: 2 }));
    assert.deepEqual(await part.norms({ layer: 0 }), await whole.norms({ layer: 0 }));
    await assert.rejects(async () => part.mlp({ layer: 1 }), failure(/^mlp needs hiddenStates that this trace does not have.*layers: \[0\], whose stream layer 1 reads\.$/));
    const none = await vit.trace(PICTURE, { hiddenStates: false });
    await assert.rejects(async () => none.norms({ layer: 0 }), failure(/^norms needs hiddenStates/));
  });

  test(`${kind}: what a pass left out has no part in what is computed again of it`, async () => {
    for (const name of ['hf_beit', 'timm_eva02']) {
      const trace = await (await open(name)).trace(PICTURE);
      const [query, norms] = [await trace.query({ layer: 1 }), await trace.norms({ layer: 1 })];
      const heads = Array.from({ length: trace.heads }, (_, head) => [1, head]);
      trace.without = { heads: [[0, 0], ...heads], positions: false };
      assert.deepEqual(await trace.query({ layer: 1 }), query);
      const { attention } = await trace.norms({ layer: 1 });
      assert.equal(new Set(attention).size, 1, 'all that is left is a bias');
      assert.notDeepEqual(attention, norms.attention);
      trace.without = { heads: [[0, 0]], positions: true };
      const plain = await trace.query({ layer: 1, query: [1, 1] });
      assert.deepEqual([plain.bias, plain.unturned], [null, null]);
      assert.notDeepEqual(await trace.norms({ layer: 1 }), norms);
    }
  });

  test(`${kind}: patch filters as they are make what a patch is projected to`, async () => {
    const vit = await open('hf_vit');
    const { pixels, projected } = await vit.patchEmbedding(PICTURE, { patch: [0, 3] });
    const { projected: other, pixels: others } = await vit.patchEmbedding(PICTURE, { patch: [2, 2] });
    const filters = await vit.patchFilters({ outputs: [7, 0] });
    assert.deepEqual(filters.map((/** @type {Any} */ { text, rows, cols, channels, signed }) => [text, rows, cols, channels, signed]), [7, 0].map((output) => [`Patch embedding: the filter of output ${output}`, 6, 6, 3, true]));
    const product = (/** @type {Any} */ { data }, /** @type {Float32Array} */ x) => data.reduce((/** @type {number} */ sum, /** @type {number} */ w, /** @type {number} */ j) => sum + w * x[(j % 3) * 36 + Math.floor(j / 3)], 0);
    for (const [i, output] of [7, 0].entries()) close([product(filters[i], pixels) - product(filters[i], others)], [projected[output] - other[output]], 1e-4);
  });

  test(`${kind}: what can't be shown is refused, and nothing after close`, async () => {
    const vit = await open('hf_vit');
    const trace = await vit.trace(PICTURE);
    for (const [ask, message] of /** @type {[() => any, RegExp][]} */ ([
      [() => trace.query({ query: 'mean' }), /^query 'mean' is no one token/],
      [() => trace.mlp({ token: 'mean' }), /^token 'mean' is no one token/],
      [() => trace.query({ query: 'distillation' }), /no distillation token/],
      [() => trace.query({ query: [9, 0] }), /no patch 9,0/],
      [() => trace.query({ head: 4 }), /no head 4: the model has 4/],
      [() => trace.query({ head: wrong('mean') }), /^head must be a whole number/],
      [() => trace.query({ layer: 3 }), /There is no layer 3/],
      [() => trace.query(wrong({ token: 'cls' })), /no option 'token' here/],
      [() => trace.unit(wrong(undefined)), /^unit must be a whole number/],
      [() => trace.unit({ unit: vit.config.mlpSize }), /no hidden unit 51/],
      [() => trace.norms({ layer: -1 }), /^layer must be/],
      [() => vit.patchEmbedding(PICTURE, wrong(undefined)), /^patch must be the \[row, col\]/],
      [() => vit.patchEmbedding(PICTURE, { patch: [0, 4] }), /no patch 0,4/],
      [() => vit.patchFilters({ outputs: [0], count: 1 }), /not both/],
      [() => vit.patchFilters({ outputs: [] }), /^outputs must be an array/],
      [() => vit.patchFilters({ outputs: [36] }), /no output 36/],
    ])) await assert.rejects(async () => ask(), failure(message), `${ask}`);
    if (kind === 'Vitscope') {
      for (const ask of ['query', 'mlp', 'norms']) await assert.rejects(trace[ask]({ signal: AbortSignal.abort() }), { name: 'AbortError' });
    }
    const data = await Trace.from(structuredClone({ ...trace }));
    await assert.rejects(data.query(), failure(/made of data has no model, which query needs/));
    await assert.rejects(data.logitLens(), failure(/which logitLens needs/));
    vit.close();
    for (const ask of [() => trace.query(), () => trace.mlp(), () => trace.unit({ unit: 0 }), () => trace.norms(), () => vit.patchEmbedding(PICTURE, { patch: [0, 0] })]) await assert.rejects(async () => ask(), failure(/closed/, 'closed'), `${ask}`);
  });
}
