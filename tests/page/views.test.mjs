/** Every view of the page, in real Chromium: it draws, follows its controls, and what it exports is what the API gives. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { parseNpy } from '../node/npy.mjs';
import { distance, parseTensors } from '../node/safetensors.mjs';
import { CONFIG, FOLDER, PAGE, clickPatch, drawn, firstAnswer, openApi, openTab, startBrowser, startServer } from './harness.mjs';

const { layers: LAYERS, heads: HEADS } = CONFIG;

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
/** A page with the package alone, which may do what the page's policy forbids. @type {Page} */
let api;
let origin = '';
let first = '';
before(async () => {
  [browser, origin, first] = await Promise.all([startBrowser(), startServer(), firstAnswer()]);
  api = (await openApi(browser, origin)).page;
});

/**
 * A test of one view. No error stays uncaught, nothing is said to have failed.
 * @param {string} id
 * @param {(page: Page) => Promise<void>} body
 * @param {{flags?: string[], options?: import('playwright-core').BrowserContextOptions}} [settings]
 */
const inView = (id, body, { flags, options } = {}) => async () => {
  const tab = await openTab(flags ? await startBrowser(flags) : browser, { viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  await tab.page.goto(origin + PAGE);
  await tab.page.waitForFunction((first) => explorer().querySelector('#answers .label')?.textContent === first, first);
  await tab.page.locator(`#tab-${id}`).click();
  await body(tab.page);
  assert.equal(await tab.page.locator('#notice').isVisible(), false);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

/** What lies over the middle of the photo. @param {Page} page */
const covered = (page) => page.evaluate(() => {
  const canvas = /** @type {HTMLCanvasElement} */ (explorer().querySelector('#stage .overlay'));
  const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(canvas.width / 3, canvas.height / 4, canvas.width / 3, canvas.height / 2);
  return data.some((value, i) => i % 4 === 3 && value > 0);
});
const title = (/** @type {Page} */ page) => page.locator('[data-caption=title]').innerText();
/** Waits until the caption has these parts. @param {Page} page @param {string[]} parts */
const says = (page, ...parts) => page.waitForFunction((parts) => parts.every((part) => explorer().querySelector('[data-caption=title]')?.textContent?.includes(part)), parts);
const pick = (/** @type {Page} */ page, /** @type {string} */ text) => page.locator('.panel:not([hidden]) .segments label').filter({ hasText: text }).click();
const choose = (/** @type {Page} */ page, /** @type {string} */ name) => page.locator('.panel:not([hidden])').getByLabel(name, { exact: true }).check();
const slide = (/** @type {Page} */ page, /** @type {string} */ name, /** @type {number} */ value) => page.locator('.panel:not([hidden])').getByLabel(name).fill(String(value));

/** Says whether the overlay has changed since it was last asked, and never twice shows the same. @param {Page} page */
async function watch(page) {
  assert.ok(await covered(page), 'a map lies over the photo');
  const seen = new Set([await drawn(page)]);
  return async (/** @type {string} */ what) => {
    let now = '';
    for (let tries = 0; !now || (seen.has(now) && tries < 100); tries++) {
      await page.waitForTimeout(50);
      now = await drawn(page);
    }
    assert.ok(!seen.has(now), `the overlay stayed the same after a change of ${what}`);
    seen.add(now);
  };
}

/** @param {Page} page @param {string} name */
async function download(page, name) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.locator('#exports').getByRole('button', { name, exact: true }).click()]);
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

/**
 * Exports what is shown, and compares it with what the package's API gives for the same photo.
 * @param {Page} page
 * @param {string} view the API's call, with `trace`, `vit` and `image` in scope
 */
async function exportsAre(page, view) {
  const expected = await api.evaluate(async ([view, folder]) => {
    const vit = await vitscope.Vitscope.load(folder);
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    const trace = await vit.trace(image);
    const map = await new Function('vit', 'trace', 'image', `return ${view}`)(vit, trace, image);
    vit.close();
    return { ...map, data: [...map.data] };
  }, [view, FOLDER]);
  const npy = await download(page, 'NPY');
  assert.match(npy.name, /^espresso-cup-[\w-]+\.npy$/);
  const { shape, data } = parseNpy(npy.bytes);
  assert.deepEqual(shape, expected.channels === 1 ? [expected.rows, expected.cols] : [expected.rows, expected.cols, 3]);
  assert.ok(distance(data, expected.data) < 1e-6);
  const json = JSON.parse((await download(page, 'JSON')).bytes.toString());
  assert.ok(distance(json.data, expected.data) < 1e-6);
  assert.deepEqual({ ...json, data: 0 }, { ...expected, data: 0 });
  await picturesAre(page, expected);
}

/** @param {Page} page @param {{rows: number, cols: number, crop?: unknown}} map */
async function picturesAre(page, map) {
  const decode = async (/** @type {Buffer} */ bytes) => api.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    return { size: [bitmap.width, bitmap.height], colours: new Set(new Uint32Array(data.buffer)).size, corner: [...data.subarray(0, 3)] };
  }, bytes.toString('base64'));
  const alone = await decode((await download(page, 'PNG')).bytes);
  assert.deepEqual(alone.size, [16 * map.cols, 16 * map.rows]);
  assert.ok(alone.colours > 3, 'the picture shows something');
  const button = page.locator('[data-export=photo]');
  assert.equal(await button.isEnabled(), Boolean(map.crop));
  if (!map.crop) return;
  // A spotlight darkens what the model did not see; maps with a sign have their own colours anyway.
  if (await page.locator('[name=colormap][value=viridis]').isEnabled()) await page.locator('.segments label:has([value=viridis])').click();
  const over = await decode((await download(page, 'PNG with photo')).bytes);
  assert.deepEqual(over.size, [600, 400]);
  const photo = await decode(Buffer.from(await page.evaluate(async () => {
    const bitmap = await createImageBitmap(await (await fetch('/www/samples/coffee.jpg')).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
  })));
  assert.deepEqual(over.corner, photo.corner, 'beside the crop the photo is as it was');
  assert.notEqual(over.colours, photo.colours);
}

test('heads: fusion, mass and clip', inView('heads', async (page) => {
  const changes = await watch(page);
  await pick(page, 'max');
  await changes('fusion');
  assert.match(await title(page), new RegExp(`Layer ${LAYERS - 1}, max of heads`));
  const tiles = await drawn(page, '.tile canvas');
  await slide(page, 'Mass', 90);
  await changes('mass');
  await slide(page, 'Clip', 95);
  await changes('clip');
  assert.notEqual(await drawn(page, '.tile canvas'), tiles, 'tiles follow too');
  await page.locator('.tile[data-layer="2"][data-head="1"]').click();
  await changes('head');
  await exportsAre(page, 'trace.headMap({ layer: 2, head: 1, mass: 0.9, clip: 95 })');
}));

test('the whole trace is exported', inView('heads', async (page) => {
  const { name, bytes } = await download(page, 'Whole trace');
  assert.match(name, /\.safetensors$/);
  const { attentions, hidden_states, logits } = parseTensors(bytes);
  const { tokens, hiddenSize, numClasses } = CONFIG;
  assert.deepEqual([attentions.shape, hidden_states.shape, logits.shape], [[LAYERS, HEADS, tokens, tokens], [LAYERS + 1, tokens, hiddenSize], [numClasses]]);
  const sum = attentions.data.subarray(0, tokens).reduce((a, b) => a + b);
  assert.ok(Math.abs(sum - 1) < 1e-4);
}));

test('rollout: fusion, discard and a patch', inView('rollout', async (page) => {
  const changes = await watch(page);
  await choose(page, 'Heads fused by max');
  await changes('fusion');
  await slide(page, 'Discard', 80);
  await changes('discard');
  await clickPatch(page, 2, 5);
  await changes('patch');
  assert.equal(await title(page), 'Rollout, max of heads, 80 % left out: what reaches patch (2, 5)');
  await exportsAre(page, "trace.rollout({ fusion: 'max', discard: 0.8, query: [2, 5] })");
}));

test('class: methods, another class, a layer', inView('class', async (page) => {
  await says(page, `Relevance for ${first}`);
  const changes = await watch(page);
  await exportsAre(page, 'vit.attribute(image)');
  await page.locator('#answers li button').nth(1).click();
  const second = await page.locator('#answers .label').nth(1).innerText();
  await says(page, `Relevance for ${second}`);
  await changes('class');
  assert.equal(await page.locator('#answers button[aria-pressed=true]').innerText().then((text) => text.includes(second)), true);
  await page.locator('#answers li button').first().click();
  await pick(page, 'gradient rollout');
  await says(page, `Gradient rollout for ${first}`);
  await changes('method');
  await slide(page, 'Discard', 50);
  await says(page, '50 % left out');
  await changes('discard');
  await pick(page, 'Grad-CAM');
  await says(page, `Grad-CAM for ${first}`, `layer ${LAYERS - 1}`);
  await changes('method');
  await page.getByRole('button', { name: 'Layer 4', exact: true }).click();
  await says(page, 'layer 4');
  await changes('layer');
  await exportsAre(page, "vit.attribute(image, { method: 'grad-cam', layer: 4 })");
}));

test('occlusion runs when asked, shows how far it is, and can be stopped', inView('class', async (page) => {
  await pick(page, 'occlusion');
  await page.getByText('Press "Leave out" to run it.').waitFor();
  assert.equal(await covered(page), false);
  await page.getByRole('button', { name: 'Leave out' }).click();
  await page.getByText(/\d+ of \d+ passes/).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Leave out' }).click();
  await says(page, 'Occlusion: ', first);
  assert.ok(await covered(page));
  assert.equal(await page.getByRole('progressbar', { name: 'Leave out' }).count(), 0);
  await exportsAre(page, "vit.attribute(image, { method: 'occlusion' })");
}));

test('deletion and insertion judge the map that is shown', inView('class', async (page) => {
  await says(page, `Relevance for ${first}`);
  await page.getByRole('button', { name: 'Deletion and insertion' }).click();
  await page.getByText(/Insertion, area 0\.\d{3}/).waitFor();
  const expected = await api.evaluate(async (folder) => {
    const vit = await vitscope.Vitscope.load(folder);
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    const { deletion, insertion } = await vit.curves(image, await vit.attribute(image));
    vit.close();
    return [`Deletion, area ${deletion.area?.toFixed(3)}`, `Insertion, area ${insertion.area?.toFixed(3)}`];
  }, FOLDER);
  assert.deepEqual(await page.locator('.judge .key li').allInnerTexts(), expected);
  assert.equal(await page.locator('.judge polyline').count(), 2);
  await pick(page, 'gradient rollout');
  await says(page, 'Gradient rollout');
  assert.equal(await page.locator('.judge polyline').count(), 0, 'what was said of the last map is gone');
}));

test('logit lens: a line for each class, a row for each layer', inView('logit-lens', async (page) => {
  await page.waitForSelector('.panel:not([hidden]) polyline');
  assert.equal(await covered(page), false, 'there is no map');
  assert.equal(await page.locator('.panel:not([hidden]) polyline').count(), 5);
  const rows = await page.locator('.panel:not([hidden]) tbody tr').allInnerTexts();
  assert.equal(rows.length, LAYERS + 1);
  const score = await page.locator('#answers .score').first().innerText();
  assert.equal(rows[LAYERS].replace(/\s+/g, ' '), `${LAYERS - 1} ${first} ${score}`, 'the last layer gives the answer');
  const lines = () => page.locator('.panel:not([hidden]) polyline').evaluateAll((all) => all.map((line) => line.getAttribute('points')).join());
  const before = await lines();
  await pick(page, 'logit');
  for (let tries = 0; tries < 100 && (await lines()) === before; tries++) await page.waitForTimeout(50);
  assert.notEqual(await lines(), before);
  await exportsAre(page, 'trace.logitLens()');
}));

test('patch lens: layers and classes', inView('patch-lens', async (page) => {
  await says(page, `Layer ${LAYERS - 1}: the logit of ${first}`);
  const changes = await watch(page);
  await choose(page, 'Layer 3');
  await says(page, 'Layer 3');
  await changes('layer');
  await page.locator('#answers li button').nth(2).click();
  const third = await page.locator('#answers .label').nth(2).innerText();
  const label = await page.locator('#answers .label').nth(2).getAttribute('title');
  await says(page, `logit of ${third}`);
  await changes('class');
  await exportsAre(page, `trace.patchLens({ layer: 3, target: ${JSON.stringify(label)} })`);
}));

test('features: layers in colours', inView('features', async (page) => {
  const changes = await watch(page);
  await choose(page, 'Layer 1');
  await changes('layer');
  assert.equal(await page.locator('[name=colormap]').first().isDisabled(), true, 'they have their own colours');
  await exportsAre(page, 'trace.featureMap({ layer: 1 })');
}));

test('similarity: layers and patches', inView('similarity', async (page) => {
  const changes = await watch(page);
  await choose(page, 'Layer 2');
  await changes('layer');
  await clickPatch(page, 4, 4);
  await changes('patch');
  assert.equal(await title(page), 'Layer 2: how similar each patch is to patch (4, 4)');
  await exportsAre(page, 'trace.similarity({ layer: 2, query: [4, 4] })');
}));

test('model: positions, filters, distance, entropy', inView('model', async (page) => {
  await says(page, 'Positions');
  const changes = await watch(page);
  await page.locator('.mosaic').click({ position: { x: 10, y: 10 } });
  await says(page, 'patch (0, 0)');
  await changes('place');
  const { data } = parseNpy((await download(page, 'NPY')).bytes);
  assert.ok(Math.abs(data[0] - 1) < 1e-5, 'a place is like itself');
  const mosaic = await drawn(page, '.mosaic');
  await pick(page, 'filters');
  await says(page, '28 principal components');
  assert.notEqual(await drawn(page, '.mosaic'), mosaic);
  await pick(page, 'distance');
  await says(page, 'Mean distance');
  assert.equal(await page.locator('.panel:not([hidden]) .dot').count(), LAYERS * HEADS);
  await exportsAre(page, 'trace.attentionDistance()');
  await pick(page, 'entropy');
  await says(page, 'Mean entropy');
  await exportsAre(page, 'trace.attentionEntropy()');
}));

test('views follow the photo, and clicking a class leads to its view', inView('similarity', async (page) => {
  const before = await drawn(page);
  await page.getByRole('button', { name: 'Tabby cat' }).click();
  await page.waitForFunction((first) => explorer().querySelector('#answers .label')?.textContent !== first, first);
  assert.notEqual(await drawn(page), before);
  await page.locator('#answers li button').first().click();
  assert.equal(await page.locator('[role=tab][aria-selected=true]').getAttribute('id'), 'tab-class');
  await says(page, 'Relevance for');
}));

test('the keyboard reaches every view', inView('heads', async (page) => {
  await page.locator('#tab-heads').focus();
  const seen = [];
  for (let i = 0; i < 8; i++) {
    seen.push(await page.evaluate(() => explorer().activeElement?.id));
    assert.equal(await page.locator('[role=tabpanel]:visible').count(), 1);
    await page.keyboard.press('ArrowRight');
  }
  assert.deepEqual(seen, ['heads', 'rollout', 'class', 'logit-lens', 'patch-lens', 'features', 'similarity', 'model'].map((id) => `tab-${id}`));
  assert.equal(await page.evaluate(() => explorer().activeElement?.id), 'tab-heads', 'and around');
  assert.equal(await page.locator('[role=tab][tabindex="0"]').count(), 1, 'one tab stop');
}));

test('whatever can be focused in a view has a name', inView('heads', async (page) => {
  const session = await page.context().newCDPSession(page);
  for (const tab of await page.getByRole('tab').all()) {
    await tab.click();
    await page.waitForTimeout(100);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const focusable = nodes.filter((node) => !node.ignored && node.properties?.some(({ name, value }) => name === 'focusable' && value.value) && node.role?.value !== 'RootWebArea');
    assert.deepEqual(focusable.filter((node) => !node.name?.value).map((node) => node.role?.value), [], await tab.innerText());
  }
}));

test('with the webcam running, views follow live', inView('rollout', async (page) => {
  await page.getByRole('button', { name: 'Webcam' }).click();
  for (const id of ['rollout', 'features', 'similarity', 'patch-lens', 'class']) {
    await page.locator(`#tab-${id}`).click();
    const pictures = new Set();
    for (let tries = 0; pictures.size < 3 && tries < 200; tries++) {
      if (await covered(page)) pictures.add(await drawn(page));
      await page.waitForTimeout(25);
    }
    assert.ok(pictures.size >= 3, `${id} moves with the picture`);
  }
  await page.getByRole('button', { name: 'Stop webcam' }).click();
  await page.waitForSelector('.live[hidden]', { state: 'attached' });
}, { flags: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] }));

for (const id of ['heads', 'rollout', 'class', 'logit-lens', 'patch-lens', 'features', 'similarity', 'model']) {
  test(`a phone: nothing of ${id} sticks out, and the map's title is whole`, inView(id, async (page) => {
    await page.waitForTimeout(200);
    const { content, sticking } = await page.evaluate(() => ({
      content: document.documentElement.scrollWidth,
      sticking: [...explorer().querySelectorAll('.panel:not([hidden]) *, #exports *')].filter((element) => element.getBoundingClientRect().right > window.innerWidth - 8).map((element) => element.outerHTML.slice(0, 80)),
    }));
    assert.equal(content, 375);
    assert.deepEqual(sticking, []);
    const title = await page.locator('figcaption .title').evaluate((element) => ({ hidden: element.scrollHeight - element.clientHeight, beside: element.scrollWidth - element.clientWidth }));
    assert.deepEqual(title, { hidden: 0, beside: 0 });
  }, { options: { viewport: { width: 375, height: 812 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 } }));
}
