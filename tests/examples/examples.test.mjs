/** The programs of `examples/`, built with the packed package and used in Chromium or run; and places that restrict a page. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { FLAGS, ROOT } from '../page/browser.mjs';
import { finallyDo, openTab, startBrowser, temporaryFolder } from '../page/harness.mjs';
import { ISOLATED, PHOTO, answers, askPage, install, packed, run, site } from './package.mjs';

const PACKAGE = join(ROOT, 'examples/node_modules/vitscope');
const bin = (/** @type {string} */ name) => join(ROOT, 'examples/node_modules/.bin', name);
/** The README's. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  install(packed(), join(ROOT, 'examples'));
  run('examples', bin('webpack'), '--config', 'webpack/webpack.config.js');
  browser = await startBrowser();
});

for (const headers of [{}, ISOLATED]) {
  const how = 'cross-origin-opener-policy' in headers ? 'isolated' : 'as served by any server';

  test(`plain HTML with an import map, ${how}`, async () => {
    await askPage(browser, `${await site(headers)}/examples/plain/index.html`);
  });

  test(`webpack, ${how}`, async () => {
    await askPage(browser, `${await site(headers)}/examples/webpack/index.html`);
  });
}

test('Vite and TypeScript, built', async () => {
  run('examples', bin('tsc'), '--project', 'vite');
  run('examples', bin('vite'), 'build', 'vite');
  await askPage(browser, `${await site(ISOLATED)}/examples/vite/dist/index.html`);
});

test("a bundle doesn't tell where it was made", () => {
  const dist = join(ROOT, 'examples/webpack/dist');
  for (const file of readdirSync(dist)) assert.ok(!readFileSync(join(dist, file), 'latin1').includes(ROOT), file);
});

test('the overlay, in less than 60 lines', async () => {
  assert.ok(readFileSync(join(ROOT, 'examples/overlay/index.html'), 'utf8').split('\n').length <= 60);
  const { page, errors } = await openTab(browser);
  await page.goto(`${await site()}/examples/overlay/index.html`);
  await page.waitForFunction(() => /** @type {HTMLInputElement} */ (document.querySelector('#head')).max !== '');
  await page.locator('input[type=file]').setInputFiles(PHOTO);
  const said = page.locator('figcaption');
  await page.waitForFunction(() => document.querySelector('figcaption')?.textContent);
  const drawn = () => page.evaluate(() => /** @type {HTMLCanvasElement} */ (document.querySelector('canvas')).toDataURL());
  const [first, text] = [await drawn(), await said.innerText()];
  await page.locator('#head').fill('2');
  assert.notEqual(await drawn(), first, 'each head has its own map');
  assert.notEqual(await said.innerText(), text);
  assert.match(text, /^espresso\. /);
  assert.deepEqual(errors, []);
});

test('the explorer, in ten lines', async () => {
  const text = readFileSync(join(ROOT, 'examples/explorer/index.html'), 'utf8');
  const [, script] = text.split(/<\/?script[^>]*>/);
  assert.ok(script.trim().split('\n').length <= 10);
  const { page, errors } = await openTab(browser);
  await page.goto(`${await site()}/examples/explorer/index.html`);
  await page.locator('#answers .label').first().getByText('espresso').waitFor();
  await page.locator('figcaption').getByText('Relevance for espresso').waitFor();
  assert.deepEqual(errors, []);
});

test('an extension', async () => {
  const folder = temporaryFolder();
  cpSync(join(ROOT, 'examples/extension'), folder, { recursive: true });
  cpSync(join(PACKAGE, 'dist'), join(folder, 'vitscope'), { recursive: true });
  cpSync(join(ROOT, 'models/vitscope-tiny'), join(folder, 'model'), { recursive: true });
  const context = await chromium.launchPersistentContext(temporaryFolder(), {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: false,
    args: [...FLAGS, '--headless=new', `--disable-extensions-except=${folder}`, `--load-extension=${folder}`],
  });
  finallyDo(() => context.close());
  const page = await context.newPage();
  await page.goto('chrome://extensions');
  // The browser has extensions of its own, and this one is not there at once.
  const { name } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const own = await page.waitForFunction((name) => /** @type {any} */ (globalThis).chrome.developerPrivate.getExtensionsInfo().then((/** @type {any[]} */ all) => all.find((one) => one.name === name)?.id), name);
  await page.goto(`chrome-extension://${await own.jsonValue()}/popup.html`);
  await answers(page);
});

test('Node.js reads the photo by sharp', () => {
  const output = run('examples', process.execPath, 'node/classify.js', '../models/vitscope-tiny', PHOTO);
  assert.match(output, /coffee\.jpg espresso 9\d %, /);
});

test('a strict policy, on the page and on its scripts, for one thread and for several', async () => {
  for (const isolation of [{}, ISOLATED]) await askPage(browser, `${await site({ ...isolation, 'content-security-policy': POLICY })}/examples/webpack/index.html`);
  for (const file of ['README.md', 'pkg/README.md', 'docs/bundlers.md']) assert.ok(readFileSync(join(ROOT, file), 'utf8').includes(POLICY), file);
});

test('trusted types, by a policy of a name that can be allowed', async () => {
  const policy = (/** @type {string} */ allowed) => ({ ...ISOLATED, 'content-security-policy': `require-trusted-types-for 'script'; trusted-types ${allowed}` });
  await askPage(browser, `${await site(policy('vitscope'))}/examples/webpack/index.html`);
  const { page } = await openTab(browser);
  const refused = page.waitForEvent('pageerror');
  await page.goto(`${await site(policy("'none'"))}/examples/webpack/index.html`);
  assert.match((await refused).message, /Content-Security-Policy.*policy vitscope in trusted-types/);
});

/** The first piece of JavaScript in a file. @param {string} file @param {RegExp} [has] */
function snippet(file, has = /./) {
  const found = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code).find((code) => has.test(code));
  assert.ok(found, file);
  return found.replace("'vitscope'", "'/examples/node_modules/vitscope/dist/index.js'");
}

test('what docs/ shows to those who come from transformers.js runs', async () => {
  const script = `${snippet('docs/transformers-js.md')} globalThis.said = [top.length, top[0].label, features.length > 0].join();`;
  const { page, errors } = await openTab(browser);
  await page.goto(`${await site(ISOLATED, { '/shown.js': script })}/examples/extension/popup.html`);
  await page.addScriptTag({ type: 'module', url: '/shown.js' });
  assert.equal(await (await page.waitForFunction(() => /** @type {any} */ (globalThis).said)).jsonValue(), '3,espresso,true');
  assert.deepEqual(errors.filter((error) => !/popup|404/.test(error)), []);
});

test('what is copied elsewhere is found by `assets`, as docs/ has it, and by the single files', async () => {
  const { page } = await openTab(browser);
  const origin = await site();
  await page.goto(`${origin}/examples/webpack/index.html`);
  const base = '/examples/node_modules/vitscope/dist/vitscope';
  assert.match(snippet('docs/bundlers.md', /assets/), /Vitscope\.load\('[^']+', \{ assets: \{ base: '\/vitscope\/' \} \}\)/);
  const threads = await page.evaluate(async (base) => {
    const { Vitscope } = await import(`${location.origin}/examples/node_modules/vitscope/dist/index.js`);
    const sizes = [];
    for (const assets of [{ base }, { base: `${location.origin}${base}/` }, { base: `..${base.slice('/examples'.length)}` }, { worker: `${base}/worker.js`, wasm: `${base}/relaxed.wasm` }, { wasm: { relaxed: new URL(`${base}/relaxed.wasm`, location.href) } }]) {
      const vit = await Vitscope.load('/models/vitscope-tiny/', { assets });
      sizes.push(vit.config.imageSize[0]);
      vit.close();
    }
    const codes = [];
    for (const assets of [{ bas: 1 }, { base: 3 }, null, { base: 'http://[' }, { base: '/nowhere/' }]) codes.push(await Vitscope.load('/models/vitscope-tiny/', { assets }).catch((/** @type {any} */ error) => error.code));
    return [sizes.length, codes.join()];
  }, base);
  assert.deepEqual(threads, [5, 'invalid-argument,invalid-argument,invalid-argument,invalid-argument,network']);
});

test('offline, by the service worker that docs/ shows', async () => {
  const { page, context } = await openTab(browser);
  await page.goto(`${await site(ISOLATED, { '/sw.js': snippet('docs/bundlers.md', /caches/) })}/examples/webpack/index.html`);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/sw.js', { scope: '/' });
    await navigator.serviceWorker.ready;
  });
  await page.reload();
  await answers(page);
  await context.setOffline(true);
  await page.reload();
  await answers(page);
});

test('a sandboxed frame, where the server lets any page have its files', async () => {
  const origin = await site({ 'access-control-allow-origin': '*' });
  const { page } = await openTab(browser);
  await page.goto(`${origin}/examples/webpack/index.html`);
  await page.setContent(`<iframe sandbox="allow-scripts" src="${origin}/examples/webpack/index.html"></iframe>`);
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await answers(/** @type {import('playwright-core').Frame} */ (frame));
});
