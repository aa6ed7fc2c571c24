/** Models that are kept: the second load asks for next to nothing, and whatever goes wrong, never a broken model. In Node.js, in a folder; the browser's is in tests/page. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Hub, seeded } from './hub.mjs';

const clip = seeded('hf_clip_zero_shot');
const vit = seeded('hf_vit');
/** Another version of it: one weight differs. */
const other = { ...vit, 'model.safetensors': changed(vit['model.safetensors']) };
const repositories = () => ({ 'seeded/clip': { files: clip }, 'seeded/vit': { files: vit, revisions: /** @type {Record<string, string>} */ ({}) }, 'seeded/sharded': { files: seeded('hf_vit_sharded') } });
const hub = new Hub(repositories());
let root = '';
/** A folder of its own for each test. */
let cache = '';
before(async () => {
  await hub.start();
  root = mkdtempSync(join(tmpdir(), 'vitscope-cache-'));
});
beforeEach(() => {
  hub.reset();
  hub.repositories = repositories();
  cache = mkdtempSync(join(root, 'x'));
});
after(() => {
  hub.close();
  rmSync(root, { recursive: true });
});

/** @param {Buffer} bytes */
function changed(bytes) {
  const copy = Buffer.from(bytes);
  copy[copy.length - 2] ^= 1;
  return copy;
}

const IMAGE = { width: 9, height: 7, data: Uint8ClampedArray.from({ length: 252 }, (_, i) => (7 * i) % 256) };

/**
 * @param {any} source
 * @param {import('../../pkg/index.js').LoadOptions} [options]
 */
async function answer(source, options) {
  const engine = await Engine.load(source, { hub: hub.url, cache, ...options });
  const { logits } = engine.classify(IMAGE);
  engine.close();
  return [...logits];
}

/** What was asked for since the last time. */
function asked() {
  const { log } = hub;
  hub.log = [];
  return log.map(({ path }) => path);
}

const entries = () => (existsSync(join(cache, 'vitscope-1')) ? readdirSync(join(cache, 'vitscope-1')) : []);
const models = async () => (await Engine.cache.list(cache)).map(({ model }) => model).sort();
const folder = () => `${hub.url}folders/seeded/vit/`;

// (The first, as it is said once.)
test('where nothing can be kept, who asked for it is told once, and how it can be', async (t) => {
  const { mock } = t.mock.method(console, 'warn', () => {});
  const said = () => mock.calls.map((call) => String(call.arguments[0]));
  for (const silent of [undefined, false]) await answer('hf:seeded/vit', { cache: silent });
  assert.deepEqual(said(), []);
  for (const source of ['hf:seeded/vit', folder(), folder()]) await answer(source, { cache: true });
  assert.equal(said().length, 1);
  assert.match(said()[0], /^cache: true keeps nothing here: name a folder, \{ cache: '[^']+' \}\.$/);
});

for (const name of ['clip', 'sharded', 'vit']) {
  for (const dtype of /** @type {const} */ ([undefined, 'f32', 'int8'])) {
    test(`${name} as ${dtype}: the second load asks for the commit alone, and none without a network`, async () => {
      const first = await answer(`hf:seeded/${name}`, { dtype });
      assert.ok(asked().length > 3);
      assert.deepEqual(await answer(`hf:seeded/${name}`, { dtype }), first);
      assert.deepEqual(asked(), [`/api/models/seeded/${name}/revision/main`]);
      const away = () => Promise.reject(new TypeError('no network'));
      assert.deepEqual(await answer(`hf:seeded/${name}`, { dtype, fetch: away }), first);
      assert.deepEqual(await answer(`hf:seeded/${name}@${hub.commit(`seeded/${name}`)}`, { dtype }), first);
      assert.deepEqual(asked(), []);
      // A page in the API's place, and a Hub that is busy, are no network either.
      assert.deepEqual(await answer(`hf:seeded/${name}`, { dtype, fetch: async () => new Response('<html>') }), first);
      assert.deepEqual(await answer(`hf:seeded/${name}`, { dtype, fetch: async () => new Response('', { status: 429, headers: { 'retry-after': '600' } }) }), first);
      // But a no is a no.
      await assert.rejects(answer(`hf:seeded/${name}`, { dtype, fetch: async () => new Response('', { status: 401 }) }), /no public model/);
    });
  }
}

test('what is kept is what is read, as int8 a quarter of it', async () => {
  await answer('hf:seeded/clip');
  const whole = await Engine.cache.size(cache);
  assert.ok(whole < clip['model.safetensors'].length, 'the text tower is not kept');
  await Engine.cache.clear(cache);
  await answer('hf:seeded/clip', { dtype: 'int8' });
  const [kept] = await Engine.cache.list(cache);
  assert.deepEqual([kept.model, kept.revision, kept.hub, kept.dtype, kept.bytes], ['hf:seeded/clip', hub.commit('seeded/clip'), hub.url, 'int8', await Engine.cache.size(cache)]);
  assert.ok(Date.now() - kept.date.getTime() < 60_000);
  const [entry] = entries().filter((name) => !name.startsWith('branch'));
  assert.match(readFileSync(join(cache, 'vitscope-1', entry)).toString('latin1'), /vitscope-int8\/1/);
});

test('a branch that moved is read anew, and what it was before goes', async () => {
  await answer('hf:seeded/vit');
  hub.repositories['seeded/vit'].files = other;
  const next = await answer('hf:seeded/vit');
  hub.repositories['seeded/vit'].files = vit;
  assert.equal((await models()).length, 1);
  assert.equal(entries().filter((name) => !name.startsWith('branch')).length, 1);
  assert.notDeepEqual(next, await answer('hf:seeded/vit', { cache: false }));
});

test('a folder is asked whether it is still the same', async () => {
  for (const validator of /** @type {const} */ (['etag', 'modified'])) {
    hub.quirks.validator = validator;
    hub.repositories['seeded/vit'].files = vit;
    const first = await answer(folder());
    asked();
    assert.deepEqual(await answer(folder()), first);
    assert.ok(hub.sent(/./) <= 8 * hub.log.length, 'a few bytes of each file');
    assert.deepEqual(await answer(folder(), { fetch: () => Promise.reject(new TypeError('no network')) }), first);
    // Another query may be another token, and is the same model.
    assert.deepEqual(await answer(`${folder()}?key=1`), first);
    hub.repositories['seeded/vit'].files = other;
    assert.notDeepEqual(await answer(folder()), first);
    assert.deepEqual(await models(), [folder()]);
    // Who says no now, says no.
    hub.repositories['seeded/vit'].files = {};
    await assert.rejects(answer(folder()), /404/);
    await Engine.cache.clear(cache);
  }
});

test('a folder without a validator is not kept', async () => {
  hub.quirks.validator = 'none';
  const first = await answer(folder());
  assert.deepEqual(await models(), []);
  assert.deepEqual(await answer(folder()), first);
});

test('without a folder, and with cache: false, nothing is kept', async () => {
  for (const own of [undefined, false, true]) await answer('hf:seeded/vit', { cache: own });
  await answer(new URL('../fixtures/hf_vit/', import.meta.url));
  assert.deepEqual(await models(), []);
  assert.deepEqual(await Engine.cache.list(), []);
});

test('list, size, delete, clear', async () => {
  await answer('hf:seeded/vit');
  await answer('hf:seeded/vit', { dtype: 'int8' });
  await answer(folder(), { cache: pathToFileURL(cache) });
  await answer('hf:seeded/clip');
  assert.deepEqual(await models(), ['hf:seeded/clip', 'hf:seeded/vit', 'hf:seeded/vit', folder()]);
  assert.equal(await Engine.cache.delete('hf:seeded/nothing', cache), false);
  assert.equal(await Engine.cache.delete('hf:seeded/vit', cache), true);
  assert.equal(await Engine.cache.delete(new URL(folder()), cache), true);
  assert.deepEqual(await models(), ['hf:seeded/clip']);
  assert.equal(await Engine.cache.delete(`hf:seeded/clip@${hub.commit('seeded/clip')}`, cache), true);
  assert.equal(await Engine.cache.size(cache), 0);
  await answer('hf:seeded/clip');
  await Engine.cache.clear(cache);
  assert.deepEqual(entries(), []);
});

test('a load that fails keeps nothing, nor does a page in the place of a file', async () => {
  const quirks = [{ html: /safetensors/ }, { html: /config\.json/ }, { breakAt: () => 3000 }, { flip: 5000 }];
  for (const quirk of quirks) {
    for (const source of ['hf:seeded/vit', folder()]) {
      hub.reset();
      Object.assign(hub.quirks, quirk);
      if (quirk.flip && source === folder()) continue; // nobody knows
      await assert.rejects(answer(source), JSON.stringify(quirk));
      assert.deepEqual(entries(), [], JSON.stringify(quirk));
    }
  }
  hub.reset();
  const abort = new AbortController();
  hub.quirks.breakAt = () => void abort.abort(new Error('enough'));
  await assert.rejects(answer('hf:seeded/vit', { signal: abort.signal }), /enough/);
  assert.deepEqual(entries(), []);
});

test('an entry that is damaged is as good as none', async () => {
  const first = await answer('hf:seeded/vit');
  await models(); // it is written by now
  const [name] = entries().filter((name) => !name.startsWith('branch'));
  const file = join(cache, 'vitscope-1', name);
  const whole = readFileSync(file);
  for (const [i, damage] of [
    () => truncateSync(file, 3),
    () => truncateSync(file, whole.length - 7),
    () => writeFileSync(file, '<!doctype html>'),
    () => writeFileSync(file, Buffer.concat([whole.subarray(0, 1000), whole.subarray(2000)])),
    () => writeFileSync(file, whole.toString('latin1').replace('F32', 'F16'), 'latin1'),
  ].entries()) {
    damage();
    assert.deepEqual(await answer('hf:seeded/vit'), first, `damage ${i}`);
    asked();
    assert.deepEqual(await answer('hf:seeded/vit'), first);
    assert.equal(asked().length, 1);
  }
});

test('an entry whose bytes are damaged anywhere is read anew, whatever it is of: tensors, texts, what it says of itself', async () => {
  for (const name of ['clip', 'vit']) {
    const source = `hf:seeded/${name}`;
    const first = await answer(source);
    await models();
    const file = join(cache, 'vitscope-1', entries().find((entry) => !entry.startsWith('branch') && entry.includes(name)) ?? '');
    const whole = readFileSync(file);
    const bit = (/** @type {number} */ at, /** @type {number} */ which) => (/** @type {Buffer} */ bytes) => void (bytes[at] ^= 1 << which);
    const damages = [
      ...Array.from({ length: 24 }, (_, i) => bit(Math.floor((i * (whole.length - 1)) / 23), i % 8)),
      (/** @type {Buffer} */ bytes) => bytes.fill(0, 4096, 8192),
      (/** @type {Buffer} */ bytes) => bytes.copyWithin(4096, 8192, 12288),
      (/** @type {Buffer} */ bytes) => [4099, 4103].forEach((at) => bit(at, 7)(bytes)), // two signs
      (/** @type {Buffer} */ bytes) => bytes.subarray(4096, 4104).swap32(),
    ];
    for (const [i, damage] of damages.entries()) {
      const bytes = Buffer.from(whole);
      damage(bytes);
      await models(); // it is kept again by now
      assert.ok(!bytes.equals(whole));
      writeFileSync(file, bytes);
      asked();
      assert.deepEqual(await answer(source), first, `damage ${i} of ${name}`);
      assert.ok(asked().some((path) => path.endsWith('.safetensors')), `damage ${i} of ${name} was seen`);
    }
    await models();
    assert.ok(readFileSync(file).length === whole.length, 'and is kept anew');
  }
});

test('two loads of the same at once', async () => {
  const answers = await Promise.all([1, 2, 3].map(() => answer('hf:seeded/vit')));
  assert.deepEqual(answers[1], answers[0]);
  assert.deepEqual(answers[2], answers[0]);
  assert.deepEqual(await models(), ['hf:seeded/vit']);
  asked();
  assert.deepEqual(await answer('hf:seeded/vit'), answers[0]);
  assert.equal(asked().length, 1);
});

test('a folder that can not be written keeps nothing, says so, and the model runs', async (t) => {
  const { mock } = t.mock.method(console, 'warn', () => {});
  const first = await answer('hf:seeded/vit', { cache: false });
  rmSync(join(cache, 'vitscope-1'), { recursive: true, force: true });
  writeFileSync(join(cache, 'vitscope-1'), 'a file in its place');
  assert.deepEqual(await answer('hf:seeded/vit'), first);
  assert.match(String(mock.calls.map((call) => call.arguments[0])), /does not keep/);
});

test('what was kept without being checked is not taken for checked', async () => {
  await answer('hf:seeded/vit');
  await assert.rejects(answer('hf:seeded/vit', { integrity: { 'model.safetensors': `sha256-${'0'.repeat(64)}` } }), /its SHA-256 is/);
});
