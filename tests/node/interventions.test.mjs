/** Passes without heads or positions, and with patches in another order: by the package as by PyTorch (tests/fixtures/interventions.py), and nothing of it stays. */
import assert from 'node:assert/strict';
import { readdirSync, existsSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Trace, Vitscope } from '../../pkg/dist/index.node.js';
import { failure, wrong } from './failures.mjs';
import { samples } from './pictures.mjs';
import { distance, readTensors } from './safetensors.mjs';

/** @typedef {Record<string, any>} Any */

const FIXTURES = new URL('../fixtures/', import.meta.url);
const TOLERANCE = 1e-4;
const folder = (/** @type {string} */ name) => new URL(`${name}/`, FIXTURES);
const MODELS = readdirSync(FIXTURES).filter((name) => existsSync(new URL(`${name}/interventions.safetensors`, FIXTURES)));
const [PICTURE] = samples();
const LOADS = /** @type {[string, (source: URL, options?: any) => Promise<Any>][]} */ ([['Engine', Engine.load], ['Vitscope', Vitscope.load]]);
/** @type {Any[]} */
const opened = [];
afterEach(() => opened.splice(0).forEach((vit) => vit.close()));
/** @template {Any} T @param {T} vit */
const kept = (vit) => (opened.push(vit), vit);
/** Without what no two runs share. @param {any} answer */
const lasting = ({ timing, ...rest }) => rest;

/** What a fixture's tensor is called by, as options. @param {string} name @returns {import('../../pkg/index.js').InterventionOptions} */
function parse(name) {
  const said = Object.fromEntries(name.split(' ').map((option) => option.split('=')));
  const heads = said['without-heads']?.split(',').map((/** @type {string} */ head) => head.split('.').map(Number));
  const positions = 'without-positions' in said;
  return { ...((heads || positions) && { without: { ...(heads && { heads }), ...(positions && { positions }) } }), ...(said.order && { order: said.order.split(',').map(Number) }) };
}

test('every model answers as PyTorch does', async () => {
  assert.ok(MODELS.length > 90);
  for (const name of MODELS) {
    const { pixel_values } = readTensors(new URL(`${name}/expected.safetensors`, FIXTURES));
    const engine = kept(await Engine.load(folder(name)));
    for (const [told, { data }] of Object.entries(readTensors(new URL(`${name}/interventions.safetensors`, FIXTURES)))) {
      const { logits, features } = engine.classify(pixel_values.data, parse(told));
      assert.ok(distance(engine.config.numClasses ? logits : features, data) < TOLERANCE, `${name} ${told}`);
    }
  }
});

for (const [kind, load] of LOADS) {
  test(`${kind}: classify and trace are told the same, alone, in lists and together; what follows is as it was`, async () => {
    for (const [name, dtype] of [['hf_vit', 'f32'], ['hf_beit', 'int8'], ['timm_eva02', 'f32']]) {
      const vit = kept(await load(folder(name), { dtype }));
      const plain = lasting(await vit.classify(PICTURE));
      const all = lasting({ ...(await vit.trace(PICTURE)) });
      const map = await vit.attribute(PICTURE, { target: 1 });
      const [rows, cols] = vit.config.grid;
      const order = Array.from({ length: rows * cols }, (_, i) => rows * cols - 1 - i);
      const seen = [plain.logits];
      for (const told of [{ without: { heads: [[0, 1], [1, 0]] } }, { without: { positions: true } }, { order }, { without: { heads: [[1, 1]], positions: true }, order, topK: 2 }]) {
        const answer = lasting(await vit.classify(PICTURE, told));
        assert.ok(seen.every((logits) => distance(answer.logits, logits) > 1e-3), `${name} ${JSON.stringify(told)}`);
        seen.push(answer.logits);
        assert.deepEqual((await vit.classify([PICTURE, PICTURE], told)).map(lasting), [answer, answer]);
        assert.deepEqual((await vit.trace(PICTURE, told)).logits, answer.logits);
        assert.deepEqual(lasting(await vit.classify(PICTURE)), plain);
      }
      await vit.classify(PICTURE, { order });
      assert.deepEqual(await vit.attribute(PICTURE, { target: 1 }), map);
      assert.deepEqual(lasting({ ...(await vit.trace(PICTURE)) }), all);
      assert.ok(!('without' in all) && !('order' in all));
    }
  });

  test(`${kind}: nothing left out, and the order that there is, change no bit`, async () => {
    const vit = kept(await load(folder('hf_vit')));
    const plain = lasting(await vit.classify(PICTURE));
    const same = Array.from({ length: 16 }, (_, i) => i);
    for (const told of [{ without: {} }, { without: { heads: [], positions: false } }, { without: undefined, order: undefined }, { order: same }]) {
      assert.deepEqual(lasting(await vit.classify(PICTURE, told)), plain);
      const trace = await vit.trace(PICTURE, told);
      assert.ok(!('without' in trace));
      assert.deepEqual(trace.order, told.order);
    }
  });

  test(`${kind}: heads that are left out keep their attention; a patch takes its place's token`, async () => {
    const vit = kept(await load(folder('hf_vit')));
    const plain = await vit.trace(PICTURE);
    const without = await vit.trace(PICTURE, { without: { heads: [[0, 0]] } });
    assert.deepEqual(without.headMap({ layer: 0, head: 0 }), plain.headMap({ layer: 0, head: 0 }));
    assert.notDeepEqual(without.headMap({ layer: 1, head: 0 }).data, plain.headMap({ layer: 1, head: 0 }).data);

    const order = Array.from({ length: 16 }, (_, i) => (i + 5) % 16);
    const alone = await vit.trace(PICTURE, { without: { positions: true } });
    const ordered = await vit.trace(PICTURE, { without: { positions: true }, order });
    const size = plain.hiddenSize;
    const token = (/** @type {any} */ trace, /** @type {number} */ patch) => trace.hiddenStates.slice((1 + patch) * size, (2 + patch) * size);
    order.forEach((patch, place) => assert.deepEqual(token(ordered, place), token(alone, patch), 'the embeddings'));
    assert.ok(distance(ordered.logits, alone.logits) < 1e-5);
  });

  test(`${kind}: a trace says what it was told, as data, in another place and in a file`, async () => {
    const vit = kept(await load(folder('hf_vit')));
    const order = [3, 2, 1, 0, ...Array.from({ length: 12 }, (_, i) => i + 4)];
    /** @type {[number, number][]} */
    const heads = [[0, 1], [2, 3], [0, 1]];
    const trace = await vit.trace(PICTURE, { without: { heads }, order, layers: [2] });
    const said = { without: { heads: [[0, 1], [2, 3]], positions: false }, order };
    heads[0][1] = 2;
    const { without, order: own } = trace;
    assert.deepEqual({ without, order: own }, said);
    const copy = await Trace.from(structuredClone({ ...trace }));
    assert.deepEqual({ without: copy.without, order: copy.order }, said);
    for (const one of [trace, copy]) {
      const file = one.toSafetensors();
      const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true)))));
      assert.deepEqual(Object.fromEntries(Object.entries(header.__metadata__).map(([name, value]) => [name, JSON.parse(value)])), { layers: [2], ...said });
    }
  });

  test(`${kind}: what is not there, or not what it should be, is refused by a sentence, and harms nothing`, async () => {
    const vit = kept(await load(folder('hf_vit')));
    const before = lasting(await vit.classify(PICTURE));
    const places = Array.from({ length: 16 }, (_, i) => i);
    for (const [told, message] of /** @type {[any, RegExp][]} */ ([
      [{ without: null }, /^without must be an object with heads, positions or both, or left out; not null\.$/],
      [{ without: [[0, 0]] }, /^without must be an object/],
      [{ without: 'positions' }, /^without must be an object.* not 'positions'\.$/],
      [{ without: { head: [[0, 0]] } }, /^There is no part to leave out by the name of 'head' here\. What there is: heads, positions\.$/],
      [{ without: { positions: 1 } }, /^positions must be one of true, false; not 1\.$/],
      [{ without: { heads: 3 } }, /^heads must be an array of \[layer, head\], or left out; not 3\.$/],
      [{ without: { heads: [0, 1] } }, /^Each of heads must be a \[layer, head\]; not 0\.$/],
      [{ without: { heads: [[0, 1, 2]] } }, /^Each of heads must be a \[layer, head\]; not 0,1,2\.$/],
      [{ without: { heads: [[3, 0]] } }, /^There is no layer 3: the model has 3, and they count from 0\.$/],
      [{ without: { heads: [[0, 4]] } }, /^There is no head 4: each layer of the model has 4, and they count from 0\.$/],
      [{ without: { heads: [[-1, 0]] } }, /^layer must be a whole number from 0 on, not -1\.$/],
      [{ without: { heads: [[0, '1']] } }, /^head must be a whole number from 0 on, not '1'\.$/],
      [{ order: 'reversed' }, /^order must be an array with the number of a patch for each place, or left out; not 'reversed'\.$/],
      [{ order: [0, 1.5] }, /^Each patch of order must be a whole number from 0 on, not 1\.5\.$/],
      [{ order: new Array(16) }, /^Each patch of order must be a whole number from 0 on, not undefined\.$/],
      [{ order: places.slice(1) }, /^The order has 15 patches where the image has 16: it must have all of these, each once\.$/],
      [{ order: [...places, 16] }, /^The order has 17 patches/],
      [{ order: places.map((i) => i + 1) }, /^there is no patch 16 to put in order: the image has 16, and they count from 0\.$/],
      [{ order: places.with(7, 3) }, /^the order has patch 3 twice/],
    ])) {
      await assert.rejects(async () => vit.classify(PICTURE, wrong(told)), failure(message));
      await assert.rejects(async () => vit.trace(PICTURE, wrong(told)), failure(message));
    }
    for (const call of ['attribute', 'curves']) {
      await assert.rejects(async () => vit[call](PICTURE, ...(call === 'curves' ? [(await vit.trace(PICTURE)).headMap()] : []), { without: { positions: true } }), failure(/There is no option 'without' here/));
    }
    assert.deepEqual(lasting(await vit.classify(PICTURE)), before);
  });
}

test('threads change no bit', async () => {
  for (const dtype of ['f32', 'int8']) {
    const several = await Promise.all([2, 3].map((threads) => Vitscope.load(folder('timm_vit'), { threads, dtype: wrong(dtype) })));
    several.forEach(kept);
    assert.deepEqual(several.map((vit) => vit.backend.threads), [2, 3]);
    const told = { without: { heads: /** @type {[number, number][]} */ ([[0, 1], [1, 0]]) }, order: Array.from({ length: 36 }, (_, i) => 35 - i) };
    const [two, three] = await Promise.all(several.map((vit) => vit.classify(PICTURE, told)));
    assert.deepEqual(two.logits, three.logits, dtype);
  }
});

test('an order is of the size at its turn; what is aborted leaves nothing behind', async () => {
  const vit = kept(await Vitscope.load(folder('hf_vit')));
  const plain = lasting(await vit.classify(PICTURE));
  const order = (/** @type {number} */ patches) => Array.from({ length: patches }, (_, i) => patches - 1 - i);
  const resized = vit.resize([24, 30]);
  const wide = vit.classify(PICTURE, { order: order(20) });
  const back = vit.resize(24);
  const stop = new AbortController();
  const aborted = vit.classify(PICTURE, { without: { positions: true }, order: order(16), signal: stop.signal });
  const after = vit.classify(PICTURE);
  stop.abort(new Error('enough'));
  await assert.rejects(aborted, /enough/);
  await Promise.all([resized, wide, back]);
  assert.deepEqual(lasting(await after), plain);
});
