/** The widget and the page around it, in real Chromium against a stand-in for front end and kernel (cell.js): what widgets share and leave, and what a page may forbid. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { finallyDo, openTab, workersEnd } from '../page/harness.mjs';
import { serve } from '../../xtask/server.mjs';
import { PHOTOS, TINY, ask, asked, browser, openCell, openSpoilt, origin, set, shown } from './widget.mjs';

test('a second widget with the same model and photo asks for none of it again', async () => {
  const { page, errors, close } = await openCell();
  await shown(page, 'Layer 5');
  const weights = await page.evaluate(() => /** @type {any} */ (globalThis).model.state._models[0].weights[0]);
  const [parts, heard] = [await asked(page, weights), await page.evaluate(() => /** @type {any} */ (globalThis).kernel.heard.length)];
  assert.ok(parts > 1);
  await page.evaluate(async () => {
    const { kernel, model } = /** @type {any} */ (globalThis);
    const other = kernel.open({ ...structuredClone(model.state), layer: 0 });
    Object.assign(globalThis, { other, next: await show(other) });
  });
  await page.locator('section').nth(1).getByText('Layer 0, mean of heads').first().waitFor();
  const gets = await page.evaluate((heard) => /** @type {any} */ (globalThis).kernel.heard.slice(heard).filter((/** @type {any} */ { kind }) => kind === 'get'), heard);
  assert.deepEqual(gets, []);
  assert.equal(page.workers().length, 2);
  await page.evaluate(() => /** @type {any} */ (globalThis).cell.close());
  await page.locator('section').getByRole('button', { name: 'Layer 3', exact: true }).click();
  await page.getByText('Layer 3, mean of heads').first().waitFor(); // the other one lives on
  assert.deepEqual(errors, []);
  await close();
});

test('what is asked of a view that goes is refused, and its worker ends', async () => {
  const { page, errors, close } = await openCell();
  await shown(page, 'Layer 5');
  const asked = ask(page, { method: 'attribute', options: { method: 'occlusion', window: 1 } });
  await page.waitForTimeout(200);
  await page.evaluate(() => /** @type {any} */ (globalThis).cell.close());
  assert.equal((await asked).code, 'closed');
  await workersEnd(page);
  assert.deepEqual(errors, []);
  await close();
});

test('what cannot come is said in one sentence in the cell, with a way on', async () => {
  const { page, close } = await openCell();
  await shown(page, 'Layer 5');
  await page.evaluate(async () => {
    const { kernel, model } = /** @type {any} */ (globalThis);
    const state = structuredClone(model.state);
    state._models[0].weights = ['0'.repeat(64)];
    state._models[0].sizes['0'.repeat(64)] = 7;
    const lost = kernel.open(state);
    await show(lost);
    kernel.restore = () => (state._models[0] = model.state._models[0]);
  });
  const failed = page.locator('section').nth(1);
  await failed.getByRole('alert').getByText('The model was closed in Python.').waitFor();
  await page.evaluate(() => /** @type {any} */ (globalThis).kernel.restore());
  await failed.getByRole('button', { name: 'Try again' }).click();
  await failed.getByText('Layer 5, mean of heads').first().waitFor();
  await close();
});

test('where no view could be opened, questions are answered by why; one that opens later speaks for the widget', async () => {
  const { page, close } = await openCell();
  await shown(page, 'Layer 5');
  await openSpoilt(page, 'weights');
  const refused = await ask(page, { method: 'trace' }); // asked before that is known
  assert.deepEqual([refused.code, refused.text], ['error', 'The model was closed in Python.']);
  assert.equal((await ask(page, { method: 'shown' })).text, 'The model was closed in Python.'); // and after
  await page.evaluate(() => /** @type {any} */ (globalThis).mend());
  await page.evaluate(() => /** @type {any} */ (globalThis).cell.again()); // a second view: the first remains as it is
  await shown(page, 'Layer 5');
  await set(page, 'layer', 2);
  assert.match((await ask(page, { method: 'shown' })).shown[0].map.text, /^Layer 2/);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('Layer 2, mean of heads').nth(1).waitFor();
  assert.equal((await ask(page, { method: 'attribute' })).meta.rows, 16);
  await close();
});

/** @param {string} policy of a page whose widget comes from its own server */
async function underPolicy(policy) {
  const tab = await openTab(browser);
  const { page, context } = tab;
  await context.route(/cell\.html$/, async (route) => route.fulfill({ response: await route.fetch(), headers: { 'content-type': 'text/html', 'content-security-policy': policy } }));
  await page.goto(`${origin}/tests/notebook/cell.html`);
  await page.waitForFunction(() => 'Kernel' in globalThis);
  await page.evaluate(async ([folder, photo]) => {
    const kernel = new Kernel();
    const model = kernel.open(await kernel.widget([await kernel.model(folder)], [await kernel.image(photo)]));
    await show(model, await import(/** @type {any} */ ('/notebook/vitscope/static/widget.js')));
  }, [TINY, PHOTOS[0]]);
  return tab;
}

test('a policy that forbids its script, its worker or WebAssembly is named', async () => {
  for (const policy of ["script-src 'self'", "script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'none'", "script-src 'self' blob:"]) {
    const { page, close } = await underPolicy(policy);
    await page.getByText(/Content-Security-Policy/).first().waitFor();
    await close();
  }
});

test('it is light or dark as the front end is, and follows it', async () => {
  const { page, close } = await openCell();
  await shown(page, 'Layer 5');
  const paper = () => page.locator('#stage').evaluate((stage) => getComputedStyle(/** @type {ShadowRoot} */ (stage.getRootNode()).host).backgroundColor);
  const light = await paper();
  await page.evaluate(() => (document.body.dataset.jpThemeLight = 'false'));
  const dark = await paper();
  assert.notEqual(dark, light);
  await page.evaluate(() => (document.body.dataset.jpThemeLight = 'true'));
  assert.equal(await paper(), light);
  await page.evaluate(() => {
    delete document.body.dataset.jpThemeLight;
    document.body.className = 'vscode-dark';
  });
  assert.equal(await paper(), dark);
  await page.evaluate(() => {
    document.body.className = '';
    document.documentElement.setAttribute('theme', 'dark');
  });
  assert.equal(await paper(), dark);
  await close();
});

test('where memory can be shared, it runs on threads', async () => {
  const server = await serve({ folders: ['tests/notebook', 'notebook'] });
  finallyDo(() => server.close());
  const { page, errors, close } = await openCell({ at: server.url.replace(/\/$/, '') });
  await shown(page, 'Layer 5');
  await page.getByText(/\d threads/).first().waitFor();
  await page.evaluate(() => /** @type {any} */ (globalThis).cell.close());
  await workersEnd(page);
  assert.deepEqual(errors, []);
  await close();
});

test('the script that comes with each widget is small', () => {
  assert.ok(readFileSync(new URL('../../notebook/vitscope/static/widget.js', import.meta.url)).length <= 10_000);
});
