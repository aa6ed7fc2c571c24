/** The single file, opened from the disk as by a double click: it answers, traces and explains with what it has within, and reaches nothing else. */
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { makeSingle } from '../../xtask/single.mjs';
import { ROOT, answered, classifyByCli, commandLine, drawn, openTab, otherSite, shortName, startBrowser, temporaryFolder } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
const folder = temporaryFolder();
const model = join(folder, 'model');
const file = join(folder, 'a name with spaces, % and é.html');
before(async () => {
  await commandLine(['quantize', 'models/vitscope-tiny', '--bits', '4', '--output', model]);
  writeFileSync(file, (await makeSingle(model)).html);
  browser = await startBrowser();
});

/** Opens it, without a network. @param {(tab: Awaited<ReturnType<typeof openTab>>) => Promise<void>} body @param {() => void} [change] of what the browser has */
const onFile = (body, change = () => {}) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 } });
  /** @type {string[]} */
  const said = [];
  tab.page.on('console', (message) => message.type() === 'error' && said.push(message.text()));
  await tab.context.setOffline(true);
  await tab.page.addInitScript(change);
  await tab.page.goto(pathToFileURL(file).href);
  await answered(tab.page);
  await body(tab);
  assert.deepEqual(said, []);
  assert.deepEqual(tab.errors, []);
  assert.deepEqual(tab.requests.filter((url) => !/^(blob|data):/.test(url)), [pathToFileURL(file).href]);
  await tab.close();
};

/** What the command line takes a photo for. @param {string} photo */
const expected = async (photo) => shortName((await classifyByCli([model, photo]))[0].top[0].label);

test('it is 4 MB at most, and its model 2', () => {
  assert.ok(statSync(file).size <= 4e6, `${statSync(file).size} bytes`);
  assert.ok(statSync(join(model, 'model.safetensors')).size <= 2e6);
});

test('it answers, shows where the model looks and why, for its photos and for one from the disk', onFile(async ({ page }) => {
  await answered(page, await expected('www/samples/coffee.jpg'));
  assert.match(await page.locator('#status').innerText(), /vitscope-tiny[^]*relaxed SIMD[^]*1 thread/);
  assert.equal(await page.locator('#notice').isVisible(), false);
  const seen = new Set();
  for (const id of ['heads', 'class', 'rollout']) {
    await page.locator(`#tab-${id}`).click();
    await page.waitForFunction(() => /\w/.test(explorer().querySelector('[data-caption=title]')?.textContent ?? ''));
    if (id === 'class') await page.locator('[data-caption=title]').getByText(/^Relevance for espresso/).waitFor();
    seen.add(await drawn(page));
  }
  assert.equal(seen.size, 3, 'each view draws its own');
  assert.ok(await page.locator('.samples img').evaluateAll((images) => images.every((image) => /** @type {HTMLImageElement} */ (image).naturalWidth > 0)));

  const chelsea = await expected('www/samples/chelsea.jpg');
  await page.getByRole('button', { name: 'Tabby cat' }).click();
  await answered(page, chelsea);
  await page.getByRole('button', { name: 'Espresso cup' }).click();
  await answered(page, 'espresso');
  await page.locator('[data-source=file]').setInputFiles(join(ROOT, 'www/samples/chelsea.jpg'));
  await answered(page, chelsea);
}));

test('a browser without relaxed SIMD has its build of the engine within', onFile(async ({ page }) => {
  await answered(page, await expected('www/samples/coffee.jpg'));
  assert.match(await page.locator('#status').innerText(), /· SIMD/);
}, () => {
  const { validate } = WebAssembly;
  WebAssembly.validate = (bytes) => validate(bytes) && !String(new Uint8Array(/** @type {ArrayBuffer} */ (bytes))).includes('253,147,2');
}));

test('another model is opened from the disk', onFile(async ({ page }) => {
  await page.locator('[data-model=files-input]').setInputFiles(['config.json', 'model.safetensors', 'preprocessor_config.json'].map((name) => join(ROOT, 'tests/fixtures/hf_vit', name)));
  await page.locator('[data-status=model]').getByText('model', { exact: true }).waitFor();
  await answered(page);
}));

test('it can send nothing anywhere, from the page or its worker', async () => {
  /** @type {string[]} */
  const heard = [];
  const address = await otherSite((path) => {
    heard.push(path);
    return { body: '', headers: { 'access-control-allow-origin': '*' } };
  });
  const send = async (/** @type {string} */ address) => {
    const send = () => fetch(`${address}/photo`, { method: 'POST', body: 'photo', mode: 'no-cors' });
    if (globalThis.document) document.body.append(Object.assign(new Image(), { src: `${address}/img` }));
    return send().then(() => 'sent', () => 'not sent');
  };
  for (const [bypassCSP, outcome] of /** @type {const} */ ([[false, 'not sent'], [true, 'sent']])) {
    const { page, close } = await openTab(browser, { bypassCSP });
    await page.goto(pathToFileURL(file).href);
    await answered(page);
    const [worker] = page.workers();
    assert.deepEqual([await page.evaluate(send, address), await worker.evaluate(send, address)], [outcome, outcome]);
    await page.waitForTimeout(300);
    assert.equal(heard.length > 0, bypassCSP, heard.join());
    await close();
  }
});
