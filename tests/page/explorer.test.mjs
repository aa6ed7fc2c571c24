/** The explorer as a component, in real Chromium: several on one page, each with a life of its own. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { answered, openTab, startBrowser, startServer, workersEnd } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** Notes who listens outside of the explorers. */
function noteListeners() {
  /** @type {string[]} */
  const listened = (Object.assign(globalThis, { listened: [] }).listened);
  const add = /** @type {(...all: any[]) => void} */ (EventTarget.prototype.addEventListener);
  EventTarget.prototype.addEventListener = function (/** @type {string} */ type, /** @type {any} */ ...rest) {
    if (this === document || this === window || !this || (this instanceof HTMLElement && (this === document.body || this === document.documentElement))) listened.push(type);
    return add.call(this ?? window, type, ...rest);
  };
}

test('two on one page share nothing but the page, and leave nothing behind', async () => {
  const tab = await openTab(browser, { viewport: { width: 1600, height: 900 } });
  const { page } = tab;
  await page.addInitScript(noteListeners);
  await page.goto(`${origin}/tests/page/explorers.html`);
  const [one, two] = [page.locator('#one'), page.locator('#two')];
  await one.locator('#answers .label').first().getByText('espresso').waitFor();
  await two.locator('#answers .score').first().getByText('%').waitFor();
  assert.equal(await one.locator('[role=tab][aria-selected=true]').getAttribute('id'), 'tab-heads');
  assert.equal(await two.locator('[role=tab][aria-selected=true]').getAttribute('id'), 'tab-features');
  assert.equal(await two.locator('.strip [aria-current=step]').getAttribute('aria-label'), 'Layer 2');

  // What one chooses, the other does not.
  await one.locator('#overlay label:has([value=magma])').click();
  assert.equal(await two.locator('#overlay input:checked').first().getAttribute('value'), 'spotlight');
  await one.locator('#tab-similarity').click();
  await one.getByRole('button', { name: 'Layer 1', exact: true }).click();
  assert.equal(await two.locator('.strip [aria-current=step]').getAttribute('aria-label'), 'Layer 2');
  assert.equal(await two.locator('#view-features input:checked').getAttribute('value'), '2');
  assert.deepEqual(await page.evaluate(() => kept.map((/** @type {any} */ { state }) => [state.view, state.layer])), [['similarity', 1], ['features', 2]]);

  // (The package does, for what a policy forbids.)
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).listened.filter((/** @type {string} */ type) => type !== 'securitypolicyviolation')), [], 'nobody listens outside of them');
  assert.equal(page.workers().length >= 2, true);
  await page.evaluate(() => kept[0].destroy());
  assert.equal(await one.evaluate((root) => root.shadowRoot?.childElementCount), 0);
  await two.locator('#tab-heads').click();
  await two.locator('.tile').first().waitFor();
  await page.evaluate(() => kept[1].destroy());
  await workersEnd(page);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('the way through the model: photo, patches, layers, answer; it can be played', async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 800 } });
  const { page } = tab;
  await page.goto(`${origin}/www/?model=/models/vitscope-tiny/`);
  await page.locator('#answers .label').first().getByText('espresso').waitFor();
  const at = () => page.locator('.strip [aria-current=step]').getAttribute('aria-label');
  const says = (/** @type {RegExp} */ text) => page.locator('[data-caption=title]').getByText(text).waitFor();
  const stop = (/** @type {string} */ name) => page.locator('.strip').getByRole('button', { name, exact: true });
  await stop('Photo').click();
  await says(/^The photo$/);
  assert.equal(await at(), 'Photo');
  await stop('Patches').click();
  await says(/^16 × 16 patches$/);
  await stop('Layer 3').click();
  await says(/^Layer 3, mean of heads/);
  // Every view that has a layer is at that one.
  for (const view of ['features', 'similarity', 'patch-lens']) {
    await page.locator(`#tab-${view}`).click();
    assert.equal(await page.locator(`#view-${view} input:checked`).getAttribute('value'), '3', view);
    assert.equal(await at(), 'Layer 3');
  }
  await page.locator('#tab-logit-lens').click();
  await page.locator('#view-logit-lens tr[aria-current=step] th').getByText('3').waitFor();
  await stop('Answer: espresso').click();
  await says(/^Relevance for espresso/);
  assert.equal(await at(), 'Answer: espresso');
  // A view without layers gives way to one that has some.
  await page.locator('#tab-rollout').click();
  await stop('Layer 0').click();
  await says(/^Layer 0, mean of heads/);
  await page.locator('.strip').getByRole('button', { name: 'Play' }).click();
  await says(/^Layer 1, mean of heads/);
  await says(/^Layer 2, mean of heads/);
  await page.locator('.strip').getByRole('button', { name: 'Pause' }).click();
  const stays = await at();
  await page.waitForTimeout(1000);
  assert.equal(await at(), stays);
  await page.keyboard.press('Escape');
  await stop('Layer 3').focus();
  await page.keyboard.press('Home');
  await says(/^The photo$/);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('a page that is left gives its memory back, and has its model again when one comes back', async () => {
  const tab = await openTab(browser);
  const { page } = tab;
  await page.goto(`${origin}/www/?model=/models/vitscope-tiny/`);
  await answered(page);
  const leave = (/** @type {string} */ type) => page.evaluate((type) => void dispatchEvent(new PageTransitionEvent(type, { persisted: true })), type);
  await leave('pagehide');
  await workersEnd(page);
  assert.equal(await page.locator('#answers .label').first().innerText(), 'espresso', 'what is shown stays');
  await leave('pageshow');
  await page.locator('.samples button').nth(2).click();
  await answered(page, undefined, await page.locator('#answers ol').innerText());
  assert.equal(await page.locator('#notice').isVisible(), false);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('ten changes of the model leave one worker, and the last choice', async () => {
  const tab = await openTab(browser);
  const { page } = tab;
  await page.goto(`${origin}/www/?model=/models/vitscope-tiny/`);
  await answered(page);
  const workers = page.workers().length;
  for (let i = 0; i < 10; i++) {
    const dtype = i % 2 ? 'int8' : 'f32';
    await page.evaluate((dtype) => {
      const input = /** @type {HTMLInputElement} */ (explorer().querySelector(`[name=dtype][value=${dtype}]`));
      input.click();
    }, dtype);
    await page.waitForFunction((dtype) => explorer().querySelector('[data-status=dtype]')?.textContent === dtype, dtype);
  }
  await answered(page);
  for (let tries = 0; page.workers().length > workers && tries < 100; tries++) await page.waitForTimeout(100);
  assert.equal(page.workers().length, workers);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

for (const width of [320, 820, 3840]) {
  test(`${width} px wide, in every view and with the dialogs: nothing sticks out`, async () => {
    const tab = await openTab(browser, { viewport: { width, height: width > 1000 ? 2160 : 700 } });
    const { page } = tab;
    await page.goto(`${origin}/www/?model=/models/vitscope-tiny/`);
    await answered(page);
    const fits = async (/** @type {string} */ where) => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), where);
    for (const tab of await page.locator('[role=tab]').all()) {
      await tab.click();
      await fits(String(await tab.getAttribute('id')));
    }
    await page.locator('#model-open').click();
    await fits('the dialog');
    const dialog = await page.locator('dialog[open]').boundingBox();
    assert.ok(dialog && dialog.x >= 0 && dialog.x + dialog.width <= width);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}
