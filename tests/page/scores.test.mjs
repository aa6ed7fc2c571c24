/** The page says what a model's scores are: labels that may hold together, or the number of a regression. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { MODEL, firstAnswer, openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/**
 * The page with a tiny model, and what the package answers for the same photo.
 * @param {string} model
 * @param {(page: Page, answer: import('../../pkg/index.js').Classification) => Promise<void>} body
 */
const withModel = (model, body) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 } });
  const { page } = tab;
  const path = `/tests/fixtures/${model}/`;
  await page.goto(`${origin}/www/?model=${path}`);
  await page.waitForFunction(() => explorer().querySelector('#answers ol')?.getAttribute('aria-busy') === 'false' && explorer().querySelector('#answers .score')?.textContent);
  const { page: api, close } = await openApi(browser, origin);
  const answer = await api.evaluate(async (path) => {
    const vit = await vitscope.Vitscope.load(path);
    const { top, scores } = await vit.classify(await (await fetch('/www/samples/coffee.jpg')).blob());
    vit.close();
    return { top, scores };
  }, path);
  await close();
  await body(page, /** @type {any} */ (answer));
  assert.equal(await page.locator('#notice').isVisible(), false);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

/** What the page calls the class of an answer. @param {Page} page @param {{label: string}} answer */
async function nameOf(page, { label }) {
  const shown = page.locator('#answers .label').first();
  assert.equal(await shown.getAttribute('title'), label);
  return shown.innerText();
}

const scores = (/** @type {Page} */ page) => page.locator('#answers .score').allInnerTexts();
const open = (/** @type {Page} */ page, /** @type {string} */ view) => page.locator(`#tab-${view}`).click();
const table = (/** @type {Page} */ page) => page.locator('.panel:not([hidden]) table').innerText();

/** Deletion and insertion of what is shown, in words. @param {Page} page */
async function judged(page) {
  await page.getByRole('button', { name: 'Deletion and insertion' }).click();
  await page.waitForSelector('.judge .key li');
  return { key: await page.locator('.judge .key li').allInnerTexts(), axis: await page.locator('.judge svg').innerHTML() };
}

/** Leaves patches out. @param {Page} page */
async function occlude(page) {
  await page.locator('.panel:not([hidden]) .segments label').filter({ hasText: 'occlusion' }).click();
  await page.getByRole('button', { name: 'Leave out' }).click();
  await page.waitForFunction(() => /^Occlusion/.test(explorer().querySelector('[data-caption=title]')?.textContent ?? ''));
  return page.locator('.views, figcaption').allInnerTexts().then((texts) => texts.join('\n'));
}

test('of labels that may hold together each has its own bar', withModel('hf_vit_multi_label', async (page, answer) => {
  assert.equal(answer.scores, 'sigmoid');
  const name = await nameOf(page, answer.top[0]);
  const shares = answer.top.map(({ score }) => score);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) > 0.1, `${shares} tell nothing`);
  assert.deepEqual((await scores(page)).filter(Boolean), shares.map((share) => `${(100 * share).toFixed(1)} %`));
  const bars = await page.locator('#answers .bar i').evaluateAll((all) => all.map((bar) => new DOMMatrix(/** @type {HTMLElement} */ (bar).style.transform).a));
  shares.forEach((share, i) => assert.ok(Math.abs(bars[i] - share) < 1e-3, `${bars}, not ${shares}`));

  await open(page, 'logit-lens');
  await page.waitForSelector('.panel:not([hidden]) polyline');
  assert.match(await table(page), /Likeliest there\s+Probability/);
  const last = await page.locator('.panel:not([hidden]) tbody tr').last().innerText();
  assert.equal(last.replace(/\s+/g, ' '), `1 ${name} ${(100 * shares[0]).toFixed(1)} %`, 'the last layer gives the answer');

  await open(page, 'class');
  const { key, axis } = await judged(page);
  assert.match(key.join(), /^Deletion, area 0\.\d{3},Insertion, area 0\.\d{3}$/);
  assert.ok(axis.includes(`probability of ${name}`));
  assert.match(await occlude(page), /how much less likely[^]*Loss of probability/);
}));

test('a regression is a plain number, without bar, percent or area', withModel('hf_vit_regression', async (page, answer) => {
  assert.equal(answer.scores, 'none');
  const [{ score }] = answer.top;
  const name = await nameOf(page, answer.top[0]);
  const [said] = await scores(page);
  assert.match(said, /^−?\d+(\.\d+)?$/);
  assert.ok(Math.abs(Number(said.replace('−', '-')) - score) < 0.006 * Math.max(1, Math.abs(score)), `${said}, not ${score}`);
  assert.equal(await page.locator('#answers .bar').first().isVisible(), false);

  await open(page, 'logit-lens');
  await page.waitForSelector('.panel:not([hidden]) polyline');
  assert.match(await table(page), /Highest there\s+Value/);
  assert.equal(await page.locator('.panel:not([hidden]) .segments').isVisible(), false, 'there is no probability to choose');
  const last = await page.locator('.panel:not([hidden]) tbody tr').last().innerText();
  assert.equal(last.replace(/\s+/g, ' '), `1 ${name} ${said}`);

  await open(page, 'patch-lens');
  await page.getByText('What the value would be by each patch alone.').waitFor();

  await open(page, 'class');
  const { key, axis } = await judged(page);
  assert.deepEqual(key, ['Deletion', 'Insertion']);
  assert.ok(axis.includes(`value of ${name}`) && !axis.includes('NaN'));
  const text = await occlude(page);
  assert.match(text, /how much lower[^]*Loss of the value/);
  assert.doesNotMatch(text, /probability|likel|area/i);
}));

test('after a regression, another model has its bars again', withModel('hf_vit_regression', async (page) => {
  await page.getByRole('button', { name: 'Model', exact: true }).click();
  await page.getByRole('group', { name: 'Models of this page' }).getByRole('button', { name: MODEL }).click();
  await page.waitForFunction((first) => explorer().querySelector('#answers .label')?.textContent === first, await firstAnswer());
  assert.equal(await page.locator('#answers .bar').first().isVisible(), true);
  assert.match((await scores(page))[0], /%$/);
}));
