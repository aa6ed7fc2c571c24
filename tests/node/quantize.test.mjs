/** Weights in 8 bits made in the reader's browser: the bytes that the command line writes, and nothing else of the model is touched. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { Vitscope } from '../../pkg/dist/index.node.js';
import { headerOf } from '../../pkg/lib/common/safetensors.js';
import { failure, wrong } from './failures.mjs';
import { Hub, filesOf, seeded } from './hub.mjs';
import { MODEL } from './model.mjs';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const folder = (/** @type {string} */ name) => new URL(`${name}/`, FIXTURES);
const TABLE = /** @type {Record<string, [number, number]>} */ (JSON.parse(readFileSync(new URL('../quantized.json', import.meta.url), 'utf8')));
const bytesOf = async (/** @type {Blob} */ blob) => new Uint8Array(await blob.arrayBuffer());
/** @param {any} source @param {import('../../pkg/index.js').QuantizeOptions} [options] */
const quantized = async (source, options) => bytesOf(await Vitscope.quantize(source, { threads: 1, ...options }));
/** The files of a fixture, as parts of a model. @param {string} name */
function parts(name) {
  const files = filesOf(folder(name));
  const [config, preprocessor] = ['config.json', 'preprocessor_config.json'].map((file) => files[file]);
  return { config, preprocessor, weights: Object.keys(files).filter((file) => file.endsWith('.safetensors')).sort().map((file) => files[file]) };
}

test('byte for byte what the command line writes', async () => {
  for (const [name, [length, sum]] of Object.entries(TABLE)) {
    const file = await quantized(folder(name));
    assert.deepEqual([file.length, crc32(file)], [length, sum], name);
  }
});

test('the same bytes of every form of a model, by either SIMD and any number of threads', async () => {
  const { config, preprocessor, weights } = parts('hf_vit_sharded');
  const expected = TABLE.hf_vit_sharded;
  /** @type {[any, import('../../pkg/index.js').QuantizeOptions][]} */
  const forms = [
    [{ config, preprocessor, weights }, {}],
    [{ config, weights: weights.map((bytes) => new Blob([new Uint8Array(bytes)])).reverse() }, {}],
    [{ config, weights: weights.map((bytes) => new Response(new Uint8Array(bytes))) }, { simd: 'simd128' }],
    [folder('hf_vit_sharded'), { threads: 2 }],
    [Object.entries(filesOf(folder('hf_vit_sharded'))).map(([name, bytes]) => new File([new Uint8Array(bytes)], name)), {}],
  ];
  for (const [source, options] of forms) {
    const file = await quantized(source, options);
    assert.deepEqual([file.length, crc32(file)], expected);
  }
});

test('it is the model that a load in int8 makes, to the bit', async () => {
  const image = { data: Uint8ClampedArray.from({ length: 4 * 30 * 20 }, (_, i) => (i % 4 === 3 ? 255 : (37 * i) % 251)), width: 30, height: 20 };
  for (const name of ['hf_vit', 'timm_eva02', 'hf_swin', 'hf_mobilevit', 'hf_vit_bf16']) {
    const { config, preprocessor } = parts(name);
    const weights = await Vitscope.quantize(folder(name), { threads: 1 });
    const models = [await Vitscope.load({ config, preprocessor, weights }, { threads: 1 }), await Vitscope.load(folder(name), { threads: 1, dtype: 'int8' })];
    const [own, loaded] = await Promise.all(models.map((vit) => vit.classify(image)));
    models.forEach((vit) => vit.close());
    assert.deepEqual([own.logits, own.features], [loaded.logits, loaded.features], name);
    assert.equal(models[0].config.dtype, 'int8');
  }
});

test('what has 8 or 4 bits already comes back as it is', async () => {
  const own = new Uint8Array(readFileSync(new URL(`../../models/${MODEL}/model.safetensors`, import.meta.url)));
  assert.ok(Buffer.from(await quantized(new URL(`../../models/${MODEL}/`, import.meta.url))).equals(own));
  // A matrix of 36 columns in 4 bits: two weights a byte, a step for 32 of them, a scale for a row.
  const { config, preprocessor } = parts('hf_vit');
  const tensors = read(await quantized(folder('hf_vit')));
  const [name, { shape: [rows, columns] }] = /** @type {[string, Tensor]} */ (Object.entries(tensors).find(([, { dtype }]) => dtype === 'I8'));
  const filled = (/** @type {number} */ length) => Uint8Array.from({ length }, (_, i) => 1 + (i % 7));
  tensors[name] = { dtype: 'U8', shape: [rows, columns / 2], bytes: filled((rows * columns) / 2) };
  const steps = [rows, Math.ceil(columns / 32)];
  tensors[`${name}_steps`] = { dtype: 'U8', shape: steps, bytes: filled(steps[0] * steps[1]) };
  for (const order of [sorted(tensors), sorted(tensors).reverse()]) {
    const file = await quantized({ config, preprocessor, weights: write(order, 'vitscope-int4/1') });
    assert.ok(Buffer.from(file).equals(write(sorted(tensors), 'vitscope-int4/1')));
  }
});

test('what is kept of a model is made use of, and nothing more is kept', async () => {
  const hub = new Hub({ 'seeded/vit': { files: seeded('hf_vit') } });
  const cache = mkdtempSync(join(tmpdir(), 'vitscope-quantize-'));
  try {
    await hub.start();
    const options = { hub: hub.url, cache };
    const first = await quantized('hf:seeded/vit', options);
    assert.deepEqual(readdirSync(cache), []);
    (await Vitscope.load('hf:seeded/vit', { ...options, threads: 1 })).close();
    const kept = await Vitscope.cache.list(cache);
    assert.equal(kept.length, 1);
    hub.log = [];
    assert.deepEqual(await quantized('hf:seeded/vit', options), first);
    assert.ok(!hub.log.some(({ path }) => path.endsWith('.safetensors')), 'no weights are asked for');
    assert.deepEqual(await Vitscope.cache.list(cache), kept);
  } finally {
    hub.close();
    rmSync(cache, { recursive: true });
  }
});

test('progress, an abort, and what can\'t be quantised', async () => {
  /** @type {import('../../pkg/index.js').Progress[]} */
  const seen = [];
  await quantized(folder('hf_vit'), { onProgress: (progress) => seen.push(progress) });
  assert.equal(seen.at(-1)?.progress, 1);
  const controller = new AbortController();
  const reason = new Error('enough');
  await assert.rejects(quantized(folder('hf_vit'), { signal: controller.signal, onProgress: ({ phase }) => void (phase === 'weights' && controller.abort(reason)) }), reason);
  await assert.rejects(quantized(folder('hf_vit'), { signal: AbortSignal.abort(reason) }), reason);
  const thrown = new Error('the caller\'s own');
  await assert.rejects(quantized(folder('hf_vit'), { onProgress: () => { throw thrown; } }), thrown);
  const { config, weights: [weights] } = parts('hf_vit');
  await assert.rejects(quantized({ config, weights: weights.subarray(0, -4) }), failure(/truncated/, 'invalid-weights'));
  await assert.rejects(quantized({ config: { model_type: 'resnet' }, weights }), failure(/resnet/, 'unsupported-architecture'));
  for (const option of ['dtype', 'imageSize', 'decode']) await assert.rejects(quantized(folder('hf_vit'), wrong({ [option]: 'int8' })), failure(new RegExp(option)));
});

/** @typedef {{dtype: string, shape: number[], bytes: Uint8Array}} Tensor */

/** @param {Uint8Array} file @returns {Record<string, Tensor>} */
function read(file) {
  const start = 8 + new DataView(file.buffer).getUint32(0, true);
  const { __metadata__, ...entries } = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
  return Object.fromEntries(Object.entries(entries).map(([name, { dtype, shape, data_offsets: [begin, end] }]) => [name, { dtype, shape, bytes: file.subarray(start + begin, start + end) }]));
}

/** As the safetensors library has them. @param {Record<string, Tensor>} tensors */
function sorted(tensors) {
  const rank = (/** @type {Tensor} */ { dtype }) => ['F32', 'I8', 'U8'].indexOf(dtype);
  return Object.entries(tensors).sort(([a, x], [b, y]) => rank(x) - rank(y) || (a < b ? -1 : 1));
}

/** @param {[string, Tensor][]} tensors @param {string} format */
function write(tensors, format) {
  const header = headerOf(tensors.map(([name, { dtype, shape, bytes }]) => ({ name, dtype, shape, size: bytes.length })), { format });
  return Buffer.concat([header, ...tensors.map(([, { bytes }]) => bytes)]);
}
