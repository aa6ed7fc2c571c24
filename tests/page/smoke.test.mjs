/** The page as a visitor meets it, with its default model: it opens, answers, every view draws, and it fits a phone. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { OFFERS } from '../../www/offers.js';
import { drawn, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** @param {(page: Page) => Promise<void>} body @param {import('playwright-core').BrowserContextOptions} [options] */
const onPage = (body, options) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 }, ...options });
  tab.page.setDefaultTimeout(60_000);
  await tab.page.goto(`${origin}/www/`);
  // On a busy machine another model may answer first.
  await tab.page.locator('[data-status=model]').getByText(OFFERS[0].name, { exact: true }).waitFor({ state: 'attached' });
  await answered(tab.page, /^espresso$/);
  await body(tab.page);
  assert.equal(await tab.page.locator('#notice').isVisible(), false);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

/** Waits for an answer whose first label is such. @param {Page} page @param {RegExp} label */
async function answered(page, label) {
  await page.waitForFunction((source) => {
    const list = explorer().querySelector('#answers ol');
    return list?.getAttribute('aria-busy') === 'false' && new RegExp(source).test(list.querySelector('.label')?.textContent ?? '');
  }, label.source);
}

/** Waits until the caption says something of a map. @param {Page} page */
const shown = (page) => page.waitForFunction(() => /\w/.test(explorer().querySelector('[data-caption=title]')?.textContent ?? ''));
/** Waits until the chosen layer's small picture has many colours. @param {Page} page */
const colourful = (page) => page.waitForFunction(() => {
  const canvas = /** @type {HTMLCanvasElement} */ (explorer().querySelector('.panel:not([hidden]) input:checked ~ canvas'));
  const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size > 20;
});
const sample = (/** @type {Page} */ page, /** @type {string} */ name) => page.getByRole('button', { name }).click();
const unsure = (/** @type {Page} */ page) => page.locator('.unsure').innerText();

test('the samples are answered as people would, by short names, and a doubt is said', onPage(async (page) => {
  assert.equal(await page.locator('[data-status=model]').innerText(), OFFERS[0].name);
  assert.ok(parseFloat(await page.locator('#answers .score').first().innerText()) > 50);
  assert.doesNotMatch(await unsure(page), /\w/);
  const height = (await page.locator('#answers').boundingBox())?.height;

  await sample(page, 'Tabby cat');
  await answered(page, /tabby|cat$/i);
  const names = await page.locator('#answers .label').evaluateAll((labels) => labels.map((label) => [label.textContent ?? '', /** @type {HTMLElement} */ (label).title]));
  assert.ok(names.every(([name, whole]) => whole === name || whole.startsWith(`${name}, `)), String(names));
  assert.ok(names.some(([name, whole]) => whole !== name), 'the whole synset is at hand');

  const cat = names[0][0];
  await sample(page, 'Rocket launch'); // of which there is no class
  await page.waitForFunction((cat) => explorer().querySelector('#answers ol')?.getAttribute('aria-busy') === 'false' && explorer().querySelector('#answers .label')?.textContent !== cat, cat);
  assert.ok(parseFloat(await page.locator('#answers .score').first().innerText()) < 50);
  assert.match(await unsure(page), /^Not sure: no class reaches 50 %\.$/);
  assert.equal((await page.locator('#answers').boundingBox())?.height, height, 'it has its place');
}));

test('a value is neither sure nor unsure, a probability below one half is', async () => {
  for (const [model, expected] of /** @type {const} */ ([['hf_vit_regression', /^\s*$/], ['hf_vit', /^\s*$/], ['hf_dinov2', /^Not sure/]])) {
    const { page, errors, close } = await openTab(browser);
    await page.goto(`${origin}/www/?model=/tests/fixtures/${model}/`);
    await answered(page, /./);
    await page.locator('#answers .score').first().getByText(/\d/).waitFor();
    assert.match(await unsure(page), expected, model);
    assert.deepEqual(errors, []);
    await close();
  }
});

test('every view draws, of its own', onPage(async (page) => {
  const seen = new Map();
  for (const id of ['heads', 'rollout', 'class', 'patch-lens', 'features', 'similarity', 'model']) {
    await page.locator(`#tab-${id}`).click();
    await shown(page);
    const overlay = await drawn(page);
    assert.equal(seen.get(overlay), undefined, `${id} shows what ${seen.get(overlay)} showed`);
    seen.set(overlay, id);
    if (id === 'heads') assert.ok((await page.locator('.tile').count()) > 12);
    // Where all tokens of a layer are alike, its map is one colour and says nothing.
    if (id === 'similarity') await colourful(page);
    if (id === 'class') assert.match(await page.locator('[data-caption=title]').innerText(), /^Relevance for espresso \(/);
  }
  await page.locator('#tab-logit-lens').click();
  await page.locator('.panel:not([hidden]) polyline').first().waitFor({ state: 'attached' });
  assert.ok((await page.locator('.panel:not([hidden]) tbody tr').count()) > 6);
  assert.equal(await page.locator('.panel:not([hidden]) tbody tr').last().locator('td').first().innerText(), 'espresso');
}));

test('heads of all layers are in sight beside the photo', onPage(async (page) => {
  const last = await page.locator('.tile').last().boundingBox();
  assert.ok(last && last.y + last.height <= 900, `the last row ends at ${last && last.y + last.height}`);
}));

test('it fits a phone, every view of it', onPage(async (page) => {
  for (const tab of await page.getByRole('tab').all()) {
    await tab.click();
    await shown(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, await tab.innerText());
  }
  await page.getByRole('button', { name: 'Model', exact: true }).tap();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
}, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }));
