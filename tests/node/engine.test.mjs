/** The synchronous engine in Node, against what PyTorch computed (tests/fixtures), and its failures by code. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Engine, VitscopeError } from '../../pkg/dist/engine.node.js';
import { distance, readTensors } from './safetensors.mjs';
import { TINY_TIMM, tinyTimm } from './tiny_timm.mjs';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const TOLERANCE = 1e-4;

const folder = (/** @type {string} */ name) => new URL(`${name}/`, FIXTURES);
const bytes = (/** @type {string} */ path) => new Uint8Array(readFileSync(new URL(path, FIXTURES)));
const text = (/** @type {string} */ path) => readFileSync(new URL(path, FIXTURES), 'utf8');
const parts = () => ({ config: JSON.parse(text('hf_vit/config.json')), preprocessor: text('hf_vit/preprocessor_config.json'), weights: bytes('hf_vit/model.safetensors') });
const gradient = (/** @type {number} */ width, /** @type {number} */ height) => ({ width, height, data: Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : (7 * i) % 256)) });

/** Lets through what no typed caller would pass. @returns {any} */
const wrong = (/** @type {any} */ value) => value;

/** A check for assert.throws and assert.rejects. */
const failure = (/** @type {string} */ code, message = /./) => (/** @type {any} */ error) => {
  assert.ok(error instanceof VitscopeError, `${error?.stack}`);
  assert.equal(error.name, 'VitscopeError');
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};

// (Those with stages are in stages.test.mjs.)
const MODELS = readdirSync(FIXTURES).filter((name) => ['', 'open_clip_'].some((start) => existsSync(new URL(`${name}/${start}config.json`, FIXTURES))))
  .filter((name) => readTensors(new URL(`${name}/expected.safetensors`, FIXTURES)).attentions);
assert.ok(MODELS.length > 40);

for (const name of MODELS) {
  test(`${name}: results and every attention map as PyTorch's`, async () => {
    const { pixel_values, logits, features, attentions } = readTensors(new URL(`${name}/expected.safetensors`, FIXTURES));
    const engine = await Engine.load(folder(name));
    const trace = engine.trace(pixel_values.data, { topK: 3 });
    if (logits) assert.ok(distance(trace.logits, logits.data) < TOLERANCE);
    else assert.ok(distance(trace.features, features.data) < TOLERANCE);
    assert.ok(distance(trace.attentions, attentions.data) < TOLERANCE);

    const { config } = engine;
    assert.deepEqual([trace.layers, trace.heads, trace.tokens, trace.tokens], attentions.shape);
    assert.deepEqual([config.layers, config.heads, config.tokens], attentions.shape.slice(0, 3));
    assert.deepEqual([3, ...config.imageSize], pixel_values.shape);
    assert.equal(config.numClasses, logits ? logits.data.length : 0);
    assert.equal(config.labels.length, config.numClasses);
    assert.equal(trace.features.length, config.numFeatures);
    assert.equal(trace.tokens, trace.prefixTokens + trace.grid[0] * trace.grid[1]);
    assert.equal(trace.prefix.length, trace.prefixTokens);
    assert.equal(config.positions.includes('rotary'), /dinov3|eva02|lingbot|_pe_|_rope/.test(name));
    assert.equal(config.dtype, 'f32');

    const answer = engine.classify(pixel_values.data, { topK: 3 });
    assert.deepEqual(answer.logits, trace.logits, 'recording attention changes nothing');
    assert.deepEqual(answer.top, trace.top);
    const order = logits ? [...logits.data.keys()].sort((a, b) => logits.data[b] - logits.data[a]).slice(0, 3) : [];
    assert.deepEqual(answer.top.map(({ index }) => index), order);
    assert.deepEqual(answer.top.map(({ label }) => label), order.map((i) => config.labels[i]));
    engine.close();
  });
}

test('another image size, as one number or as two', async () => {
  const expected = readTensors(new URL('hf_vit_sizes/expected.safetensors', FIXTURES));
  const wide = await Engine.load(folder('hf_vit_sizes'), { imageSize: [30, 15] });
  assert.deepEqual(wide.config.imageSize, [30, 15]);
  assert.ok(distance(wide.classify(expected['other/pixel_values'].data).logits, expected['other/logits'].data) < TOLERANCE);
  const square = await Engine.load(folder('hf_vit_sizes'), { imageSize: 40 });
  assert.deepEqual(square.config.grid, [8, 8]);
  assert.equal(square.preprocess(gradient(50, 60)).length, 3 * 40 * 40);
  for (const imageSize of [0, 1.5, '30', [30], [30, 15, 3], [30, -15]]) {
    await assert.rejects(Engine.load(folder('hf_vit_sizes'), { imageSize: wrong(imageSize) }), failure('invalid-argument', /imageSize/));
  }
  // What the model can't take is no fault of its files.
  await assert.rejects(Engine.load(folder('hf_vit_sizes'), { imageSize: 100_000 }), failure('invalid-argument', /^an image size of 100000 × 100000/));
});

test("a thousand classes without names get ImageNet's, others keep their numbers", async () => {
  for (const [classes, expected] of [[1000, 'goldfish, Carassius auratus'], [999, 'class 1']]) {
    const engine = await Engine.load({ config: TINY_TIMM, weights: tinyTimm(Number(classes)) });
    assert.equal(engine.config.labels[1], expected);
    assert.equal(engine.classify(gradient(8, 8), { topK: 1 }).top[0].label, expected);
  }
});

test('names that can not be fetched are missed once, wherever they are', async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'vitscope-'));
  t.after(() => rmSync(scratch, { recursive: true }));
  const path = (/** @type {string} */ name) => new URL(`../../pkg/${name}`, import.meta.url);
  for (const name of ['dist', 'package.json']) cpSync(path(name), join(scratch, name), { recursive: true });
  rmSync(join(scratch, 'dist/vitscope/imagenet-1k.txt'));
  const warnings = t.mock.method(console, 'warn', () => {});
  const { Engine } = await import(pathToFileURL(join(scratch, 'dist/engine.node.js')).href);
  const load = (/** @type {number} */ classes) => Engine.load({ config: TINY_TIMM, weights: tinyTimm(classes) });
  await load(999); // nobody names those
  assert.equal(warnings.mock.callCount(), 0);
  assert.equal((await load(1000)).config.labels[17], 'class 17');
  await load(1000);
  assert.equal(warnings.mock.callCount(), 1);
  assert.match(String(warnings.mock.calls[0].arguments[0]), /could not be fetched from file:.*imagenet-1k\.txt\. .*id2label.*dist\/vitscope\/.*assets/);
});

test('a model that can not fit is refused before any of its weights is read', async () => {
  // As DINOv3-7B is published.
  const config = { ...JSON.parse(text('hf_dinov3_gated/config.json')), image_size: 224, patch_size: 16, hidden_size: 4096, intermediate_size: 8192, num_hidden_layers: 40, num_attention_heads: 32 };
  const load = (/** @type {object} */ config, /** @type {'f32' | 'int8'} */ dtype) => Engine.load({ config, weights: bytes('hf_dinov3_gated/model.safetensors') }, { dtype });
  for (const [dtype, said] of /** @type {['f32' | 'int8', RegExp][]} */ ([['f32', /take 26843 MB in f32,.* Use a smaller model\.$/], ['int8', /take 6710 MB in int8,.* \(in a browser 4294 MB at most\)\. Use a smaller model\.$/]])) {
    await assert.rejects(load(config, dtype), failure('out-of-memory', said));
  }
  // What fits in int8 says so; and what takes more than half of the memory fits.
  await assert.rejects(load({ ...config, num_hidden_layers: 20 }, 'f32'), failure('out-of-memory', /Use the int8 form \(3355 MB\) or a smaller model\.$/));
  await assert.rejects(load({ ...config, num_hidden_layers: 20 }, 'int8'), failure('tensor-shape')); // which these small weights are not of
});

test('split weights and text features can be given in parts', async () => {
  const { pixel_values, logits } = readTensors(new URL('hf_vit_sharded/expected.safetensors', FIXTURES));
  const shard = (/** @type {number} */ i) => bytes(`hf_vit_sharded/model-0000${i}-of-00003.safetensors`);
  const config = text('hf_vit_sharded/config.json');
  const preprocessor = text('hf_vit_sharded/preprocessor_config.json');
  const engine = await Engine.load({ config, preprocessor, weights: [new Blob([shard(3)]), shard(1), shard(2)] });
  assert.ok(distance(engine.classify(pixel_values.data).logits, logits.data) < TOLERANCE);
  await assert.rejects(Engine.load({ config, preprocessor, weights: [shard(1), shard(2)] }), failure('missing-tensor'));
  await assert.rejects(Engine.load({ config, preprocessor, weights: [shard(1), shard(1)] }), failure('invalid-weights', /weights\[1\].*another file/));
  await assert.rejects(Engine.load({ config, preprocessor, weights: [] }), failure('invalid-argument', /weights/));

  const clip = { config: text('hf_clip_zero_shot/config.json'), preprocessor: text('hf_clip_zero_shot/preprocessor_config.json'), weights: bytes('hf_clip_zero_shot/model.safetensors') };
  const expected = readTensors(new URL('hf_clip_zero_shot/expected.safetensors', FIXTURES));
  const zeroShot = await Engine.load({ ...clip, textEmbeddings: bytes('hf_clip_zero_shot/text_embeddings.safetensors') });
  assert.equal(zeroShot.config.zeroShot, true);
  assert.ok(distance(zeroShot.classify(expected.pixel_values.data).logits, expected.logits.data) < TOLERANCE);
  const encoder = await Engine.load(clip);
  assert.deepEqual([encoder.config.numClasses, encoder.classify(expected.pixel_values.data).top], [0, []]);
  await assert.rejects(Engine.load({ ...parts(), textEmbeddings: bytes('hf_clip_zero_shot/text_embeddings.safetensors') }), failure('tensor-shape', /text_embeddings/));
  await assert.rejects(Engine.load({ ...clip, textEmbeddings: wrong('text') }), failure('invalid-argument', /textEmbeddings/));
});

test('scores are the softmax of the logits', async () => {
  const engine = await Engine.load(parts());
  const { top, logits } = engine.classify(gradient(30, 40), { topK: 11 });
  const exponentials = logits.map((x) => Math.exp(x - Math.max(...logits)));
  const sum = exponentials.reduce((a, b) => a + b);
  for (const { index, score } of top) assert.ok(Math.abs(score - exponentials[index] / sum) < 1e-6);
});

test('an image is the same as its pixel values, and its crop is told', async () => {
  const engine = await Engine.load({ ...parts(), preprocessor: text('preprocess/hf_shortest_edge_crop.json') });
  const image = gradient(54, 81);
  const answer = engine.classify(image);
  assert.deepEqual(answer.logits, engine.classify(engine.preprocess(image)).logits);
  // 54 × 81 becomes 27 × 40 (rounded down), of which the middle 24 × 24 are seen.
  assert.deepEqual(answer.crop, engine.crop(54, 81));
  assert.ok(Math.abs(answer.crop.width - 48) < 1e-4, JSON.stringify(answer.crop));
  assert.ok(Math.abs(answer.crop.height - (24 * 81) / 40) < 1e-4, JSON.stringify(answer.crop));
  for (const value of Object.values(answer.timing)) assert.ok(value >= 0);
  assert.ok(answer.timing.total >= answer.timing.forward);
  assert.equal(answer.top.length, 5, 'topK is 5 unless told');
});

test('a model can be given in every form', async () => {
  const { weights } = parts();
  const config = text('hf_vit/config.json');
  const preprocessor = text('hf_vit/preprocessor_config.json');
  const image = gradient(20, 20);
  const forms = [
    folder('hf_vit'),
    folder('hf_vit').href.replace(/\/$/, ''),
    { config, preprocessor, weights },
    { config: JSON.parse(config), preprocessor: JSON.parse(preprocessor), weights: weights.buffer },
    { config: new Blob([config]), preprocessor: new Blob([preprocessor]), weights: new Blob([weights]) },
    { config: Buffer.from(config), preprocessor: new TextEncoder().encode(preprocessor).buffer, weights: new Blob([weights]) },
    { config: new TextEncoder().encode(`\ufeff${config}`), preprocessor: Buffer.from(`{} ${preprocessor}`).subarray(3), weights },
  ];
  /** @type {Float32Array[]} */
  const answers = [];
  for (const form of forms) answers.push((await Engine.load(form)).classify(image).logits);
  for (const logits of answers) assert.deepEqual(logits, answers[0]);
  assert.equal(weights.length, bytes('hf_vit/model.safetensors').length, "the caller's bytes stay usable");
});

test('an image processor nested in processor_config.json wins, in every form of a model, and the file is told', async (t) => {
  const { config, preprocessor, weights } = parts();
  const nested = { image_processor: JSON.parse(text('preprocess/hf_shortest_edge_crop.json')), processor_class: 'CLIPProcessor' };
  const scratch = mkdtempSync(join(tmpdir(), 'vitscope-'));
  t.after(() => rmSync(scratch, { recursive: true }));
  cpSync(folder('hf_vit'), scratch, { recursive: true });
  writeFileSync(join(scratch, 'processor_config.json'), JSON.stringify(nested));

  const image = gradient(54, 81);
  const alone = await Engine.load({ config, preprocessor: nested.image_processor, weights });
  const other = await Engine.load({ config, preprocessor, processor: { processor_class: 'ViTProcessor' }, weights });
  assert.equal(alone.config.processor, 'preprocessor_config.json');
  assert.equal(other.config.processor, 'preprocessor_config.json', 'nothing is nested in it');
  assert.notDeepEqual(other.preprocess(image), alone.preprocess(image));
  for (const form of [
    pathToFileURL(`${scratch}/`),
    { config, preprocessor, processor: nested, weights },
    { config, processor: JSON.stringify(nested), weights },
    { config, preprocessor: null, processor: new Blob([JSON.stringify(nested)]), weights },
  ]) {
    const engine = await Engine.load(form);
    assert.equal(engine.config.processor, 'processor_config.json');
    assert.deepEqual(engine.preprocess(image), alone.preprocess(image));
  }
  assert.equal((await Engine.load({ config, weights })).config.processor, null);
  assert.equal((await Engine.load(folder('timm_vit'))).config.processor, 'config.json');
});

test('progress comes in every phase and ends whole', async () => {
  /** @type {import('../../pkg/index.js').Progress[]} */
  const seen = [];
  await Engine.load(folder('hf_vit'), { onProgress: (progress) => seen.push(progress) });
  const last = Object.fromEntries(seen.map((progress) => [progress.phase, progress]));
  // (wasm is loaded once a process, here by an earlier test.)
  assert.ok(last.config.loaded > 0);
  const file = bytes('hf_vit/model.safetensors');
  assert.equal(last.weights.loaded, file.length - 8 - Number(new DataView(file.buffer).getBigUint64(0, true)), 'all tensors');
  assert.equal(last.weights.total, last.weights.loaded);
  assert.deepEqual(last.prepare, { phase: 'prepare', loaded: 1, total: 1, progress: 1 });
  assert.ok(seen.every(({ progress }, i) => progress >= (seen[i - 1]?.progress ?? 0) && (progress < 1 || i === seen.length - 1)), JSON.stringify(seen));
});

test('int8 arithmetic on an f32 file', async () => {
  const engine = await Engine.load(parts(), { dtype: 'int8' });
  assert.equal(engine.config.dtype, 'int8');
  const { pixel_values, logits } = readTensors(new URL('hf_vit/expected.safetensors', FIXTURES));
  const actual = engine.classify(pixel_values.data).logits;
  const dot = (/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  const cosine = dot(actual, logits.data) / Math.sqrt(dot(actual, actual) * dot(logits.data, logits.data));
  assert.ok(cosine > 0.99, `cosine ${cosine}`);
  assert.notDeepEqual(actual, (await Engine.load(parts())).classify(pixel_values.data).logits, 'it is another arithmetic');
});

test('models that are not right are refused by code', async (t) => {
  /** @type {Record<string, [object, string, RegExp]>} */
  const cases = {
    'no JSON': [{ config: '{"model_type": "vit"' }, 'invalid-config', /config\.json/],
    'an architecture nobody knows': [{ config: { ...parts().config, model_type: 'levit', architectures: ['LevitForImageClassification'] } }, 'unsupported-architecture', /levit/i],
    'a preprocessor that is no JSON': [{ preprocessor: 'no' }, 'invalid-preprocessor', /preprocessor/],
    'a processor that is no JSON': [{ processor: '{' }, 'invalid-preprocessor', /^processor_config\.json.*JSON/],
    'a processor nobody follows': [{ processor: { image_processor: { image_processor_type: 'PerceiverImageProcessor' } } }, 'invalid-preprocessor', /^processor_config\.json.*PerceiverImageProcessor/],
    'a processor that is a number': [{ processor: 3 }, 'invalid-argument', /processor/],
    'truncated weights': [{ weights: parts().weights.subarray(0, 5000) }, 'invalid-weights', /./],
    'empty weights': [{ weights: new ArrayBuffer(0) }, 'invalid-weights', /./],
    'a header of 2^63 bytes': [{ weights: new Uint8Array([255, 255, 255, 255, 255, 255, 255, 127, 123]) }, 'invalid-weights', /./],
    'a config of another width': [{ config: { ...parts().config, hidden_size: 40 } }, 'tensor-shape', /./],
    'more layers than the file has': [{ config: { ...parts().config, num_hidden_layers: 4 } }, 'missing-tensor', /./],
    'fewer layers than the file has': [{ config: { ...parts().config, num_hidden_layers: 2 } }, 'unexpected-tensor', /./],
  };
  for (const [name, [change, code, message]] of Object.entries(cases)) {
    await t.test(name, () => assert.rejects(Engine.load({ ...parts(), ...change }), failure(code, message)));
  }
});

/**
 * The fixture's weights under other names.
 * @param {(name: string) => string} name
 */
function renamed(name) {
  const { weights } = parts();
  const length = Number(new DataView(weights.buffer, weights.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + length)));
  const text = Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(header).map(([key, entry]) => [key === '__metadata__' ? key : name(key), entry]))));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return new Uint8Array(Buffer.concat([size, text, weights.subarray(8 + length)]));
}

test('names that another program wrapped, and JSON as Python writes it', async () => {
  const own = (await Engine.load(parts())).classify(gradient(24, 24)).logits;
  const config = `\ufeff${JSON.stringify({ ...parts().config, id2label: { ...parts().config.id2label, 0: 7 } }).slice(0, -1)}, "loss": NaN, "best": -Infinity}`;
  const engine = await Engine.load({ ...parts(), config, weights: renamed((name) => `_orig_mod.module.${name}`) });
  assert.deepEqual(engine.classify(gradient(24, 24)).logits, own);
  assert.equal(engine.config.labels[0], '7');
});

test('what other programs made is refused with the remedy', async () => {
  const query = 'vit.encoder.layer.0.attention.attention.query.';
  const load = (/** @type {object} */ change) => Engine.load({ ...parts(), ...change });
  await assert.rejects(load({ config: { ...parts().config, quantization_config: { quant_method: 'gptq' } } }), failure('invalid-weights', /GPTQ.*vitscope quantize/));
  await assert.rejects(load({ weights: renamed((name) => name.replace(`${query}bias`, `${query}SCB`)) }), failure('invalid-weights', /bitsandbytes/));
  await assert.rejects(load({ weights: renamed((name) => name.replace(`${query}bias`, `${query}lora_A.weight`)) }), failure('invalid-weights', /LoRA.*merge_and_unload/));
  await assert.rejects(load({ weights: renamed((name) => name.replace(`${query}weight`, 'other.weight')) }), failure('missing-tensor', /query\.weight.*called like `vit\.encoder\.layer\.0/));
});

test('arguments that are not right are refused by code', async (t) => {
  await t.test('sources', async () => {
    await assert.rejects(Engine.load(wrong(null)), failure('invalid-argument', /folder URL/));
    await assert.rejects(Engine.load(wrong({ config: {} })), failure('invalid-argument', /weights/));
    await assert.rejects(Engine.load(wrong({ ...parts(), weights: [1, 2] })), failure('invalid-argument', /ArrayBuffer/));
    /** @type {any} */
    const circular = {};
    circular.self = circular;
    for (const value of [3, null, true, new Response('{}'), Promise.resolve({}), new Map(), new Float32Array(2), new DataView(new ArrayBuffer(2)), circular, { size: 2n }]) {
      await assert.rejects(Engine.load(wrong({ ...parts(), config: value })), failure('invalid-argument', /^config must be/));
      if (value) await assert.rejects(Engine.load(wrong({ ...parts(), processor: value })), failure('invalid-argument', /^processor must be/));
    }
    await assert.rejects(Engine.load('http://[not absolute'), failure('invalid-argument', /not absolute/));
    await assert.rejects(Engine.load(folder('no_such_model')), failure('network', /no_such_model\/(config\.json|model\.safetensors)/));
    await assert.rejects(Engine.load(parts(), { dtype: wrong('f16') }), failure('invalid-argument', /f16/));
  });
  const engine = await Engine.load(parts());
  await t.test('images', () => {
    assert.throws(() => engine.classify(wrong(null)), failure('invalid-image'));
    assert.throws(() => engine.classify(wrong({ width: 2, height: 2 })), failure('invalid-image'));
    assert.throws(() => engine.classify({ width: 0, height: 2, data: new Uint8ClampedArray() }), failure('invalid-image', /0 × 2/));
    assert.throws(() => engine.classify({ width: 2, height: 2, data: new Uint8ClampedArray(12) }), failure('invalid-image', /16 bytes/));
    assert.throws(() => engine.classify({ width: 1.5, height: 2, data: new Uint8ClampedArray(12) }), failure('invalid-image'));
    assert.throws(() => engine.preprocess({ width: -2, height: -2, data: new Uint8ClampedArray(16) }), failure('invalid-image'));
  });
  await t.test('pixel values and topK', () => {
    assert.throws(() => engine.classify(new Float32Array(7)), failure('invalid-argument'));
    for (const topK of [0, -1, 1.5, NaN, '5', Infinity]) assert.throws(() => engine.trace(gradient(4, 4), { topK: wrong(topK) }), failure('invalid-argument', /topK/));
  });
  await t.test('more classes than there are', () => assert.equal(engine.classify(gradient(4, 4), { topK: 1000 }).top.length, 11));
  await t.test('and the engine still works', () => assert.equal(engine.classify(gradient(4, 4)).top.length, 5));
});

test('an aborted load rejects with the reason', async () => {
  const before = new AbortController();
  before.abort(new Error('changed my mind'));
  await assert.rejects(Engine.load(folder('hf_vit'), { signal: before.signal }), /changed my mind/);

  const during = new AbortController();
  const load = Engine.load(folder('hf_vit'), { signal: during.signal, onProgress: () => during.abort(new Error('enough')) });
  await assert.rejects(load, /enough/);
});

test('after close every call says so', async () => {
  const engine = await Engine.load(parts());
  engine.close();
  engine.close();
  assert.throws(() => engine.classify(gradient(4, 4)), failure('closed'));
  assert.throws(() => engine.crop(4, 4), failure('closed'));
  assert.equal(engine.config.layers, 3, 'what the model was stays readable');
});
