/** The first second and the second visit: over a slow line a light model answers until the default is there, and the browser keeps what it has. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { OFFERS } from '../../www/offers.js';
import { FLAGS } from './browser.mjs';
import { ROOT, answered, drawn, finallyDo, openTab, startBrowser, startServer, temporaryFolder, withExplorer } from './harness.mjs';
import { openLine } from './line.mjs';

/** @typedef {import('playwright-core').Page} Page */

const [DEFAULT, LIGHT] = OFFERS;
const weights = (/** @type {{name: string}} */ { name }) => `/models/${name}/model.safetensors`;
const size = (/** @type {{name: string}} */ model) => statSync(join(ROOT, weights(model))).size;
/** What is said of it in megabytes: the tensors, without the header. @param {{name: string}} model */
const wanted = (model) => {
  const header = readFileSync(join(ROOT, weights(model))).readUInt32LE(0);
  return ((size(model) - 8 - header) / 1e6).toFixed(1);
};
const COFFEE = 'espresso'; // both models say so
const TRICKLE = 200_000; // bytes a second: two minutes for the default's weights

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** Before a page: its clock goes so slowly that no line is a slow one, however busy this machine is. @param {{addInitScript: Page['addInitScript']}} page */
const hurry = (page) => page.addInitScript(() => {
  const now = performance.now.bind(performance);
  performance.now = () => now() / 100;
});

/**
 * The page behind a line, which carries what `pace` says of each path, until that is changed.
 * @param {Record<string, number>} pace bytes a second; all else goes as fast as it can
 * @param {string} [address]
 * @param {(page: Page) => Promise<unknown>} [setUp]
 */
async function visit(pace, address = '/www/', setUp = async () => {}) {
  const line = await openLine(origin, (path) => pace[path] ?? Infinity);
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 } });
  tab.page.setDefaultTimeout(60_000);
  await setUp(tab.page);
  await tab.page.goto(line.origin + address);
  const sent = (/** @type {{name: string}} */ model) => line.answers.filter(({ path }) => path === weights(model));
  const end = async () => {
    assert.deepEqual(tab.errors, []);
    await tab.close();
  };
  return { ...tab, sent, end };
}

const inUse = (/** @type {Page} */ page, /** @type {string} */ name) => page.locator('[data-status=model]').getByText(name, { exact: true }).waitFor({ state: 'attached' });
const loading = (/** @type {Page} */ page) => page.locator('[data-status=loading]').innerText();
const said = (/** @type {Page} */ page, /** @type {RegExp} */ sentence) => page.locator('#notice').getByText(sentence).waitFor();

/** A visit whose light model answers while the default trickles in. */
async function waiting() {
  const pace = { [weights(DEFAULT)]: TRICKLE };
  const tab = await visit(pace);
  await inUse(tab.page, LIGHT.name);
  await answered(tab.page, COFFEE);
  return { ...tab, pace };
}

test('on a slow line the light model answers first, then the default takes its place, and hardly a byte comes twice', async () => {
  const { page, sent, pace, end } = await waiting();
  const telling = `^${LIGHT.name} answers\nLoading ${DEFAULT.name}, [\\d.]+ of ${wanted(DEFAULT)} MB$`;
  await page.waitForFunction((telling) => new RegExp(telling).test(/** @type {HTMLElement} */ (explorer().querySelector('[data-status=loading]')).innerText), telling);
  assert.equal(await page.getByRole('progressbar').count(), 1);
  assert.equal(await page.locator('.tile').count(), 6 * 7, 'and its heads are shown');
  pace[weights(DEFAULT)] = Infinity;
  await inUse(page, DEFAULT.name);
  await page.waitForFunction(() => explorer().querySelectorAll('.tile').length > 6 * 7);
  await answered(page, COFFEE);
  assert.equal(await page.getByRole('progressbar').count(), 0);
  assert.equal(await page.locator('#notice').isVisible(), false);
  // (What had come of the default when it was given up is asked for again.)
  assert.ok([...sent(LIGHT), ...sent(DEFAULT)].every(({ status }) => status === 206));
  const bytes = sent(DEFAULT).reduce((sum, answer) => sum + answer.bytes, 0);
  assert.ok(bytes - size(DEFAULT) < 0.02 * size(DEFAULT), `${bytes} bytes were sent of a file of ${size(DEFAULT)}`);
  await end();
});

test('on a fast line the light model is never asked for', async () => {
  const { page, sent, end } = await visit({}, '/www/', hurry);
  await inUse(page, DEFAULT.name);
  await answered(page, COFFEE);
  assert.deepEqual(sent(LIGHT), []);
  assert.equal(sent(DEFAULT).reduce((sum, { bytes }) => sum + bytes, 0), size(DEFAULT));
  await end();
});

test('whoever asks for a model by the address waits for that one, on whatever line', async () => {
  const { page, sent, end } = await visit({ [weights(LIGHT)]: TRICKLE * 3 }, `/www/?model=/models/${LIGHT.name}`);
  await inUse(page, LIGHT.name);
  await answered(page, COFFEE);
  assert.deepEqual(sent(DEFAULT), []);
  await end();
});

test("another model chosen while the default is on its way stays", async () => {
  const { page, pace, sent, end } = await waiting();
  await page.locator('[data-model=files-input]').setInputFiles(['config.json', 'model.safetensors'].map((file) => join(ROOT, 'tests/fixtures/hf_vit', file)));
  await inUse(page, 'model');
  const asked = sent(DEFAULT).length;
  pace[weights(DEFAULT)] = Infinity;
  await page.waitForTimeout(1500);
  assert.equal(await page.locator('[data-status=model]').innerText(), 'model');
  assert.equal(sent(DEFAULT).length, asked, 'the default is not asked for again');
  await end();
});

test('a default that breaks off leaves the light model in use, and can be asked for again', async () => {
  const { page, pace, end } = await waiting();
  pace[weights(DEFAULT)] = NaN; // the line breaks
  await said(page, new RegExp(`${DEFAULT.name}.* ${LIGHT.name} stays in use\\.`));
  assert.equal(await page.locator('[data-status=model]').innerText(), LIGHT.name);
  pace[weights(DEFAULT)] = Infinity;
  await page.getByRole('button', { name: 'Try again' }).click();
  await inUse(page, DEFAULT.name);
  await answered(page, COFFEE);
  assert.equal(await page.locator('#notice').isVisible(), false);
  await end();
});

test('where the default cannot be had the light model is a way on', async () => {
  const { page, end } = await visit({ [weights(DEFAULT)]: NaN });
  await page.getByRole('button', { name: `${LIGHT.name}, ${LIGHT.megabytes} MB` }).click();
  await inUse(page, LIGHT.name);
  await answered(page, COFFEE);
  await end();
});

test('what needs no weights is there before them: the photo, its patches, what the model will see', async () => {
  const { page, end } = await visit({ [weights(DEFAULT)]: 0 });
  await page.locator('#stage.filled').waitFor();
  await page.locator('#stage .frame').waitFor();
  const before = await drawn(page);
  /** White lines over the middle square, counted in a row of pixels near its top. */
  const lines = await page.evaluate(() => {
    const canvas = /** @type {HTMLCanvasElement} */ (explorer().querySelector('#stage .overlay'));
    const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(0, 3, canvas.width, 1);
    return data.filter((value, i) => i % 4 === 3 && value > 0 && data[i - 1] === 255 && !data[i - 4]).length;
  });
  assert.equal(lines, DEFAULT.grid[1] - 1, 'a line between every two patches');
  await page.getByRole('button', { name: 'Tabby cat' }).click();
  await page.waitForFunction(() => explorer().querySelector('#stage')?.getAttribute('aria-label') === 'Tabby cat');
  assert.notEqual(await drawn(page), before, 'another photo has its own');
  await page.getByRole('button', { name: 'Model', exact: true }).click();
  await page.getByRole('group', { name: 'Models of this page' }).getByRole('button', { name: LIGHT.name }).click();
  await inUse(page, LIGHT.name);
  await page.waitForFunction(() => explorer().querySelector('[data-caption=title]')?.textContent?.startsWith('Layer'));
  await page.locator('[name=opacity]').fill('0');
  assert.equal(await page.evaluate(() => {
    const [base, overlay] = ['.base', '.overlay'].map((name) => /** @type {HTMLCanvasElement} */ (explorer().querySelector(`#stage canvas${name}`)));
    const middle = (/** @type {HTMLCanvasElement} */ canvas) => canvas.getContext('2d')?.getImageData(canvas.width / 3, 0, canvas.width / 3, canvas.height).data ?? [];
    const photo = middle(base);
    return middle(overlay).some((value, i) => Math.abs(value - photo[i]) > 2);
  }), false, 'and they go with the first map');
  await end();
});

test('a second visit has the model from the browser', async () => {
  const line = await openLine(origin, () => Infinity);
  const folder = temporaryFolder();
  for (const visit of ['first', 'second']) {
    line.answers.length = 0;
    const context = await chromium.launchPersistentContext(folder, { executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
    finallyDo(() => context.close());
    const page = context.pages()[0] ?? (await context.newPage());
    await page.addInitScript(withExplorer);
    await page.addInitScript(() => {
      globalThis.kept = [];
      const observer = new MutationObserver(() => kept.push(explorer().querySelector('[data-status=loading]')?.textContent));
      const attach = Element.prototype.attachShadow;
      Element.prototype.attachShadow = function (init) {
        const root = attach.call(this, init);
        observer.observe(root, { subtree: true, childList: true });
        return root;
      };
    });
    await hurry(page);
    await page.goto(`${line.origin}/www/`);
    await answered(page, COFFEE);
    const all = wanted(DEFAULT);
    assert.ok((await page.evaluate(() => kept)).includes(`Loading ${DEFAULT.name}, ${all} of ${all} MB`), 'progress is told to the end either way');
    const bytes = line.answers.reduce((sum, answer) => sum + answer.bytes, 0);
    if (visit === 'first') assert.ok(bytes > size(DEFAULT));
    else {
      // It is asked whether it is still the same.
      assert.deepEqual(line.answers.filter(({ path }) => path === weights(DEFAULT)).map(({ bytes }) => bytes), [8]);
      assert.ok(bytes < 5000, `the server sent ${bytes} bytes again: ${line.answers.filter((answer) => answer.bytes).map(({ path }) => path)}`);
    }
    await context.close();
  }
});

for (const model of OFFERS) {
  test(`what the page says of ${model.name} before it is there is true`, async () => {
    const { page, end } = await visit({}, `/www/?model=/models/${model.name}/`);
    await inUse(page, model.name);
    await page.getByRole('button', { name: 'Model', exact: true }).click();
    const facts = await page.locator('#model .facts').innerText();
    assert.match(facts, new RegExp(`Classes\\s+${model.classes}\\b`));
    assert.ok(facts.includes(`${model.grid[1]} × ${model.grid[0]} of them`), facts);
    assert.equal(model.megabytes, Math.round(size(model) / 1e6));
    const offer = page.getByRole('button', { name: `${model.name} ${model.classes} classes, ${model.megabytes} MB` });
    assert.equal(await offer.getAttribute('aria-pressed'), 'true', 'it is the one in use');
    assert.equal(await page.locator('.offers [aria-pressed=true]').count(), 1);
    await end();
  });
}
