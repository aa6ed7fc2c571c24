/** The widget in real Chromium, against a stand-in for front end and kernel that answers from memory (cell.js). JupyterLab has tests of its own. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { parseTensors, readTensors } from '../node/safetensors.mjs';
import { finallyDo, openTab, startBrowser, workersEnd } from '../page/harness.mjs';
import { serve } from '../../xtask/server.mjs';

const TINY = '/models/vitscope-tiny/';
const FIXTURE = '/tests/fixtures/hf_vit/';
const PHOTOS = ['coffee', 'chelsea', 'rocket', 'astronaut'].map((name) => `/www/samples/${name}.jpg`);

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  const server = await serve({ folders: ['tests/notebook', 'tests/fixtures', 'notebook'], isolated: false }); // as front ends are
  finallyDo(() => server.close());
  origin = server.url.replace(/\/$/, '');
  browser = await startBrowser();
});

/**
 * A page with a kernel and a widget of these models and images. Their names on its window: `kernel`, `model`, `cell`.
 * @param {{models?: string[], images?: string[], traits?: object, at?: string}} [given]
 */
async function openCell({ models = [TINY], images = PHOTOS.slice(0, 1), traits = {}, at = origin } = {}) {
  const tab = await openTab(browser, { viewport: { width: 1000, height: 900 } });
  tab.page.setDefaultTimeout(20000);
  await tab.page.goto(`${at}/tests/notebook/cell.html`);
  await tab.page.waitForFunction(() => 'Kernel' in globalThis);
  await tab.page.evaluate(async ([models, images, traits]) => {
    const kernel = new Kernel();
    const given = [await Promise.all(models.map((folder) => kernel.model(folder))), await Promise.all(images.map((image) => kernel.image(image)))];
    const model = kernel.open(await kernel.widget(given[0], given[1], traits));
    Object.assign(globalThis, { kernel, model });
    Object.assign(globalThis, { cell: await show(model) });
  }, /** @type {const} */ ([models, images, traits]));
  return tab;
}

/** What the widget has told the kernel that it shows, once it is this. @param {import('playwright-core').Page} page @param {string} text a part of the map's title @param {number} [count] of models */
async function shown(page, text, count = 1) {
  await page.waitForFunction(([text, count]) => {
    const { _shown = [] } = /** @type {any} */ (globalThis).kernel.traits;
    return _shown.length === count && _shown.every((/** @type {any} */ one) => one?.map?.text.includes(text));
  }, /** @type {const} */ ([text, count]));
  return page.evaluate(() => /** @type {any} */ (globalThis).kernel.traits._shown.map((/** @type {any} */ { top, map }) => ({ top, map: { ...map, data: [...new Float32Array(map.data.buffer)] } })));
}

/** @param {import('playwright-core').Page} page @param {string} name @param {unknown} value */
const set = (page, name, value) => page.evaluate(([name, value]) => /** @type {any} */ (globalThis).model.assign(name, value), /** @type {const} */ ([name, value]));

/** What Python has of the traits. @param {import('playwright-core').Page} page @param {string} name @param {unknown} value waited for */
const told = (page, name, value) => page.waitForFunction(([name, value]) => JSON.stringify(/** @type {any} */ (globalThis).kernel.traits[/** @type {string} */ (name)]) === JSON.stringify(value), [name, value]);

/** Parts that the kernel was asked for, of a file. @param {import('playwright-core').Page} page @param {string} name */
const asked = (page, name) => page.evaluate((name) => /** @type {any} */ (globalThis).kernel.heard.filter((/** @type {any} */ message) => message.kind === 'get' && message.name === name).length, name);

/**
 * A question as Python asks it.
 * @param {import('playwright-core').Page} page
 * @param {object} question
 * @returns {Promise<{meta: any, bytes: Uint8Array, size: number, code?: string, text?: string}>}
 */
async function ask(page, question) {
  const answer = await page.evaluate(async (question) => {
    const { kernel, model } = /** @type {any} */ (globalThis);
    const id = String(Math.random());
    model.deliver({ kind: 'ask', id, model: 0, options: {}, ...question });
    for (;;) {
      const answer = kernel.answers.get(id);
      const length = answer?.parts.reduce((/** @type {number} */ sum, /** @type {Uint8Array} */ part) => sum + part.length, 0);
      if (answer && length === answer.size) return { ...answer, parts: undefined, bytes: [...new Uint8Array(await new Blob(answer.parts).arrayBuffer())] };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }, question);
  return { ...answer, bytes: Uint8Array.from(answer.bytes) };
}

/** What is laid over the photo, of each model. @param {import('playwright-core').Page} page */
const picture = (page) => page.locator('#stage .overlay').evaluateAll((canvases) => canvases.map((canvas) => /** @type {HTMLCanvasElement} */ (canvas).toDataURL()).join());

test('the explorer opens with a model and an image out of the kernel, and says what it shows', async () => {
  const { page, requests, errors, close } = await openCell();
  const before = requests.filter((url) => url.startsWith('http')).length;
  const [{ top, map }] = await shown(page, 'Layer 5, mean of heads');
  assert.equal(top[0][1], 'espresso');
  assert.ok(top[0][2] > 0.9 && top.length >= 5);
  assert.deepEqual([map.rows, map.cols, map.channels, map.signed, map.data.length], [16, 16, 1, false, 256]);
  assert.ok(Math.abs(map.data.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b) - 1) < 0.05, 'attention to the patches is nearly all there is');
  assert.equal(requests.filter((url) => url.startsWith('http')).length, before, 'nothing was fetched from anywhere');
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).kernel.heard.slice(0, 2)), [{ kind: 'hello' }, { kind: 'views', count: 1 }]);
  assert.equal(await page.evaluate(() => document.querySelectorAll('[data-lm-suppress-shortcuts]').length), 1);
  await page.evaluate(() => /** @type {any} */ (globalThis).cell.close());
  await workersEnd(page);
  assert.deepEqual(await page.evaluate(() => [document.querySelectorAll('section > *').length, /** @type {any} */ (globalThis).kernel.heard.at(-1)]), [0, { kind: 'views', count: 0 }]);
  assert.deepEqual(errors, []);
  await close();
});

test('a trait that Python sets changes the picture, and back; what the reader chooses is told once', async () => {
  const { page, errors, close } = await openCell();
  await shown(page, 'Layer 5');
  const first = await picture(page);
  await set(page, 'layer', 2);
  await shown(page, 'Layer 2');
  assert.notEqual(await picture(page), first);
  await set(page, 'query', [3, 12]);
  await shown(page, 'where patch');
  await set(page, 'query', null);
  await set(page, 'layer', null);
  await shown(page, 'Layer 5, mean of heads: where the class token looks');
  assert.equal(await picture(page), first);

  await page.getByRole('button', { name: 'Layer 1', exact: true }).click();
  await told(page, 'layer', 1);
  await page.locator('#tab-similarity').click();
  await told(page, 'view', 'similarity');
  await page.locator('#stage').click();
  await page.waitForFunction(() => Array.isArray(/** @type {any} */ (globalThis).kernel.traits.query));
  await set(page, 'layer', 77);
  await told(page, 'layer', null); // the model has no such layer
  await page.waitForTimeout(500);
  const saves = await page.evaluate(() => /** @type {any} */ (globalThis).model.saves);
  await page.waitForTimeout(500);
  assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).model.saves), saves, 'nobody goes on telling');
  assert.ok(saves < 25, `${saves} messages`);
  assert.deepEqual(errors, []);
  await close();
});

test('pixel values are what the model gets: its answer is that of its own library', async () => {
  const tab = await openTab(browser);
  const { page } = tab;
  await page.goto(`${origin}/tests/notebook/cell.html`);
  await page.waitForFunction(() => 'Kernel' in globalThis);
  const expected = readTensors(new URL('../fixtures/hf_vit/expected.safetensors', import.meta.url));
  await page.evaluate(async ([folder, values, shape]) => {
    const kernel = new Kernel();
    const canvas = new OffscreenCanvas(shape[2], shape[1]);
    canvas.getContext('2d')?.fillRect(4, 4, 12, 12);
    const shown = await kernel.add(new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer()));
    const image = { title: 'batch[0]', kind: 'pixels', type: '', shape, shown, ...(await kernel.add(new Uint8Array(Float32Array.from(values).buffer))) };
    const model = kernel.open(await kernel.widget([await kernel.model(folder)], [image]));
    Object.assign(globalThis, { kernel, model, cell: await show(model) });
  }, /** @type {const} */ ([FIXTURE, [...expected.pixel_values.data], expected.pixel_values.shape]));
  const { bytes, meta } = await ask(page, { method: 'trace' });
  const { logits, attentions } = parseTensors(bytes);
  assert.match(meta.sha256, /^[0-9a-f]{64}$/);
  assert.deepEqual(attentions.shape, expected.attentions.shape);
  for (const [got, want] of /** @type {const} */ ([[logits, expected.logits], [attentions, expected.attentions]])) {
    got.data.forEach((value, i) => assert.ok(Math.abs(value - want.data[i]) < 1e-4, `${value} for ${want.data[i]}`));
  }
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

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

test('two models are in step, and one that lacks a layer keeps its own', async () => {
  const { page, errors, close } = await openCell({ models: [TINY, FIXTURE] });
  await shown(page, 'mean of heads', 2);
  await page.getByRole('button', { name: 'Layer 1', exact: true }).nth(1).click(); // of the second
  await told(page, 'layer', 1);
  await shown(page, 'Layer 1', 2);
  await page.getByRole('button', { name: 'Layer 4', exact: true }).first().click(); // which the second has not
  await told(page, 'layer', 4);
  await page.locator('#tab-rollout').nth(1).click();
  await shown(page, 'Rollout', 2);
  await told(page, 'layer', 4);
  assert.equal((await ask(page, { method: 'attribute', model: 1 })).meta.rows, 4);
  assert.deepEqual(errors, []);
  await close();
});

test('of several images the wanted one comes, and the next; what is chosen of one is chosen of the other', async () => {
  const { page, errors, close } = await openCell({ images: PHOTOS, traits: { target: 3, view: 'class' } });
  await shown(page, 'Relevance');
  const names = await page.evaluate(() => /** @type {any} */ (globalThis).model.state._images.map((/** @type {any} */ { name }) => name));
  await page.waitForFunction((name) => /** @type {any} */ (globalThis).kernel.heard.some((/** @type {any} */ message) => message.name === name), names[1]);
  assert.deepEqual(await Promise.all(names.map(async (/** @type {string} */ name) => (await asked(page, name)) > 0)), [true, true, false, false]);
  const first = await picture(page);
  await page.getByRole('button', { name: 'Next image' }).click();
  await told(page, 'index', 1);
  await page.getByText('2 / 4').waitFor();
  await page.waitForFunction(() => /** @type {any} */ (globalThis).kernel.traits._shown?.[0]?.top[0][1] !== 'espresso');
  assert.notEqual(await picture(page), first);
  assert.deepEqual(await page.evaluate(() => ['target', 'view'].map((name) => /** @type {any} */ (globalThis).model.state[name])), [3, 'class']);
  await set(page, 'index', 3);
  await page.getByText('4 / 4').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Next image' }).isDisabled(), true);
  await page.getByRole('button', { name: /^Image 1:/ }).click();
  await page.waitForFunction(() => /** @type {any} */ (globalThis).kernel.traits._shown?.[0]?.top[0]?.[1] === 'espresso');
  assert.deepEqual(errors, []);
  await close();
});

test('questions are answered, or refused with a code and a sentence', async () => {
  const { page, errors, close } = await openCell();
  const relevance = await ask(page, { method: 'attribute', options: { method: 'chefer', target: 'espresso' } }); // asked before anything is there
  assert.deepEqual([relevance.meta.target.label, relevance.meta.rows, relevance.size], ['espresso', 16, 1024]);
  const data = [...new Float32Array(relevance.bytes.buffer)];
  const curves = await ask(page, { method: 'curves', options: { map: { rows: 16, cols: 16, data }, steps: 2, target: relevance.meta.target.index } });
  assert.equal(curves.meta.deletion.probabilities.length, 3);
  assert.ok(curves.meta.deletion.area < curves.meta.insertion.area);
  const png = await ask(page, { method: 'snapshot' });
  assert.deepEqual([...png.bytes.subarray(1, 4)], [...Buffer.from('PNG')]);
  const refused = await ask(page, { method: 'attribute', options: { target: 'no such thing' } });
  assert.equal(refused.code, 'invalid-argument');
  assert.match(refused.text ?? '', /no such thing/);
  assert.match((await ask(page, { method: 'dream' })).text ?? '', /no method dream/);
  assert.deepEqual(errors, []);
  await close();
});

test('the weights are quantised in the reader\'s browser, for a single file', async () => {
  const { page, errors, close } = await openCell({ models: [FIXTURE] });
  const { bytes, meta } = await ask(page, { method: 'quantize' });
  const header = JSON.parse(Buffer.from(bytes.buffer, 8, Number(new DataView(bytes.buffer).getBigUint64(0, true))).toString());
  assert.ok(Object.values(header).some(({ dtype }) => dtype === 'I8'));
  assert.match(meta.sha256, /^[0-9a-f]{64}$/);
  await page.evaluate(() => /** @type {any} */ (globalThis).cell.close());
  await workersEnd(page);
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
