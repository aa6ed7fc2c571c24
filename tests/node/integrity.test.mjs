/** `integrity`: every file that it names is checked before a model is handed out, wherever the files lie, or the load is refused. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Engine, VitscopeError } from '../../pkg/dist/engine.node.js';
import { Hub, seeded } from './hub.mjs';

/** A file of one tensor that no model reads. */
const UNUSED = (() => {
  const header = JSON.stringify({ 'decoder.0.bias': { dtype: 'F32', shape: [2], data_offsets: [0, 8] } });
  const length = Buffer.alloc(8);
  length.writeUInt32LE(header.length);
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(8, 1)]);
})();

/** @type {Record<string, Record<string, Buffer>>} */
const models = { clip: seeded('hf_clip_zero_shot'), vit: seeded('hf_vit'), sharded: seeded('hf_vit_sharded'), unused: seeded('hf_vit_sharded') };
const INDEX = 'model.safetensors.index.json';
const index = JSON.parse(models.unused[INDEX].toString());
models.unused[INDEX] = Buffer.from(JSON.stringify({ ...index, weight_map: { ...index.weight_map, 'decoder.0.bias': 'unused.safetensors' } }));
models.unused['unused.safetensors'] = UNUSED;

const hub = new Hub(Object.fromEntries(Object.entries(models).map(([name, files]) => [`seeded/${name}`, { files }])));
let root = '';
before(async () => {
  await hub.start();
  root = mkdtempSync(join(tmpdir(), 'vitscope-integrity-'));
});
beforeEach(() => hub.reset());
after(() => {
  hub.close();
  rmSync(root, { recursive: true });
});

/**
 * A model wherever it may lie, as it is or with a file that is another or none.
 * @param {string} model
 * @param {Record<string, Buffer | undefined>} [other]
 * @returns {[string, any][]}
 */
function places(model, other = {}) {
  const files = { ...models[model], ...other };
  for (const name in files) if (!files[name]) delete files[name];
  const there = /** @type {Record<string, Buffer>} */ (files);
  hub.repositories = { [`seeded/${model}`]: { files: there } };
  const folder = mkdtempSync(join(root, 'x'));
  for (const [name, bytes] of Object.entries(there)) writeFileSync(join(folder, name), bytes);
  return [
    ['by name', `hf:seeded/${model}`],
    ['on a server', `${hub.url}folders/seeded/${model}/`],
    ['on disk', `${folder}/`],
    ['chosen', Object.entries(there).map(([name, bytes]) => new File([bytes.slice()], name))],
  ];
}

const sumOf = (/** @type {Buffer} */ bytes) => `sha256-${createHash('sha256').update(bytes).digest('hex')}`;
/** @param {string} model @param {string[]} [names] */
const sums = (model, names = Object.keys(models[model])) => Object.fromEntries(names.map((name) => [name, sumOf(models[model][name])]));

/**
 * @param {any} source
 * @param {Record<string, string>} integrity
 * @param {import('../../pkg/index.js').LoadOptions} [options]
 */
const load = async (source, integrity, options) => (await Engine.load(source, { hub: hub.url, cache: false, integrity, ...options })).close();

/** @param {RegExp} message */
const refused = (message) => (/** @type {any} */ error) => {
  assert.ok(error instanceof VitscopeError, error.stack);
  assert.equal(error.code, 'integrity', error.stack);
  assert.match(error.message, message);
  return true;
};

for (const model of Object.keys(models)) {
  test(`${model}: all files as they should be, and each of them another`, async () => {
    for (const [place, source] of places(model)) await load(source, sums(model)).catch((error) => assert.fail(`${place}: ${error.stack}`));
    for (const [name, bytes] of Object.entries(models[model])) {
      const changed = Buffer.from(bytes);
      if (name.endsWith('.json')) changed[changed.lastIndexOf('}')] = 32; // which is no JSON any more, and must not be what is said
      else changed[changed.length - 1] ^= 1;
      for (const [place, source] of places(model, { [name]: changed })) {
        await assert.rejects(load(source, sums(model)), refused(new RegExp(`${name} is not what it should be`)), `${place}: ${name}`);
        await assert.rejects(load(source, sums(model, [name])), refused(new RegExp(`${name} is not what it should be`)), `${place}: ${name}`);
      }
    }
  });
}

test('a name that is misspelt, missing or of no use is refused, with what was read', async () => {
  const good = sums('clip');
  for (const name of ['model.safetensor', 'odel.safetensors', 'Config.json', 'onnx/model.onnx', INDEX, 'imagenet-1k.txt', 'README.md', 'constructor']) {
    for (const [place, source] of places('clip', { 'README.md': Buffer.from('x') })) {
      for (const integrity of [{ [name]: good['config.json'] }, { ...good, [name]: good['config.json'] }]) {
        await assert.rejects(load(source, integrity), refused(new RegExp(`^integrity names ${name}, which is not read\\. .* config\\.json, .*model\\.safetensors`)), `${place}: ${name}`);
      }
    }
  }
  // What may be missing may not where it is named, or a server that leaves it out changes the answers.
  for (const name of ['preprocessor_config.json', 'text_embeddings.safetensors']) {
    for (const [place, source] of places('clip', { [name]: undefined })) await assert.rejects(load(source, sums('clip', [name])), refused(new RegExp(`integrity names ${name},`)), place);
  }
  for (const [, source] of places('vit')) await assert.rejects(load(source, { 'text_embeddings.safetensors': sumOf(UNUSED) }), refused(/text_embeddings\.safetensors, which is not read/));
  for (const [, source] of places('sharded')) await assert.rejects(load(source, { 'model.safetensors': sumOf(UNUSED) }), refused(/names model\.safetensors, .* model\.safetensors\.index\.json, model-00001-of-00003\.safetensors/));
});

test('it is refused before weights are downloaded', async () => {
  const [[, byName], [, folder]] = places('vit');
  for (const source of [byName, folder]) {
    hub.reset();
    await assert.rejects(load(source, { 'modle.safetensors': sumOf(UNUSED) }), refused(/modle/));
    assert.ok(hub.sent(/\/model\.safetensors/) < models.vit['model.safetensors'].length / 2, `${hub.sent(/\/model\.safetensors/)} bytes`);
  }
});

test('what was refused is not kept, and what was kept is not taken for it', async () => {
  const cache = mkdtempSync(join(root, 'x'));
  const [[, source]] = places('vit');
  const kept = () => (existsSync(join(cache, 'vitscope-1')) ? readdirSync(join(cache, 'vitscope-1')) : []).filter((name) => !name.startsWith('branch'));
  const wrong = { ...sums('vit'), 'modle.safetensors': sumOf(UNUSED) };
  await assert.rejects(load(source, wrong, { cache }), refused(/modle/));
  assert.deepEqual(await Engine.cache.list(cache), []);
  assert.deepEqual(kept(), []);
  await load(source, sums('vit'), { cache });
  assert.equal((await Engine.cache.list(cache)).length, 1);
  hub.reset();
  await load(source, sums('vit', ['config.json']), { cache });
  assert.equal(hub.sent(/safetensors/), 0, 'it was checked when it was kept');
  await assert.rejects(load(source, wrong, { cache }), refused(/modle/));
});

test('parts have no names to check by', async () => {
  const parts = { config: models.vit['config.json'], weights: models.vit['model.safetensors'] };
  await assert.rejects(load(parts, sums('vit', ['model.safetensors'])), (/** @type {any} */ error) => error.code === 'invalid-argument' && /^integrity goes by names of files/.test(error.message));
});
