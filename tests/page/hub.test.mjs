/** Models by name and the browser's cache, in a real one: what crosses origins, what asks no preflight, what is kept and what is not. */
import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Hub, TOKEN, seeded, split } from '../node/hub.mjs';
import { fromDisk, onApi, openApi, otherSite, startBrowser, startHub, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const clip = seeded('hf_clip_zero_shot');
const repositories = () => ({ 'seeded/clip': { files: clip }, 'seeded/sharded': { files: seeded('hf_vit_sharded') }, 'seeded/private': { files: clip, private: true } });
const hub = new Hub(repositories());
/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer(), startHub(hub)]);
});
beforeEach(() => hub.reset());

/**
 * The labels of an answer, or the error that there was.
 * @param {Page} page
 * @param {string} source
 * @param {Record<string, unknown>} [options]
 * @returns {Promise<any>}
 */
const answer = (page, source, options = {}) =>
  page.evaluate(async ({ source, options }) => {
    try {
      const vit = await vitscope.Vitscope.load(source, options);
      const { logits } = await vit.classify(new ImageData(9, 7));
      vit.close();
      return [...logits];
    } catch (error) {
      const { code, message } = /** @type {any} */ (error);
      return { code, message };
    }
  }, { source, options: { hub: hub.url, ...options } });

const kept = (/** @type {Page} */ page) => page.evaluate(async () => ({ models: (await vitscope.Vitscope.cache.list()).map(({ model, dtype = '' }) => `${model} ${dtype}`.trim()).sort(), size: await vitscope.Vitscope.cache.size() }));

/** What was asked for since the last time. */
function asked() {
  const { log } = hub;
  hub.log = [];
  return log.map(({ method, origin, path }) => `${method} ${origin} ${path}`);
}

/** @param {(tab: Awaited<ReturnType<typeof openApi>>) => Promise<void>} body */
const onPage = (body) => onApi(() => ({ browser, origin }), body);

test('by name, across origins, without a preflight, and kept for the next time', onPage(async ({ page }) => {
  const expected = await answer(page, '/tests/fixtures/hf_clip_zero_shot/', { cache: false });
  assert.equal(expected.length, 5, JSON.stringify(expected));
  assert.deepEqual(await answer(page, 'hf:seeded/clip'), expected);
  assert.ok(hub.log.every(({ method, status }) => method === 'GET' && status < 400), JSON.stringify(hub.log));
  assert.ok(hub.sent(/model\.safetensors/) < 0.85 * clip['model.safetensors'].length, 'the text tower stays where it is');
  asked();
  assert.deepEqual(await answer(page, 'hf:seeded/clip'), expected);
  assert.deepEqual(asked(), ['GET hub /api/models/seeded/clip/revision/main']);
  hub.quirks.down = true;
  assert.deepEqual(await answer(page, 'hf:seeded/clip'), expected, 'without a network');
  hub.quirks.down = false;
  await answer(page, 'hf:seeded/clip', { dtype: 'int8' });
  const { models, size } = await kept(page);
  assert.deepEqual(models, ['hf:seeded/clip', 'hf:seeded/clip int8']);
  assert.ok(size > 0 && size < 2 * clip['model.safetensors'].length);
  assert.equal(await page.evaluate(() => vitscope.Vitscope.cache.delete('hf:seeded/clip')), true);
  assert.deepEqual(await kept(page), { models: [], size: 0 });
}));

test('headers that are hidden, ranges that are not there, breaks on the way', onPage(async ({ page }) => {
  const expected = await answer(page, '/tests/fixtures/hf_clip_zero_shot/', { cache: false });
  const sharded = await answer(page, '/tests/fixtures/hf_vit_sharded/', { cache: false });
  for (const quirks of [{ exposed: false }, { exposed: false, ranges: false, gzip: true }, { lengths: false, ranges: false }, { uses: 1, exposed: false }, { exposed: false, breakAt: everyTenth() }]) {
    Object.assign(hub.quirks, quirks);
    assert.deepEqual(await answer(page, 'hf:seeded/clip', { cache: false }), expected, JSON.stringify(quirks));
    assert.deepEqual(await answer(page, 'hf:seeded/sharded', { cache: false }), sharded, JSON.stringify(quirks));
    // Of a folder whose headers are hidden there is one answer, which can't be taken up.
    const plain = await answer(page, `${hub.url}folders/seeded/clip/`, { cache: false });
    if ('breakAt' in quirks) assert.match(plain.message, /broke off after \d+ of \d+ bytes/);
    else assert.deepEqual(plain, expected, JSON.stringify(quirks));
    assert.ok(hub.log.every(({ method }) => method === 'GET'));
    hub.reset();
  }
}));

function everyTenth() {
  const tenth = clip['model.safetensors'].length / 10;
  return (/** @type {string} */ path, /** @type {number} */ begin, /** @type {number} */ end) => {
    const next = Math.floor((Math.floor((begin + 1) / tenth) + 1) * tenth);
    return /model\.safetensors/.test(path) && next < end ? next : undefined;
  };
}

test('a token goes to the Hub alone, also where it leads to another origin', onPage(async ({ page }) => {
  assert.match((await answer(page, 'hf:seeded/private')).message, /no public model seeded\/private/);
  hub.reset();
  assert.equal((await answer(page, 'hf:seeded/private', { token: TOKEN, cache: false })).length, 5);
  const cdn = hub.log.filter(({ origin }) => origin === 'cdn');
  assert.ok(cdn.length > 0 && cdn.every(({ method, headers }) => method === 'GET' && !headers.authorization), JSON.stringify(cdn));
}));

test('a folder is kept where its validator can be seen, and asked for it without a preflight', onPage(async ({ page }) => {
  const folder = `${hub.url}folders/seeded/sharded/`;
  const expected = await answer(page, folder);
  assert.equal(expected.length, 5, JSON.stringify(expected));
  asked();
  assert.deepEqual(await answer(page, folder), expected);
  assert.ok(hub.log.every(({ method, sent }) => method === 'GET' && sent <= 8), JSON.stringify(hub.log));
  const { files } = hub.repositories['seeded/sharded'];
  hub.repositories['seeded/sharded'].files = { ...files, 'config.json': Buffer.from(files['config.json'].toString().replace(/"id2label"[^}]*},/, '')) };
  await answer(page, folder);
  assert.ok(asked().some((line) => /00002-of-00003/.test(line)), 'it changed');
  hub.repositories = repositories();
  await page.evaluate(() => vitscope.Vitscope.cache.clear());
  // One whose headers are hidden only where that is asked for; a date can always be seen.
  for (const [quirks, cache, models] of /** @type {[any, any, number][]} */ ([[{ exposed: false }, undefined, 0], [{ exposed: false }, true, 1], [{ exposed: false }, false, 1], [{ exposed: false, validator: 'modified' }, undefined, 1]])) {
    Object.assign(hub.quirks, quirks);
    assert.deepEqual(await answer(page, folder, { cache }), expected);
    assert.equal((await kept(page)).models.length, models, JSON.stringify([quirks, cache]));
  }
}));

test('a site that may not keep as much: the model runs, nothing half is kept, one sentence with the figures', onPage(async ({ page, context, warnings }) => {
  const cdp = await context.newCDPSession(page);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 10_000 });
  assert.equal((await answer(page, 'hf:seeded/clip')).length, 5);
  assert.equal((await answer(page, 'hf:seeded/clip')).length, 5);
  assert.deepEqual((await kept(page)).models, []);
  const said = warnings.filter((text) => /does not keep/.test(text));
  assert.equal(said.length, 1, warnings.join('\n'));
  assert.match(said[0], /does not keep hf:seeded\/clip for the next time: this site has taken \d+ MB of the \d+ MB that it may\. It runs all the same\./);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin });
  assert.equal((await answer(page, 'hf:seeded/clip')).length, 5);
  assert.deepEqual((await kept(page)).models, ['hf:seeded/clip']);
}));

test('without storage, and with one that refuses, models run', async () => {
  for (const script of ['delete globalThis.caches; Object.defineProperty(globalThis, "caches", { value: undefined })', 'caches.open = () => Promise.reject(new DOMException("", "SecurityError"))']) {
    const tab = await openApi(browser, origin);
    await tab.page.evaluate(script);
    assert.equal((await answer(tab.page, 'hf:seeded/clip')).length, 5, script);
    assert.deepEqual(await kept(tab.page), { models: [], size: 0 });
    assert.deepEqual(tab.warnings, []);
    for (const _ of [1, 2]) await answer(tab.page, 'hf:seeded/clip', { cache: true });
    assert.equal(tab.warnings.length, 1, 'who asked for it is told, once');
    assert.match(String(tab.warnings), /cache: true keeps nothing here: the Cache API takes HTTPS/);
    await tab.close();
  }
});

test('of more files than there are connections none keeps another waiting', onPage(async ({ page }) => {
  const expected = await answer(page, '/tests/fixtures/hf_vit/', { cache: false });
  hub.repositories = { ...repositories(), 'seeded/many': { files: split(seeded('hf_vit'), 12, 1e6) } };
  for (const quirks of [{ validator: 'none' }, { validator: 'none', ranges: false }, { ranges: false }]) {
    Object.assign(hub.quirks, new Hub({}).quirks, { holds: 5e5, ...quirks });
    assert.deepEqual(await answer(page, `${hub.url}folders/seeded/many/`, { cache: false }), expected, JSON.stringify(quirks));
  }
}));

test('two tabs at once, and one that is closed in the middle', onPage(async ({ page, context }) => {
  const second = await context.newPage();
  await second.goto(page.url());
  await second.waitForSelector('html[data-ready=yes]');
  const [a, b] = await Promise.all([answer(page, 'hf:seeded/clip'), answer(second, 'hf:seeded/clip')]);
  assert.deepEqual(a, b);
  assert.deepEqual((await kept(page)).models, ['hf:seeded/clip']);
  assert.deepEqual(await answer(page, 'hf:seeded/clip'), a);
  // It has a part of the other one when it goes.
  hub.quirks.refuse = [[/00003-of-00003/, 429, { 'retry-after': '20' }]];
  answer(second, 'hf:seeded/sharded').catch(() => {});
  while (!hub.log.some(({ path }) => /00003-of-00003/.test(path))) await new Promise((resolve) => setTimeout(resolve, 20));
  await second.close();
  assert.deepEqual((await kept(page)).models, ['hf:seeded/clip']);
}));

test('files of an input, and a folder that was opened', onPage(async ({ page }) => {
  const expected = await answer(page, '/tests/fixtures/hf_vit_sharded/', { cache: false });
  await page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), { type: 'file', multiple: true })));
  const path = (/** @type {string} */ name) => fileURLToPath(new URL(`../fixtures/hf_vit_sharded/${name}`, import.meta.url));
  const names = Object.keys(seeded('hf_vit_sharded'));
  await page.setInputFiles('input', names.map(path));
  const found = await page.evaluate(async (names) => {
    const run = async (/** @type {any} */ source) => {
      const vit = await vitscope.Vitscope.load(source);
      const { logits } = await vit.classify(new ImageData(9, 7));
      vit.close();
      return [...logits];
    };
    const { files } = /** @type {HTMLInputElement} */ (document.querySelector('input'));
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('model', { create: true });
    const empty = await folder.getDirectoryHandle('empty', { create: true });
    for (const name of names) {
      const to = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await to.write(await (await fetch(`/tests/fixtures/hf_vit_sharded/${name}`)).blob());
      await to.close();
    }
    return [await run(files), await run(folder), await run(empty).catch(({ code, message }) => [code, message])];
  }, names);
  assert.deepEqual(found[0], expected);
  assert.deepEqual(found[1], expected);
  assert.equal(found[2][0], 'network');
  assert.match(String(found[2][1]), /The folder empty has no (config\.json|model\.safetensors)/);
}));

test('what a policy must let through is said', async () => {
  const site = await otherSite((path) => ({ ...fromDisk(path), headers: /\.html$/.test(path) ? { 'content-security-policy': "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; img-src data:" } : undefined }));
  const tab = await openApi(browser, site);
  const said = await answer(tab.page, 'hf:seeded/clip', { hub: undefined });
  assert.equal(said.code, 'csp');
  assert.match(said.message, /Allow https:\/\/huggingface\.co, .*https:\/\/\*\.hf\.co in connect-src/);
  await tab.close();
});
