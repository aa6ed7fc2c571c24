/** The lesson's last two chapters about an answer: how it is made, and what may be believed of it. What figures say is what the package says. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { number } from '../../www/explorer/words.js';
import { randomMap } from '../../www/inside/figures/claims.js';
import { CONFIG, FOLDER, openApi, openTab, shortName, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const MEAN = '/tests/fixtures/timm_gap/';
const HEADLESS = '/tests/fixtures/hf_dinov2_model/';
/** Of the lesson's curves. */
const STEPS = 10;

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Page} */
let api;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
  api = (await openApi(browser, origin)).page;
});

/**
 * A test of the lesson with a model. No error stays uncaught, nothing is said to have failed.
 * @param {string} model
 * @param {(page: Page) => Promise<void>} body
 */
const inLesson = (model, body) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' });
  await tab.page.goto(`${origin}/www/inside/?model=${model}#sample=coffee`);
  await body(tab.page);
  assert.equal(await tab.page.locator('#notice').isVisible(), false);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

/** Scrolls a step to where it is read. @param {Page} page @param {string} id @param {number} step */
const read = (page, id, step) => page.locator(`#${id} .step`).nth(step).evaluate((element) => scrollBy(0, element.getBoundingClientRect().top - 0.42 * innerHeight));

/** Waits for a caption that has this in it. @param {Page} page @param {string} id @param {string | RegExp} text */
async function says(page, id, text) {
  const caption = page.locator(`#${id} figcaption`).filter({ hasText: text });
  await caption.waitFor();
  return caption.innerText();
}

/** @param {Page} page @param {string} selector */
const texts = (page, selector) => page.locator(selector).allInnerTexts();

/**
 * What the package says of the sample.
 * @param {string} model
 * @param {number[]} targets of which what each patch says is asked; left out: the five highest
 */
const traced = (model, targets = []) => api.evaluate(async ({ model, targets }) => {
  const vit = await vitscope.Vitscope.load(model);
  const trace = await vit.trace(await (await fetch('/www/samples/coffee.jpg')).blob());
  const asked = targets.length ? targets : trace.top.map(({ index }) => index);
  const lens = [];
  for (const target of asked) lens.push([...(await trace.patchLens({ target })).data]);
  vit.close();
  return { logits: [...trace.logits], top: trace.top.map(({ index }) => index), lens };
}, { model, targets });

/** @param {number[]} logits @param {number} temperature */
function softmax(logits, temperature) {
  const powers = logits.map((logit) => Math.exp((logit - Math.max(...logits)) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return { powers, sum, shares: powers.map((power) => power / sum) };
}

const share = (/** @type {number} */ value) => `${(100 * value).toFixed(1)} %`;
const meanOf = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0) / values.length;

test('the head, number by number', inLesson(FOLDER, async (page) => {
  const { logits, top, lens } = await traced(FOLDER);
  const names = top.map((index) => shortName(CONFIG.labels[index]));
  await read(page, 'answer', 0);
  await says(page, 'answer', `1 of the ${CONFIG.tokens} tokens is read after layer ${CONFIG.layers - 1}; the features are ${CONFIG.numFeatures} numbers.`);
  await read(page, 'answer', 1);
  await says(page, 'answer', `${logits.length} logits`);
  assert.deepEqual(await texts(page, '#answer tbody td:first-of-type'), top.map((index) => number(logits[index])));

  await read(page, 'answer', 2);
  await says(page, 'answer', 'at temperature 1');
  for (const temperature of [1, 2]) {
    await page.getByLabel('Temperature').fill(String(temperature));
    const { powers, sum, shares } = softmax(logits, temperature);
    await says(page, 'answer', `= ${share(shares[top[0]])}`);
    assert.deepEqual((await texts(page, '#answer tbody td:nth-of-type(2)')).slice(0, 5), top.map((index) => powers[index].toFixed(4)));
    assert.deepEqual((await texts(page, '#answer tbody td:nth-of-type(3)')).slice(0, 5), top.map((index) => share(shares[index])));
    assert.deepEqual(await texts(page, '#answer tr.sum > *'), ['sum', '', sum.toFixed(4), '100.0 %', '']);
  }
  await page.locator('#answer .spectrum').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.locator('#answer .all output').innerText(), `class ${top[0] + 1}, ${shortName(CONFIG.labels[top[0] + 1])}: ${number(logits[top[0] + 1])}`);
  await page.locator('#answer tbody button').nth(1).press('Enter');
  await says(page, 'answer', `${names[1]}: exp(`);
  assert.equal(await page.locator('#answer tbody button').nth(1).evaluate((button) => /** @type {ShadowRoot} */ (button.getRootNode()).activeElement === button), true, 'the focus stays');

  await read(page, 'answer', 3);
  await says(page, 'answer', `for ${names[1]}: from ${number(Math.min(...lens[1]))} to ${number(Math.max(...lens[1]))}, ${number(meanOf(lens[1]))} on average, above 0 in ${lens[1].filter((logit) => logit > 0).length}.`);
  await page.locator('#answer .votes .stage').focus();
  await page.keyboard.press('ArrowDown');
  const patch = (CONFIG.grid[0] / 2) * CONFIG.grid[1] + CONFIG.grid[1] / 2;
  await page.locator('#answer .scale output').filter({ hasText: `row ${CONFIG.grid[0] / 2}, column ${CONFIG.grid[1] / 2}: ${number(lens[1][patch])}` }).waitFor();

  await read(page, 'answer', 4);
  await says(page, 'answer', `${names[0]} has the highest logit in the answer`);
  const means = new Map((await texts(page, '#answer .comparison ol:last-child button')).map((text) => /** @type {[string, string]} */ (text.split('\n'))));
  assert.deepEqual(names.map((name) => means.get(name)), lens.map((values) => number(meanOf(values))));
}));

test('a model that reads the mean of its patches answers as they do, on average; one without a head has features', async () => {
  await inLesson(MEAN, async (page) => {
    const { logits, top, lens } = await traced(MEAN);
    await read(page, 'answer', 0);
    await says(page, 'answer', '6 of the 6 tokens are read after layer 1; the features are 18 numbers.');
    await read(page, 'answer', 4);
    const best = `class ${top[0]}`;
    await says(page, 'answer', `${best} has the highest logit in the answer, ${number(logits[top[0]])}. Of the patches' own logits ${best} has the highest mean, ${number(meanOf(lens[0]))}.`);
    assert.ok(top.every((index, i) => Math.abs(meanOf(lens[i]) - logits[index]) < 1e-5));
  })();
  await inLesson(HEADLESS, async (page) => {
    await read(page, 'answer', 2);
    await says(page, 'answer', 'the features are 16 numbers');
    await read(page, 'belief', 3);
    await says(page, 'belief', 'rollout');
    assert.deepEqual(await texts(page, '#belief .choices label'), ['attention', 'rollout']);
    assert.equal(await page.locator('#belief .plot').isVisible(), false);
  })();
});

test('maps are judged as the package judges them, and ranked', inLesson(FOLDER, async (page) => {
  const random = randomMap(/** @type {[number, number]} */ (CONFIG.grid));
  const judging = api.evaluate(async ({ model, steps, random }) => {
    const vit = await vitscope.Vitscope.load(model);
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    const trace = await vit.trace(image);
    const maps = {
      attention: trace.headMap(), rollout: trace.rollout(), relevance: await vit.attribute(image), 'Grad-CAM': await vit.attribute(image, { method: 'grad-cam' }),
      occlusion: await vit.attribute(image, { method: 'occlusion' }), random: { ...random, data: Float32Array.from(random.data) },
    };
    const judged = [];
    for (const [name, map] of Object.entries(maps)) {
      const { deletion, insertion } = await vit.curves(image, map, { steps });
      judged.push({ name, deletion: deletion.area ?? NaN, insertion: insertion.area ?? NaN, scores: [...insertion.probabilities] });
    }
    vit.close();
    return judged;
  }, { model: FOLDER, steps: STEPS, random: { ...random, data: [...random.data] } });

  await read(page, 'belief', 0);
  await says(page, 'belief', /by attention, .*rollout \d+, relevance \d+, Grad-CAM \d+, random \d+/);
  assert.deepEqual(await texts(page, '#belief .choices label'), ['attention', 'rollout', 'relevance', 'Grad-CAM', 'occlusion', 'random']);
  assert.equal(await page.locator('#belief .choices canvas.pending').count(), 1, 'occlusion waits until it is read about');
  await page.getByRole('radio', { name: 'Map attention' }).press('ArrowRight');
  await says(page, 'belief', 'patches by rollout');
  await read(page, 'belief', 1);
  await says(page, 'belief', 'patches by occlusion');

  await read(page, 'belief', 3);
  await page.locator('#belief polyline').nth(5).waitFor();
  const expected = await judging;
  const relevance = expected[2];
  await says(page, 'belief', `has ${share(relevance.scores[2])}`);
  assert.match(await page.locator('#belief figcaption').innerText(), new RegExp(`Area under insertion: ${relevance.insertion.toFixed(3)}, random ${expected[5].insertion.toFixed(3)}`));
  await page.getByLabel('Patches 20 %').press('ArrowRight');
  await says(page, 'belief', `has ${share(relevance.scores[3])}`);
  const box = await page.locator('#belief .plot').boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width - 20, box.y + box.height / 2);
  await says(page, 'belief', 'the first 100 % of patches');

  await read(page, 'belief', 4);
  await says(page, 'belief', 'Best for');
  const ranked = [...expected].sort((a, b) => b.insertion - b.deletion - (a.insertion - a.deletion));
  assert.deepEqual(await texts(page, '#belief tbody th'), ranked.map(({ name }) => name));
  assert.deepEqual((await texts(page, '#belief tbody td:nth-of-type(1)')).map((text) => text.trim()), ranked.map(({ deletion }) => deletion.toFixed(3)));
  assert.deepEqual((await texts(page, '#belief tbody td:nth-of-type(2)')).map((text) => text.trim()), ranked.map(({ insertion }) => insertion.toFixed(3)));
  await page.locator('#belief tbody button').last().press('Enter');
  await says(page, 'belief', `Place 6 of 6: ${ranked[5].name}.`);
}));

test('rollout of a recording that lacks attention is made by one more pass', async () => {
  const most = await api.evaluate(async (model) => {
    const { CLAIMS, makes } = /** @type {typeof import('../../www/inside/figures/claims.js')} */ (await import(`${location.origin}/www/inside/figures/claims.js`));
    const vit = await vitscope.Vitscope.load(model);
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    const [whole, light] = [await vit.trace(image), await vit.trace(image, { queries: ['cls'] })];
    const piece = (/** @type {typeof whole} */ trace) => makes(CLAIMS[1], /** @type {any} */ ({ trace, vit, image }));
    if (piece(whole)) throw new Error('the whole recording needs no pass');
    const made = /** @type {{data: Float32Array}} */ (await piece(light)?.run(new AbortController().signal, () => {}));
    const expected = whole.rollout().data;
    vit.close();
    return Math.max(...expected.map((value, i) => Math.abs(value - made.data[i]) / value));
  }, FOLDER);
  assert.ok(most < 1e-4, `${most}`);
});

test('work of many passes ends when its chapter is left, and begins anew when it is come back to', inLesson(FOLDER, async (page) => {
  await read(page, 'belief', 0);
  await says(page, 'belief', 'Grad-CAM');
  // Away at the first sign of it, so that most of it is still to be done.
  const left = page.locator('#belief .work').evaluate((work) => new Promise((resolve) => {
    new MutationObserver((_, observer) => {
      if (!/leaving patches out: \d+ of/.test(work.textContent ?? '')) return;
      observer.disconnect();
      scrollTo(0, 0);
      resolve(true);
    }).observe(work, { childList: true, subtree: true, characterData: true });
  }));
  await read(page, 'belief', 1);
  await left;
  await page.locator('#belief .work:not(.on)').waitFor({ state: 'attached' });
  assert.equal(await page.locator('#belief .choices canvas.pending').count(), 1, 'it was not finished');
  await read(page, 'belief', 1);
  await says(page, 'belief', 'patches by occlusion');
}));
