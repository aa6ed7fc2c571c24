/** A link holds all that is shown but what is the visitor's own, and alone never makes the page talk to another server. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { read, write } from '../../www/link.js';
import { modelIn, modelInLink } from '../../www/linked_model.js';
import { ROOT, answered, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TINY = '/www/?model=/models/vitscope-tiny/';

// What is written is read

/** Numbers that look random and are the same each time. @param {number} seed */
function generator(seed) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

test('any state comes back from its link as it was', () => {
  const random = generator(21);
  const one = (/** @type {any[]} */ of) => of[Math.floor(random() * of.length)];
  const index = () => one([null, Math.floor(random() * 1500)]);
  for (let i = 0; i < 2000; i++) {
    const state = () => ({
      model: one([null, 'vitscope-tiny', 'google/vit-base-patch16-224', 'org/name@v1.0', '/models/my model %25/', '/models/a+b/']),
      sample: one([null, 'coffee', 'rocket']), chapter: one([null, 'attention']), view: one(['heads', 'class', 'logit-lens']), stop: one([null, 'photo', 'patches']),
      layer: index(), head: index(), patch: index(), target: index(), detail: index(), whole: one([true, false]),
      look: { ...one([{ style: 'spotlight', colormap: 'viridis' }, { style: 'colours', colormap: 'viridis' }, { style: 'colours', colormap: 'grey' }]), opacity: Math.floor(random() * 101) / 100, smooth: one([true, false]) },
    });
    const [shown, usual] = [state(), one([{}, state()])];
    // An address takes no space.
    if (shown.model?.includes(' ')) shown.model = encodeURI(shown.model);
    const link = write(shown, usual);
    assert.equal(new URL(`https://x/#${link}`).hash.slice(1), link, 'as an address has it, to the letter');
    const back = read(`#${link}`);
    const whole = { ...usual, ...back, look: { ...usual.look, ...back.look } };
    for (const [name, value] of Object.entries(shown)) {
      if (name !== 'look' && value !== null) assert.deepEqual(whole[/** @type {'view'} */ (name)], value, `${name} of ${link}`);
    }
    // The spotlight has no colours of its own.
    assert.deepEqual({ ...whole.look, ...(shown.look.style === 'spotlight' && { colormap: 'viridis' }) }, shown.look, link);
  }
});

test('a link is short and readable', () => {
  const usual = /** @type {any} */ ({ model: 'vitscope-small', sample: 'coffee', view: 'heads', layer: null, head: null, patch: null, target: null, stop: null, detail: null, whole: false, look: { style: 'spotlight', colormap: 'viridis', opacity: 0.7, smooth: true } });
  assert.equal(write(usual, usual), '');
  assert.equal(write({ ...usual, model: 'vitscope-tiny', layer: 3, head: 0 }, usual), 'model=vitscope-tiny&layer=3&head=0');
  assert.equal(write({ ...usual, model: 'google/vit-base-patch16-224@main', target: 17, look: { ...usual.look, smooth: false, opacity: 0 } }, usual), 'model=google/vit-base-patch16-224@main&class=17&opacity=0&smooth=no');
  assert.equal(write({ ...usual, look: { ...usual.look, style: 'colours' } }, usual), 'colours=viridis');
  assert.deepEqual(read('#model=vitscope-tiny&view=heads&layer=3&head=2'), { model: 'vitscope-tiny', view: 'heads', layer: 3, head: 2 });
});

test('what is damaged in a link is passed over, each by itself', () => {
  const random = generator(4);
  const link = 'model=vitscope-tiny&sample=rocket&view=class&layer=3&head=2&patch=17&class=5&colours=magma&opacity=40&smooth=no';
  for (let i = 0; i < 3000; i++) {
    const at = Math.floor(random() * link.length);
    const damaged = link.slice(0, at) + ['', '%', '&', '=', '%E0%A4%A', '\0', '💥', '-1', '1e9', '<b>'][i % 10] + link.slice(at + Math.floor(random() * 6));
    const shown = read(damaged);
    for (const index of [shown.layer, shown.head, shown.patch, shown.target]) assert.ok(index === undefined || Number.isSafeInteger(index) && Number(index) >= 0, damaged);
    for (const name of [shown.view, shown.sample, shown.look?.colormap]) assert.ok(name === undefined || /^[\w.-]+$/.test(String(name)), damaged);
  }
  assert.deepEqual(read('#layer=-1&head=two&patch=1.5&class=&stop=here&opacity=101&smooth=maybe&view=a b&model=&nothing=1&sample=coffee'), { sample: 'coffee' });
  for (const hash of ['', '#', '#/', '#&&==', '#%', '#layer', '#__proto__=1&constructor=2']) assert.deepEqual(read(hash), {});
});

test('a model in a link is one of the page\'s, on the Hub, or on this server', () => {
  const page = new URL('https://here.example/some/path/www/');
  for (const [text, model] of [
    ['vitscope-tiny', 'vitscope-tiny'], ['google/vit-base', 'hf:google/vit-base'], ['org/name@refs/pr/1', 'hf:org/name@refs/pr/1'],
    ['/models/x/', 'https://here.example/models/x/'],
  ]) {
    assert.equal(modelIn(text, page), model);
    assert.equal(modelInLink(model, page), text);
  }
  assert.equal(modelIn('../models/x', page), 'https://here.example/some/path/models/x');
  assert.equal(modelInLink('https://here.example/models/x/?token=secret', page), '/models/x/');
  assert.equal(modelInLink('https://elsewhere.example/x/', page), null);
  assert.equal(modelInLink(null, page), null);
  for (const text of ['//elsewhere.example/x/', '/\\elsewhere.example/x/', './/../\\/x', 'nobody', '.../x', 'https://elsewhere.example/x/', 'a/b/c']) {
    try {
      assert.equal(new URL(modelIn(text, page)).origin, page.origin, text);
    } catch (error) {
      assert.match(String(error), /is not on this server|does not have/, text);
    }
  }
});

// In the page

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/**
 * @param {string} address
 * @param {(tab: Awaited<ReturnType<typeof openTab>>) => Promise<void>} body
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
const onPage = (address, body, options) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 800 }, permissions: ['clipboard-read', 'clipboard-write'], ...options });
  await tab.page.goto(origin + address);
  await answered(tab.page);
  await body(tab);
  assert.deepEqual(tab.errors, []);
  assert.deepEqual(tab.requests.filter((url) => !url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url)), []);
  await tab.close();
};

const hash = (/** @type {Page} */ page) => page.evaluate(() => location.hash);
const written = (/** @type {Page} */ page, /** @type {string} */ text) => page.waitForFunction((text) => location.hash === text, text);
const photo = (/** @type {Page} */ page) => page.locator('#stage').getAttribute('aria-label');
const shown = (/** @type {Page} */ page, /** @type {string} */ title) => page.waitForFunction((title) => explorer().querySelector('#stage')?.getAttribute('aria-label') === title, title);
const caption = (/** @type {Page} */ page) => page.locator('[data-caption=title]').innerText();

/** All that is to be seen of what was chosen. @param {Page} page */
const looks = (page) => page.evaluate(() => {
  const inside = explorer();
  const value = (/** @type {string} */ selector) => /** @type {HTMLInputElement | null} */ (inside.querySelector(selector));
  return {
    model: inside.querySelector('[data-status=model]')?.textContent,
    photo: inside.querySelector('#stage')?.getAttribute('aria-label'),
    view: inside.querySelector('[role=tab][aria-selected=true]')?.id,
    title: inside.querySelector('[data-caption=title]')?.textContent,
    answer: inside.querySelector('#answers [aria-pressed=true] .label')?.textContent,
    stop: inside.querySelector('#strip [aria-current]')?.textContent,
    colormap: value('[name=colormap]:checked')?.value,
    opacity: [value('[name=opacity]')?.value, inside.querySelector('#overlay output')?.textContent],
    smooth: value('[name=smooth]')?.checked,
    detail: [inside.querySelector('#detail output')?.textContent, value('[name=whole]')?.checked],
  };
});

/** @param {Page} page */
async function copied(page) {
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.locator('#share [role=status]').getByText('Copied').waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

test('what is shown is the same where its link is opened: a head and a patch of another photo, in other colours', onPage(TINY, async ({ page, context }) => {
  await page.getByRole('button', { name: 'Rocket launch' }).click();
  await shown(page, 'Rocket launch');
  await answered(page);
  await page.locator('.tile[data-layer="2"][data-head="1"]').click();
  await page.locator('#stage').focus();
  await page.keyboard.press('ArrowUp');
  await page.locator('.segments label:has([value=magma])').click();
  await page.locator('[name=opacity]').fill('35');
  await page.locator('[name=smooth]').uncheck();
  const link = await copied(page);
  assert.match(link, /#sample=rocket&layer=2&head=1&patch=\d+&colours=magma&opacity=35&smooth=no$/);
  assert.equal(link, page.url(), 'the address says the same');
  const before = await looks(page);
  assert.match(String(before.title), /Layer 2, head 1: where patch \(\d+, \d+\) looks/);
  const other = await context.newPage();
  await other.goto(link);
  await answered(other);
  assert.deepEqual(await looks(other), before);
}));

test('and by another model: a class, a stop', onPage('/www/?model=/tests/fixtures/timm_vit', async ({ page, context }) => {
  await page.getByRole('button', { name: 'Model', exact: true }).click();
  await page.getByRole('group', { name: 'Models of this page' }).getByRole('button', { name: 'vitscope-tiny' }).click();
  await answered(page, 'espresso');
  await page.locator('#answers li button').nth(2).click();
  const link = await copied(page);
  assert.match(link, /#model=vitscope-tiny&view=class&class=\d+$/);
  const before = await looks(page);
  assert.ok(before.answer && before.answer !== 'espresso');
  await page.locator('#strip button').nth(1).click();
  const stopped = await copied(page);
  assert.match(stopped, /&stop=patches&/);
  const beforeStop = await looks(page);
  for (const [address, expected] of /** @type {const} */ ([[link, before], [stopped, beforeStop]])) {
    const other = await context.newPage();
    await other.goto(address);
    await answered(other, 'espresso');
    await other.waitForFunction((title) => explorer().querySelector('[data-caption=title]')?.textContent === title, expected.title);
    assert.deepEqual(await looks(other), expected);
    await other.close();
  }
}));

test('back and forward lead through models, photos and views, and not through every layer', onPage(TINY, async ({ page }) => {
  const start = await caption(page);
  await page.locator('#tab-rollout').click();
  await written(page, '#view=rollout');
  await page.locator('#tab-heads').click();
  for (const layer of [0, 1, 2]) {
    await page.locator(`.tile[data-layer="${layer}"][data-head="1"]`).click();
    await written(page, `#layer=${layer}&head=1`);
  }
  await page.getByRole('button', { name: 'Tabby cat' }).click();
  await written(page, '#sample=chelsea&layer=2&head=1');
  await page.getByRole('button', { name: 'Model', exact: true }).click();
  await page.getByRole('group', { name: 'Models of this page' }).getByRole('button', { name: 'vitscope-small' }).click();
  await page.waitForFunction(() => location.hash.startsWith('#model=vitscope-small&sample=chelsea'));
  await answered(page);

  await page.goBack();
  await page.locator('[data-status=model]').getByText('vitscope-tiny').waitFor();
  await page.waitForFunction(() => explorer().querySelector('[data-caption=title]')?.textContent?.startsWith('Layer 2, head 1'), undefined, { timeout: 20_000 });
  assert.equal(await photo(page), 'Tabby cat');
  assert.equal(await hash(page), '#sample=chelsea&layer=2&head=1');
  await page.goBack();
  await shown(page, 'Espresso cup');
  await answered(page, 'espresso');
  assert.match(await caption(page), /^Layer 2, head 1/);
  await page.goBack();
  await page.locator('#tab-rollout[aria-selected=true]').waitFor();
  await page.goBack();
  await page.locator('#tab-heads[aria-selected=true]').waitFor();
  assert.deepEqual([await hash(page), await caption(page)], ['', start]);
  await page.goForward();
  await page.goForward();
  await page.waitForFunction(() => explorer().querySelector('[data-caption=title]')?.textContent?.startsWith('Layer 2, head 1'));
  await page.waitForTimeout(400);
  assert.equal(await hash(page), '#layer=2&head=1', 'what was come back to is not written anew');
  await page.goForward();
  await shown(page, 'Tabby cat');
}));

test('a photo of one\'s own is in no link, and going back to it leaves what is there', onPage(TINY, async ({ page }) => {
  await page.getByRole('button', { name: 'Rocket launch' }).click();
  await written(page, '#sample=rocket');
  await page.locator('[data-source=file]').setInputFiles(join(ROOT, 'www/samples/astronaut.jpg'));
  await shown(page, 'astronaut.jpg');
  await written(page, '');
  assert.equal(await copied(page), page.url());
  assert.equal(await page.locator('#share [role=status]').innerText(), 'Copied, without your photo or model');
  await page.locator('#tab-features').click();
  await written(page, '#view=features');
  await page.goBack();
  await page.locator('#tab-heads[aria-selected=true]').waitFor();
  await page.waitForTimeout(400);
  assert.equal(await photo(page), 'astronaut.jpg', 'and not the first sample');
  await page.goBack();
  await shown(page, 'Rocket launch');
}));

test('a photo of one\'s own in place of the first sample, whose link is the same, is come back to, and the sample is', onPage(TINY, async ({ page }) => {
  await page.locator('[data-source=file]').setInputFiles(join(ROOT, 'www/samples/astronaut.jpg'));
  await shown(page, 'astronaut.jpg');
  await page.waitForFunction(() => history.state?.photo);
  await page.locator('#tab-features').click();
  await written(page, '#view=features');
  await page.goBack();
  await page.locator('#tab-heads[aria-selected=true]').waitFor();
  await page.waitForTimeout(400);
  assert.equal(await photo(page), 'astronaut.jpg');
  await page.goBack();
  await shown(page, 'Espresso cup');
}));

test('the address can be edited, and what a model has not is passed over', onPage(TINY, async ({ page }) => {
  await page.evaluate(() => (location.hash = '#sample=coffee&view=nothing&layer=99&head=77&patch=5000&class=4000&colours=beige&opacity=20'));
  await page.waitForFunction(() => /** @type {HTMLInputElement | null} */ (explorer().querySelector('[name=opacity]'))?.value === '20');
  assert.match(await caption(page), /^Layer \d, mean of heads: where the class token looks/);
  assert.equal(await page.locator('#stage .query').isVisible(), false);
  assert.equal(await page.locator('[value=spotlight]').isChecked(), true);
  await page.locator('#tab-class').click();
  await page.waitForFunction(() => location.hash.includes('view=class'));
  assert.equal(await hash(page), '#view=class&opacity=20');
  assert.equal(await page.locator('#answers [aria-pressed=true] .label').innerText(), 'espresso', 'the likeliest class');
  await page.evaluate(() => (location.hash = '#%E0%A4%A&layer=1'));
  await page.locator('#tab-heads[aria-selected=true]').waitFor();
  assert.match(await caption(page), /^Layer 1/);
}));

test('a damaged link opens the page, and says what it does not have', onPage(`${TINY}#model=nobody&layer=zzz&%&sample=none&head=1`, async ({ page }) => {
  assert.match(await page.locator('#notice p').innerText(), /The link asks for the model nobody, which this page does not have/);
  assert.equal(await photo(page), 'Espresso cup');
  assert.match(await caption(page), /^Layer \d, head 1/);
}));

test('the system\'s share sheet gets the link, where there is one', async () => {
  const tab = await openTab(browser, { viewport: { width: 390, height: 844 } });
  await tab.page.addInitScript(() => Object.assign(navigator, { share: async (/** @type {ShareData} */ data) => (globalThis.kept = data) }));
  await tab.page.goto(`${origin}${TINY}#view=rollout`);
  await answered(tab.page);
  await tab.page.getByRole('button', { name: 'Share' }).click();
  assert.equal((await tab.page.evaluate(() => globalThis.kept)).url, tab.page.url());
  assert.equal(await tab.page.evaluate(() => document.documentElement.scrollWidth), 390);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('a patch of another detail is of that detail, and the whole picture is in a link, too', onPage(`${TINY}#head=1&patch=350&detail=20`, async ({ page, context }) => {
  await page.waitForFunction(() => explorer().querySelector('[data-caption=title]')?.textContent?.includes('where patch (17, 10) looks'), undefined, { timeout: 20_000 });
  assert.deepEqual((await looks(page)).detail, ['20 × 20', false]);
  assert.match(await copied(page), /#head=1&patch=350&detail=20$/);
  await page.evaluate(() => (location.hash = '#whole=yes'));
  await page.waitForFunction(() => /** @type {HTMLInputElement | null} */ (explorer().querySelector('[name=whole]'))?.checked);
  const link = await copied(page);
  assert.match(link, /#whole=yes$/);
  await page.waitForFunction(() => !/^(\d+) × \1$/.test(explorer().querySelector('#detail output')?.textContent ?? ''));
  const { detail } = await looks(page);
  const other = await context.newPage();
  await other.goto(link);
  await answered(other);
  await other.waitForFunction((text) => explorer().querySelector('#detail output')?.textContent === text, detail[0]);
}));
