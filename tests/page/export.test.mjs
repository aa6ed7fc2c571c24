/** The document that a notebook writes: its own model, photo and view, put in as the notebook does it and opened from the disk. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Engine } from '../../pkg/dist/engine.node.js';
import { makeExport } from '../../xtask/export.mjs';
import { block } from '../../xtask/parts.mjs';
import { FOLDER } from '../node/model.mjs';
import { CONFIG, MODEL, ROOT, answered, classifyByCli, openTab, otherSite, png, shortName, startBrowser, temporaryFolder } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
let template = '';
const folder = temporaryFolder();
before(async () => {
  [browser, template] = await Promise.all([startBrowser(), makeExport()]);
});

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TARGET = 7;
const PHOTO = 'www/samples/coffee.jpg';
const FILES = ['config.json', 'preprocessor_config.json', 'model.safetensors'].map((name) => /** @type {const} */ ([name, readFileSync(join(ROOT, 'models', MODEL, name))]));

/**
 * @param {string} name of the file
 * @param {Record<string, unknown>} state
 * @param {import('../../xtask/parts.mjs').File[]} [files]
 */
function write(name, state, files = [['photo', readFileSync(join(ROOT, PHOTO)), 'image/jpeg']]) {
  const all = /** @type {import('../../xtask/parts.mjs').File[]} */ ([...FILES, ...files, ['state.json', Buffer.from(JSON.stringify(state))]]);
  const file = join(folder, name);
  writeFileSync(file, template.replaceAll('VITSCOPE-TITLE', 'Heads &amp; tails').replace('<!-- parts -->', () => all.map(block).join('\n')));
  return pathToFileURL(file).href;
}

/**
 * @param {() => string} address as of when it runs
 * @param {(tab: Awaited<ReturnType<typeof openTab>>) => Promise<void>} body
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
const onFile = (address, body, options) => async () => {
  const url = address();
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 }, ...options });
  /** @type {string[]} */
  const said = [];
  tab.page.on('console', (message) => message.type() === 'error' && said.push(message.text()));
  await tab.context.setOffline(true);
  await tab.page.goto(url);
  await answered(tab.page);
  await body(tab);
  assert.deepEqual(said, []);
  assert.deepEqual(tab.errors, []);
  assert.deepEqual(tab.requests.filter((url) => !/^(blob|data):/.test(url)), [url]);
  await tab.close();
};

const one = () => write('one.html', { title: 'Heads & tails', models: ['my <tuned> model'], photo: 'coffee.jpg', view: 'class', target: TARGET, query: null });

test('it answers as the model does, in the view that was open, and says what it is', onFile(one, async ({ page }) => {
  const [{ top }] = await classifyByCli([`models/${MODEL}`, PHOTO]);
  await answered(page, shortName(top[0].label));
  const share = await page.locator('#answers .score').first().innerText();
  assert.ok(Math.abs(Number.parseFloat(share) - 100 * top[0].score) < 0.1, share);
  await page.locator('[data-caption=title]').getByText(`Relevance for ${shortName(CONFIG.labels[TARGET])}`).waitFor();
  assert.equal(await page.title(), 'Heads & tails');
  assert.equal(await page.locator('h1').innerText(), 'Heads & tails');
  assert.match(await page.locator('#about').innerText(), /^my <tuned> model runs in this page and shows what it looks at in “coffee\.jpg”/);
  assert.equal(await page.locator('[slot=brand]').count(), 0, 'one model needs no title of its own');
  assert.match(await page.locator('#status').innerText(), /my <tuned> model[^]*1 thread/);
  assert.equal(await page.locator('#notice').isVisible(), false);
}));

const two = () => write('two.html', { title: 'Two', models: ['before', 'after'], photo: 'coffee.jpg', view: 'heads', layer: 2, head: 1, query: [2, 3] }, [
  ['photo', readFileSync(join(ROOT, PHOTO)), 'image/jpeg'], ...FILES.map(([name, bytes]) => /** @type {const} */ ([`second/${name}`, bytes])),
]);

test('two models are side by side, and choices are in step', onFile(two, async ({ page }) => {
  const second = page.locator('#second');
  const title = (/** @type {string} */ where, /** @type {RegExp} */ text) => page.locator(`${where} [data-caption=title]`).getByText(text).waitFor();
  await Promise.all(['#explorer', '#second'].map((where) => title(where, /^Layer 2, head 1: where patch \(2, 3\) looks/)));
  assert.deepEqual(await page.locator('[slot=brand]').allInnerTexts(), ['before', 'after']);
  assert.match(await page.locator('#about').innerText(), /^before and after run in this page/);
  const [left, right] = await Promise.all(['#explorer', '#second'].map((id) => page.locator(id).boundingBox()));
  assert.ok(left && right && left.y === right.y && left.x + left.width <= right.x + 2);
  await second.locator('#tab-rollout').click();
  await page.locator('#explorer #tab-rollout[aria-selected=true]').waitFor();
  await title('#explorer', /[Rr]ollout/);
  await page.locator('#explorer').getByRole('button', { name: 'Layer 4', exact: true }).click();
  await title('#second', /^Layer 4/);
  await page.setViewportSize({ width: 375, height: 700 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}));

const fixture = (/** @type {string} */ name) => readFileSync(join(ROOT, 'tests/fixtures/hf_vit', name));
const layers = JSON.parse(fixture('config.json').toString()).num_hidden_layers;
const unlike = () => write('unlike.html', { title: 'Two', models: ['large', 'small'], photo: '', view: 'heads', layer: CONFIG.layers - 1, head: 0 }, [
  ['photo', readFileSync(join(ROOT, PHOTO)), 'image/jpeg'], ...FILES.map(([name]) => /** @type {const} */ ([`second/${name}`, fixture(name)])),
]);

test('what one of two models has not stays chosen in the other', onFile(unlike, async ({ page }) => {
  const caption = (/** @type {string} */ where, /** @type {RegExp} */ text) => page.locator(`${where} [data-caption=title]`).getByText(text).waitFor();
  await page.locator('#second #answers .score').first().getByText(/\d/).waitFor();
  await Promise.all([caption('#explorer', new RegExp(`^Layer ${CONFIG.layers - 1}, head 0`)), caption('#second', new RegExp(`^Layer ${layers - 1}, head 0`))]);
  await page.locator('#second').getByRole('button', { name: 'Layer 0', exact: true }).click();
  await caption('#explorer', /^Layer 0, head 0/);
}));

const SHAPE = [3, ...CONFIG.imageSize];
const values = Float32Array.from({ length: SHAPE[0] * SHAPE[1] * SHAPE[2] }, (_, i) => Math.sin(i / 7) + Math.cos(i / 900));
const pixels = () => write('pixels.html', { title: 'Pixels', models: ['my model'], photo: 'batch[0]', shape: SHAPE, view: 'class' }, [
  ['photo', png(SHAPE[2], SHAPE[1], (x, y) => [x, y, 128, 255]), 'image/png'], ['pixels', new Uint8Array(values.buffer)],
]);

test('of pixel values it shows the picture and asks about the values, in the one detail that they have', onFile(pixels, async ({ page }) => {
  const engine = await Engine.load(FOLDER);
  const [top] = engine.classify({ pixelValues: values, shape: /** @type {[3, number, number]} */ (SHAPE) }).top;
  engine.close();
  await answered(page, shortName(top.label));
  const share = await page.locator('#answers .score').first().innerText();
  assert.ok(Math.abs(Number.parseFloat(share) - 100 * top.score) < 0.1, share);
  await page.locator('[data-caption=title]').getByText(/^Relevance for/).waitFor();
  assert.equal(await page.locator('#stage').getAttribute('aria-label'), 'batch[0]');
  assert.equal(await page.locator('[name=detail]').isDisabled(), true);
  await page.locator('#detail .note').getByText('The model gets these pixel values as they are').waitFor();
}));

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`${colorScheme} as the system has it, on a phone, and clean by what a program can check of WCAG`, onFile(one, async ({ page }) => {
    const colours = await page.evaluate(() => [document.documentElement, document.querySelector('#explorer')].map((element) => getComputedStyle(/** @type {Element} */ (element)).backgroundColor));
    assert.deepEqual(new Set(colours), new Set([colorScheme === 'light' ? 'rgb(251, 251, 250)' : 'rgb(19, 21, 23)']));
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.locator('[data-caption=title]').getByText(/^Relevance for/).waitFor();
    await page.evaluate(AXE);
    assert.deepEqual(await page.evaluate(async () => {
      const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ['violations'] });
      return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ { target }) => target.flat().join(' ')).join(', ')}`);
    }), []);
  }, { colorScheme, viewport: { width: 375, height: 700 } }));
}

test('it can send nothing anywhere', async () => {
  /** @type {string[]} */
  const heard = [];
  const address = await otherSite((path) => {
    heard.push(path);
    return { body: '' };
  });
  for (const [bypassCSP, outcome] of /** @type {const} */ ([[false, 'not sent'], [true, 'sent']])) {
    const { page, close } = await openTab(browser, { bypassCSP });
    await page.goto(one());
    await answered(page);
    const send = (/** @type {string} */ address) => fetch(`${address}/photo`, { method: 'POST', body: 'photo', mode: 'no-cors' }).then(() => 'sent', () => 'not sent');
    assert.deepEqual([await page.evaluate(send, address), await page.workers()[0].evaluate(send, address)], [outcome, outcome]);
    await close();
  }
  assert.equal(heard.length, 2);
});
