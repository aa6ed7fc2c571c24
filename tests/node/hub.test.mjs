/** Models by name: what is asked of the Hub, and what is said where it says no. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { Engine, VitscopeError } from '../../pkg/dist/engine.node.js';
import { Vitscope } from '../../pkg/dist/index.node.js';
import { Hub, TOKEN, seeded } from './hub.mjs';

const COMMIT = 'c0ffee'.padEnd(40, '0');
const clip = seeded('hf_clip_zero_shot');
const hub = new Hub({
  'seeded/clip': { files: clip, revisions: { v1: COMMIT, 'a/branch': COMMIT }, card: { license: 'mit' } },
  'seeded/sharded': { files: seeded('hf_vit_sharded') },
  'seeded/open-clip': { files: seeded('open_clip') },
  'seeded/gated': { files: seeded('hf_vit'), gated: 'manual', card: { license: 'other', license_name: 'seeded-research' } },
  'seeded/private': { files: seeded('hf_vit'), private: true },
  'seeded/pickle': { files: { 'config.json': Buffer.from('{"model_type": "vit"}'), 'pytorch_model.bin': Buffer.from('x') } },
  'seeded/empty': { files: { 'README.md': Buffer.from('x') } },
});
before(() => hub.start());
beforeEach(() => hub.reset());
after(() => hub.close());

const IMAGE = { width: 9, height: 7, data: Uint8ClampedArray.from({ length: 252 }, (_, i) => (7 * i) % 256) };

/**
 * @param {string} name
 * @param {import('../../pkg/index.js').LoadOptions} [options]
 */
async function answer(name, options) {
  const engine = await Engine.load(name, { hub: hub.url, ...options });
  const { logits } = engine.classify(IMAGE);
  engine.close();
  return [...logits];
}

/** The same of the folder that it was seeded from. @param {string} fixture */
async function expected(fixture) {
  const engine = await Engine.load(new URL(`../fixtures/${fixture}/`, import.meta.url));
  const { logits } = engine.classify(IMAGE);
  engine.close();
  return [...logits];
}

/**
 * @param {string} code
 * @param {RegExp} message
 */
const says = (code, message) => (/** @type {any} */ error) => {
  assert.ok(error instanceof VitscopeError, error.stack);
  assert.equal(error.code, code, error.stack);
  assert.match(error.message, message);
  assert.match(error.message, /^[^\n]{15,400}\.$/, 'one clear sentence or two');
  return true;
};

const paths = () => hub.log.map(({ path }) => path);

test('a name is pinned to its commit, and of what is there only what is needed is asked for', async () => {
  assert.deepEqual(await answer('hf:seeded/clip'), await expected('hf_clip_zero_shot'));
  const [first, ...rest] = paths();
  assert.equal(first, '/api/models/seeded/clip/revision/main');
  const commit = hub.commit('seeded/clip');
  const own = (/** @type {string} */ file) => `/seeded/clip/resolve/${commit}/${file}`;
  const files = ['config.json', 'preprocessor_config.json', 'text_embeddings.safetensors', 'model.safetensors'];
  assert.deepEqual(new Set(rest.filter((path) => path.includes('/resolve/'))), new Set(files.map(own)));
  assert.ok(hub.log.every(({ status, method, headers }) => status < 400 && method === 'GET' && !headers.authorization), JSON.stringify(hub.log));
  const sent = hub.sent(/clip\/model\.safetensors/);
  const { length } = clip['model.safetensors'];
  assert.ok(sent < 0.85 * length, `${sent} of ${length} bytes: the text tower stays where it is`);
});

test('branches, tags and commits, and names that a folder may have', async () => {
  const logits = await expected('hf_clip_zero_shot');
  for (const revision of ['v1', 'a/branch', COMMIT]) {
    hub.reset();
    assert.deepEqual(await answer(`hf:seeded/clip@${revision}`), logits);
    assert.ok(paths().includes(`/seeded/clip/resolve/${COMMIT}/config.json`), revision);
  }
});

for (const [name, fixture] of [['sharded', 'hf_vit_sharded'], ['open-clip', 'open_clip']]) {
  test(`${name}: other names of files`, async () => {
    assert.deepEqual(await answer(`hf:seeded/${name}`), await expected(fixture));
    assert.ok(hub.log.every(({ status }) => status < 400), 'nothing is asked for that is not there');
  });
}

test('a Hub that tells neither sizes nor sums, hides its headers, has no ranges, compresses', async () => {
  const logits = await expected('hf_clip_zero_shot');
  for (const quirks of [{ blobs: false }, { exposed: false }, { ranges: false }, { ranges: false, gzip: true, lengths: false }, { uses: 1 }, { validator: /** @type {const} */ ('none') }]) {
    hub.reset();
    Object.assign(hub.quirks, quirks);
    assert.deepEqual(await answer('hf:seeded/clip'), logits, JSON.stringify(quirks));
  }
});

test('names that are none, and what was meant', async () => {
  const load = (/** @type {any} */ name, options = {}) => Engine.load(name, options);
  await assert.rejects(load('google/vit-base-patch16-224'), says('invalid-argument', /hf:google\/vit-base-patch16-224, or a folder, \.\/google\/vit-base-patch16-224\//));
  for (const name of ['hf:', 'hf:vit', 'hf:org/', 'hf:/name', 'hf:org/name/config.json', 'hf:org/name@', 'hf:org/na me', 'hf://org/name']) {
    await assert.rejects(load(name), says('invalid-argument', /hf:org\/name, or hf:org\/name@revision/), name);
  }
  for (const [options, message] of /** @type {[any, RegExp][]} */ ([
    [{ hub: 'mirror' }, /^hub must be a mirror's address/],
    [{ hub: 'ftp://mirror/' }, /^hub must be/],
    [{ token: '' }, /^token must be the text of an access token/],
    [{ token: 3 }, /^token must/],
    [{ token: 'secret\n' }, /^token must be (?!.*secret)/],
    [{ fetch: 'fetch' }, /^fetch must be a function like the global one/],
    [{ cache: 3 }, /^cache must be true, false/],
    [{ integrity: 'sha256-x' }, /^integrity must be an object like/],
    [{ integrity: null }, /^integrity must be an object like/],
    [{ integrity: { 'config.json': 'md5-x' } }, /^integrity\['config\.json'\] must be 'sha256-' and the sum/],
  ])) {
    await assert.rejects(load('hf:org/name', options), says('invalid-argument', message));
  }
});

test('what the Hub says no to', async () => {
  const load = (/** @type {string} */ name, options = {}) => Engine.load(name, { hub: hub.url, ...options });
  for (const exposed of [true, false]) {
    hub.quirks.exposed = exposed;
    await assert.rejects(load('hf:seeded/nothing'), says('network', /has no public model seeded\/nothing.*\{ token \}/));
    await assert.rejects(load('hf:seeded/nothing', { token: TOKEN }), says('network', /has no model seeded\/nothing/));
    await assert.rejects(load('hf:seeded/private'), says('network', /has no public model seeded\/private/));
    await assert.rejects(load('hf:seeded/private', { token: 'wrong' }), says('network', /does not accept the token/));
    await assert.rejects(load('hf:seeded/gated'), says('network', /seeded\/gated is not open to everyone: accept its conditions there/));
    await assert.rejects(load('hf:seeded/gated', { token: 'wrong' }), says('network', /nor to this token/));
    await assert.rejects(load('hf:seeded/clip@v7'), says('network', /seeded\/clip: revision 'v7' is not there.*\/tree\/main/));
  }
  await assert.rejects(load('hf:seeded/pickle'), says('invalid-weights', /seeded\/pickle has no model in safetensors, but pytorch_model\.bin.*save_pretrained/));
  await assert.rejects(load('hf:seeded/empty'), says('network', /seeded\/empty has no (config\.json|model\.safetensors)/));
  hub.quirks.refuse = [[/^\/api/, 429, { 'retry-after': '600' }]];
  await assert.rejects(load('hf:seeded/clip'), says('network', /too many requests from here.*token/));
  hub.quirks.refuse = [[/config\.json/, 404]];
  await assert.rejects(load('hf:seeded/clip'), says('network', /./));
  await assert.rejects(load('hf:seeded/clip', { hub: 'http://127.0.0.1:1/' }), says('network', /127\.0\.0\.1:1\/.* could not be fetched/));
  const page = () => Promise.resolve(new Response('<!doctype html>Sign in', { headers: { 'content-type': 'text/html' } }));
  await assert.rejects(load('hf:seeded/clip', { fetch: page }), says('network', /did not answer as the Hub does/));
});

test('a token goes to the Hub alone', async () => {
  const logits = await expected('hf_vit');
  for (const name of ['private', 'gated', 'clip']) {
    hub.reset();
    const found = await answer(`hf:seeded/${name}`, { token: TOKEN });
    if (name !== 'clip') assert.deepEqual(found, logits);
    for (const { origin, headers } of hub.log) assert.equal(headers.authorization, origin === 'hub' ? `Bearer ${TOKEN}` : undefined);
    assert.ok(hub.log.some(({ origin }) => origin === 'cdn'));
  }
});

test("a mirror below a path, and the caller's own fetch for all of it", async () => {
  /** @type {string[]} */
  const asked = [];
  const fetch = (/** @type {any} */ url, /** @type {any} */ init) => {
    asked.push(String(url));
    return globalThis.fetch(String(url).replace('https://mirror.example/hub/', hub.url), init);
  };
  assert.deepEqual(await answer('hf:seeded/clip', { hub: 'https://mirror.example/hub', fetch }), await expected('hf_clip_zero_shot'));
  assert.equal(asked[0], 'https://mirror.example/hub/api/models/seeded/clip/revision/main?blobs=true');
  assert.equal(asked.length, hub.log.filter(({ path, origin }) => origin === 'hub' || !path.includes('?')).length - hub.log.filter(({ status }) => status === 302).length + 0);
});

test("contents are checked, by the Hub's sums where all of a file was read and by one's own", async () => {
  const sharded = hub.repositories['seeded/sharded'].files;
  const shard = 'model-00001-of-00003.safetensors';
  hub.quirks.flip = sharded[shard].length - 20;
  await assert.rejects(answer('hf:seeded/sharded'), says('integrity', /model-0000\d-of-00003\.safetensors is not what it should be: its SHA-256 is/));
  hub.reset();
  const sum = (/** @type {Buffer} */ bytes, /** @type {'hex' | 'base64'} */ form) => `sha256-${createHash('sha256').update(bytes).digest(form)}`;
  for (const form of /** @type {const} */ (['hex', 'base64'])) {
    hub.reset();
    const integrity = Object.fromEntries(Object.entries(clip).map(([name, bytes]) => [name, sum(bytes, form)]));
    assert.deepEqual(await answer('hf:seeded/clip', { integrity }), await expected('hf_clip_zero_shot'));
    assert.ok(hub.sent(/clip\/model\.safetensors/) >= clip['model.safetensors'].length, 'for that it is read whole');
  }
  for (const name of ['model.safetensors', 'config.json', 'text_embeddings.safetensors']) {
    await assert.rejects(answer('hf:seeded/clip', { integrity: { [name]: sum(Buffer.from('x'), 'hex') } }), says('integrity', new RegExp(`${name} is not what it should be`)));
    await assert.rejects(Engine.load(`${hub.url}folders/seeded/clip/`, { integrity: { [name]: sum(Buffer.from('x'), 'base64') } }), says('integrity', new RegExp(`${name} is not what`)));
  }
});

test('files that somebody chose: their names decide', async () => {
  const chosen = (/** @type {string} */ fixture, folder = '') => Object.entries(seeded(fixture)).map(([name, bytes]) => Object.assign(new File([bytes], name), folder && { webkitRelativePath: folder + name }));
  const load = async (/** @type {any} */ source) => {
    const engine = await Engine.load(source);
    const { logits } = engine.classify(IMAGE);
    engine.close();
    return [...logits];
  };
  for (const fixture of ['hf_vit_sharded', 'hf_clip_zero_shot', 'open_clip']) {
    assert.deepEqual(await load(chosen(fixture).reverse()), await expected(fixture));
  }
  // Of folders within a folder: the one nearest to the top that has a config.
  assert.deepEqual(await load([...chosen('hf_vit', 'models/old/deep/'), ...chosen('hf_clip_zero_shot', 'models/new/')]), await expected('hf_clip_zero_shot'));
  const [weights] = chosen('hf_vit').filter(({ name }) => name === 'model.safetensors');
  await assert.rejects(load([weights, new File(['x'], 'notes.txt')]), says('network', /What was chosen \(model\.safetensors, notes\.txt\) has no config\.json/));
  await assert.rejects(load(chosen('hf_vit').filter(({ name }) => name !== 'model.safetensors')), says('network', /has no model\.safetensors/));
  await assert.rejects(load([]), says('invalid-argument', /The model must be/));
  await assert.rejects(load([weights, {}]), says('invalid-argument', /The model must be/));
});

test('a model is described before any of it is loaded, by one request', async () => {
  const describe = (/** @type {string} */ model, options = {}) => Vitscope.describe(model, { hub: hub.url, ...options });
  const size = clip['model.safetensors'].length;
  assert.deepEqual(await describe('hf:seeded/clip'), { model: 'hf:seeded/clip', revision: hub.commit('seeded/clip'), url: `${hub.url}seeded/clip`, bytes: size, gated: false, licence: 'mit' });
  assert.deepEqual(paths(), ['/api/models/seeded/clip/revision/main']);
  assert.equal((await describe('hf:seeded/clip@v1')).revision, COMMIT);
  const { gated, licence } = await describe('hf:seeded/gated');
  assert.deepEqual([gated, licence], [true, 'seeded-research']);
  const sharded = Object.entries(seeded('hf_vit_sharded')).filter(([name]) => name.endsWith('.safetensors'));
  assert.ok(sharded.length > 1);
  assert.equal((await describe('hf:seeded/sharded')).bytes, sharded.reduce((sum, [, bytes]) => sum + bytes.length, 0));
  assert.equal((await describe('hf:seeded/open-clip')).bytes, seeded('open_clip')['open_clip_model.safetensors'].length);
  assert.equal((await describe('hf:seeded/pickle')).bytes, 0, 'there is nothing to load');
  assert.equal((await describe('hf:seeded/private', { token: TOKEN })).licence, undefined);
  hub.quirks.blobs = false;
  assert.equal((await describe('hf:seeded/clip')).bytes, undefined);
  await assert.rejects(describe('hf:seeded/nothing'), says('network', /no public model seeded\/nothing/));
  await assert.rejects(describe('seeded/clip'), says('invalid-argument', /is no model's name/));
  await assert.rejects(describe('hf:seeded/clip', { dtype: 'int8' }), says('invalid-argument', /no option 'dtype'/));
  await assert.rejects(describe('hf:seeded/clip', { signal: AbortSignal.abort(new Error('enough')) }), /enough/);
});
