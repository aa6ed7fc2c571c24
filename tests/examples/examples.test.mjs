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
  const id = await page.evaluate(() => /** @type {any} */ (globalThis).chrome.developerPrivate.getExtensionsInfo().then((/** @type {any[]} */ all) => all[0].id));
  await page.goto(`chrome-extension://${id}/popup.html`);
  await answers(page);
});

test('Node.js reads the photo by sharp', () => {
  const output = run('examples', process.execPath, 'node/classify.js', '../models/vitscope-tiny', PHOTO);
  assert.match(output, /coffee\.jpg espresso 9\d %, /);
});

test('a strict policy, on the page and on its scripts, for one thread and for several', async () => {
  for (const isolation of [{}, ISOLATED]) await askPage(browser, `${await site({ ...isolation, 'content-security-policy': POLICY })}/examples/webpack/index.html`);
  assert.ok(readFileSync(join(ROOT, 'pkg/README.md'), 'utf8').includes(POLICY), 'the README has it');
});

test('trusted types, by a policy of a name that can be allowed', async () => {
  const policy = (/** @type {string} */ allowed) => ({ ...ISOLATED, 'content-security-policy': `require-trusted-types-for 'script'; trusted-types ${allowed}` });
  await askPage(browser, `${await site(policy('vitscope'))}/examples/webpack/index.html`);
  const { page } = await openTab(browser);
  const refused = page.waitForEvent('pageerror');
  await page.goto(`${await site(policy("'none'"))}/examples/webpack/index.html`);
  assert.match((await refused).message, /Content-Security-Policy.*policy vitscope in trusted-types/);
});

test('a sandboxed frame, where the server lets any page have its files', async () => {
  const origin = await site({ 'access-control-allow-origin': '*' });
  const { page } = await openTab(browser);
  await page.goto(`${origin}/examples/webpack/index.html`);
  await page.setContent(`<iframe sandbox="allow-scripts" src="${origin}/examples/webpack/index.html"></iframe>`);
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await answers(/** @type {import('playwright-core').Frame} */ (frame));
});
