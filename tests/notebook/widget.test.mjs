/** The widget in real Chromium, against a stand-in for front end and kernel that answers from memory (cell.js): what it shows, is told and answers. JupyterLab has tests of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTensors, readTensors } from '../node/safetensors.mjs';
import { openTab, workersEnd } from '../page/harness.mjs';
import { FIXTURE, PHOTOS, TINY, ask, asked, browser, openCell, openSpoilt, origin, picture, set, shown, told } from './widget.mjs';

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
  await set(page, 'query', [0, 77]);
  await told(page, 'query', null);
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
  await set(page, 'query', [5, 9]); // of 16 × 16, the first's
  await page.waitForFunction(() => /** @type {any} */ (globalThis).kernel.traits._shown.map((/** @type {any} */ { map }) => map.text.match(/patch.*/)?.[0]).every(Boolean));
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).model.state.query), [5, 9]);
  await page.locator('#overlay label:has([value=magma])').nth(1).click();
  assert.equal(await page.locator('#overlay [value=magma]').first().isChecked(), true, 'maps are drawn alike');
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

test('shown() is answered when Python has the values of all that it set', async () => {
  const { page, errors, close } = await openCell({ images: PHOTOS });
  const opened = await ask(page, { method: 'shown' }); // asked before anything is there
  assert.match(opened.shown[0].map.text, /^Layer 5, mean of heads/);
  for (const [layer, head] of [[2, 1], [0, 2]]) {
    await set(page, 'layer', layer);
    await set(page, 'head', head);
    assert.match((await ask(page, { method: 'shown' })).shown[0].map.text, new RegExp(`^Layer ${layer}, head ${head}`));
  }
  await set(page, 'view', 'class'); // which takes the model a while
  assert.match((await ask(page, { method: 'shown' })).shown[0].map.text, /^Relevance/);
  await set(page, 'index', 1);
  const { top } = (await ask(page, { method: 'shown' })).shown[0];
  assert.notEqual(top[0][1], 'espresso');
  assert.deepEqual(errors, []);
  await close();
});

test('shown() waits for an image that is on its way, also when it is wanted once more', async () => {
  const { page, errors, close } = await openCell({ images: PHOTOS });
  await shown(page, 'Layer 5');
  await page.evaluate(() => {
    const { kernel, model } = /** @type {any} */ (globalThis);
    const { name, size } = model.state._images[3];
    kernel.drops = (/** @type {any} */ message) => message.name === name;
    kernel.release = () => model.deliver({ kind: 'part', name, begin: 0, size }, [kernel.blobs.get(name)]);
  });
  await set(page, 'index', 3);
  await set(page, 'index', 9); // the last is wanted still
  const answer = ask(page, { method: 'shown' });
  await page.waitForTimeout(300);
  await page.evaluate(() => /** @type {any} */ (globalThis).kernel.release());
  const { top } = (await answer).shown[0];
  assert.notEqual(top[0][1], 'espresso');
  assert.deepEqual(errors, []);
  await close();
});

test('shown() says so where a model could not be loaded', async () => {
  const { page, close } = await openCell({ models: [FIXTURE, TINY] });
  await openSpoilt(page, 'config', '{"model_type": "bert"}'); // the other one can be
  const refused = await ask(page, { method: 'shown' });
  assert.equal(refused.code, 'closed');
  assert.match(refused.text ?? '', /^There is no model in the widget/);
  await close();
});
