/** Models in the page: of the Hub by the visitor's word alone and with their size first, such as were kept, and a load that is given up. */
import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { Hub, seeded } from '../node/hub.mjs';
import { answered, openTab, standInForHub, startBrowser, startHub, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TINY = '/www/?model=/models/vitscope-tiny/';
const vit = seeded('hf_vit');
const hub = new Hub({
  'seeded/vit': { files: vit, card: { license: 'apache-2.0' } },
  'seeded/gated': { files: vit, gated: 'auto' },
  'seeded/pickle': { files: { 'config.json': Buffer.from('{"model_type": "vit"}'), 'pytorch_model.bin': Buffer.from('x') } },
});
/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer(), startHub(hub)]);
});
beforeEach(() => hub.reset());

/**
 * @param {string} address
 * @param {(tab: Awaited<ReturnType<typeof openTab>> & Awaited<ReturnType<typeof standInForHub>> & {elsewhere: () => string[]}) => Promise<void>} body
 * @param {{allowed?: boolean}} [settings]
 */
const onPage = (address, body, { allowed = false } = {}) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 800 } });
  const held = await standInForHub(tab.context, hub);
  if (allowed) await tab.page.addInitScript(() => sessionStorage.getItem('set') ?? (sessionStorage.setItem('set', 'yes'), localStorage.setItem('vitscope-hub', 'yes')));
  await tab.page.goto(origin + address);
  await answered(tab.page);
  await body({ ...tab, ...held, elsewhere: () => tab.requests.filter((url) => !url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url)) });
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

const found = (/** @type {Page} */ page) => page.locator('[data-hub=found]');
const button = (/** @type {Page} */ page, /** @type {string | RegExp} */ name) => page.getByRole('dialog').getByRole('button', { name, exact: typeof name === 'string' });
const inUse = (/** @type {Page} */ page, /** @type {string} */ name) => page.waitForFunction((name) => !explorer().querySelector('#status')?.classList.contains('busy') && explorer().querySelector('[data-status=model]')?.textContent === name, name);
const open = (/** @type {Page} */ page) => page.getByRole('button', { name: 'Model', exact: true }).click();
const size = `${((vit['model.safetensors'].length) / 1e6).toFixed(1)} MB`;

/** Waits for the page to be opened anew. @param {Page} page @param {() => Promise<unknown>} act */
async function anew(page, act) {
  const loaded = page.waitForEvent('load');
  await act();
  await loaded;
  await answered(page);
}

test('a link to a model of the Hub asks nobody until the visitor says so, and then brings all that it shows', onPage(`${TINY}#model=seeded/vit&sample=rocket&layer=1&head=2`, async ({ page, elsewhere }) => {
  await page.getByRole('dialog').waitFor();
  assert.equal(await found(page).innerText(), 'seeded/vit, from huggingface.co.', 'name and host');
  assert.equal(await page.locator('#stage').getAttribute('aria-label'), 'Rocket launch', 'the rest is shown by the model that is here');
  assert.match(await page.locator('[data-status=model]').innerText(), /vitscope-tiny/);
  assert.deepEqual(elsewhere(), []);

  await anew(page, () => button(page, 'Allow huggingface.co').click());
  await found(page).getByText('licence apache-2.0').waitFor();
  assert.match(await found(page).innerText(), new RegExp(`^seeded/vit: ${size}, licence apache-2.0, its page on huggingface.co\\.$`));
  assert.equal(await found(page).getByRole('link').getAttribute('href'), 'https://huggingface.co/seeded/vit');
  assert.deepEqual(elsewhere(), ['https://huggingface.co/api/models/seeded/vit/revision/main?blobs=true'], 'size before the download');

  await button(page, `Load, ${size}`).click();
  await inUse(page, 'vit');
  await answered(page);
  await page.waitForFunction(() => explorer().querySelector('[data-caption=title]')?.textContent?.startsWith('Layer 1, head 2'));
  await page.waitForFunction(() => history.state?.agreed && location.hash === '#model=seeded/vit&sample=rocket&layer=1&head=2');
  // What was loaded by the visitor's word is there again after a reload.
  await anew(page, () => page.reload());
  await inUse(page, 'vit');
  assert.equal(await page.getByRole('dialog').isVisible(), false);
}));

test('a link waits for a click where the Hub is allowed, too', onPage(`${TINY}#model=seeded/vit`, async ({ page, elsewhere }) => {
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(300);
  assert.deepEqual(elsewhere(), []);
  await button(page, 'Close').click();
  await page.evaluate(() => (location.hash = '#model=seeded/other&view=rollout'));
  await found(page).getByText('seeded/other, from huggingface.co.').waitFor();
  await page.locator('#tab-rollout[aria-selected=true]').waitFor();
  assert.deepEqual(elsewhere(), []);
}, { allowed: true }));

test('the Hub is allowed and forbidden in the dialog, and a name is asked for by it', onPage(TINY, async ({ page, elsewhere }) => {
  await open(page);
  const names = await page.locator('.hub .rows b').allInnerTexts();
  assert.ok(names.length >= 3 && names.every((name) => /^[\w-]+\/[\w.-]+$/.test(name)), names.join());
  await page.locator('.hub .rows button').first().click();
  assert.match(await found(page).innerText(), new RegExp(`^${names[0]}, from huggingface.co, \\d+ MB\\.$`), 'suggestions know their size');
  await page.locator('[name=hub]').fill('https://huggingface.co/seeded/vit');
  assert.deepEqual(elsewhere(), []);
  await anew(page, () => page.locator('[name=hub]').press('Enter'));
  await found(page).getByText(size).waitFor();

  for (const [name, sentence] of /** @type {const} */ ([
    ['seeded/nothing', /has no public model seeded\/nothing/],
    ['seeded/gated', /not open to everyone: accept its conditions there/],
    ['seeded/pickle', /without a model\.safetensors/],
  ])) {
    await page.locator('[name=hub]').fill(name);
    await button(page, 'Look up').click();
    await page.waitForFunction((source) => new RegExp(source).test(explorer().querySelector('[data-hub=found]')?.textContent ?? ''), sentence.source);
    assert.equal(await page.locator('[data-hub=load]').isVisible(), false);
  }
  await page.locator('[name=hub]').fill('no name');
  assert.deepEqual([await button(page, 'Look up').isDisabled(), await found(page).innerText()], [true, '']);

  const asked = elsewhere().length;
  await anew(page, () => button(page, "Don't allow huggingface.co any more").click());
  assert.equal(await page.getByRole('dialog').isVisible(), false);
  await open(page);
  await button(page, 'Allow huggingface.co').waitFor();
  assert.equal(elsewhere().length, asked);
}));

test('a load is given up, and the present model stays', onPage(TINY, async ({ page, hold, release }) => {
  await open(page);
  await page.locator('[name=hub]').fill('seeded/vit');
  await page.locator('[name=hub]').press('Enter');
  hold();
  await button(page, `Load, ${size}`).click();
  await page.locator('[data-status=loading]').getByText(/vitscope-tiny answers\s+Loading vit/).waitFor();
  await page.locator('#answers li button').nth(1).click(); // it is in use meanwhile
  await page.locator('#status').getByRole('button', { name: 'Cancel' }).click();
  release();
  await inUse(page, 'vitscope-tiny');
  assert.deepEqual([await page.getByRole('progressbar').count(), await page.getByRole('button', { name: 'Cancel' }).count(), await page.locator('#notice').isVisible()], [0, 0, false]);
  await page.waitForFunction(() => location.hash.startsWith('#view=class'));
}, { allowed: true }));

test('the first load is given up, and can be asked for again', async () => {
  const tab = await openTab(browser);
  let held = true;
  await tab.context.route('**/vitscope-tiny/model.safetensors', (route) => (held ? undefined : route.continue()));
  await tab.page.goto(origin + TINY);
  await tab.page.locator('#status').getByRole('button', { name: 'Cancel' }).click();
  await tab.page.getByText('There is no model to look at this photo.').waitFor();
  held = false;
  await tab.page.getByRole('button', { name: 'Load again' }).click();
  await answered(tab.page, 'espresso');
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('what was kept is listed with its size, runs without the Hub, and is deleted one by one or as a whole', onPage(TINY, async ({ page, elsewhere }) => {
  await open(page);
  await page.locator('[name=hub]').fill('seeded/vit');
  await page.locator('[name=hub]').press('Enter');
  await button(page, `Load, ${size}`).click();
  await inUse(page, 'vit');
  await anew(page, async () => {
    await open(page);
    await button(page, "Don't allow huggingface.co any more").click();
  });
  await inUse(page, 'vitscope-tiny');
  const asked = elsewhere().length;

  await open(page);
  const rows = page.locator('.kept li');
  await rows.nth(1).waitFor();
  assert.deepEqual((await rows.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ')).sort(), [`seeded/vit ${size} Delete`, 'vitscope-tiny 3.0 MB Delete']);
  await rows.getByRole('button', { name: /^seeded\/vit/ }).click();
  await inUse(page, 'vit');
  await page.waitForFunction((commit) => location.hash === `#model=seeded/vit@${commit}`, hub.commit('seeded/vit'));
  assert.equal(elsewhere().length, asked, 'nothing is asked of the Hub');

  await open(page);
  await button(page, 'Delete seeded/vit').click();
  await page.waitForFunction(() => explorer().querySelectorAll('.kept li').length === 1);
  assert.equal(await page.evaluate(() => explorer().activeElement?.textContent), 'Delete all, 3.0 MB', 'the focus is not lost');
  await button(page, 'Delete all, 3.0 MB').click();
  await page.locator('.kept').waitFor({ state: 'hidden' });
  assert.deepEqual(await page.evaluate(async () => (await import(/** @type {any} */ ('/pkg/dist/index.js'))).Vitscope.cache.size()), 0);
}, { allowed: true }));

test('without the Hub there is no talk of it', async () => {
  const tab = await openTab(browser);
  await tab.page.goto(origin + TINY);
  await tab.page.evaluate(async () => {
    const { mount } = await import(/** @type {any} */ ('/www/explorer/mount.js'));
    document.querySelector('#explorer')?.remove();
    document.body.append(Object.assign(document.createElement('div'), { id: 'explorer' }));
    mount(document.querySelector('#explorer'));
  });
  await open(tab.page);
  assert.doesNotMatch(await tab.page.getByRole('dialog').innerText(), /Hub|huggingface/);
  await tab.close();
});
