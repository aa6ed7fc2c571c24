/** A model of stages and windows in the page: each layer in its own grid, windows on the photo, and what such a model has not. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { moved, offered } from '../../www/explorer/detail.js';
import { recordingFor } from '../../www/explorer/recordings.js';
import { beginnings, isStaged, layerWords, windowsOf } from '../../www/explorer/stages.js';
import { ROOT, answered, openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** Grids of 12, 6 and 3 in windows of 3, two layers each; 2, 3 and 4 heads. */
const FOLDER = '/tests/fixtures/hf_swin/';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** @param {string} [fragment] @param {import('playwright-core').BrowserContextOptions} [options] */
async function openSwin(fragment = '', options = {}) {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options });
  await tab.page.goto(`${origin}/www/?model=${FOLDER}#sample=chelsea${fragment}`);
  await answered(tab.page);
  return tab;
}

/** Waits until the caption has the words. @param {Page} page @param {string} title @param {RegExp} [detail] */
async function says(page, title, detail = /./) {
  await page.locator('[data-caption=title]').filter({ hasText: title }).waitFor();
  await page.locator('[data-caption=detail]').filter({ hasText: detail }).waitFor();
}

/** @param {Page} page @param {number} row @param {number} col @param {number} grid */
async function clickPatch(page, row, col, grid) {
  const box = await page.locator('#stage .frame').boundingBox();
  assert.ok(box);
  await page.mouse.click(box.x + ((col + 0.5) * box.width) / grid, box.y + ((row + 0.5) * box.height) / grid);
}

/** Which patches of a grid are lit on the stage, by how much of the photo's light is left in their middle. @param {Page} page @param {number} grid */
const lit = (page, grid) => page.evaluate((grid) => {
  const stage = explorer().querySelector('#stage');
  const [base, overlay, frame] = ['.base', '.overlay', '.frame'].map((name) => /** @type {HTMLCanvasElement} */ (stage?.querySelector(name)));
  const light = (/** @type {HTMLCanvasElement} */ canvas) => {
    const [own, part] = [canvas, frame].map((element) => element.getBoundingClientRect());
    const scale = canvas.width / own.width;
    return Array.from({ length: grid * grid }, (_, i) => {
      const [row, col] = [Math.floor(i / grid), i % grid];
      const [x, y] = [part.x - own.x + ((col + 0.5) * part.width) / grid, part.y - own.y + ((row + 0.5) * part.height) / grid];
      const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(Math.round(scale * x) - 1, Math.round(scale * y) - 1, 3, 3);
      return data.reduce((sum, value, at) => sum + (at % 4 < 3 ? value : 0), 0);
    });
  };
  const [photo, map] = [light(base), light(overlay)];
  return map.flatMap((value, i) => (value > 0.8 * photo[i] ? [i] : []));
}, grid);

test('windows are cut as the engine cuts them', () => {
  const tiles = (/** @type {[number, number]} */ size, /** @type {[number, number]} */ shift, padsFirst = true) => ({ kind: /** @type {const} */ ('tiles'), size, shift, padsFirst, count: 0 });
  // On 4 × 4 tokens, rolled by one: the last window holds the corners, which don't see each other.
  const rolled = windowsOf([4, 4], tiles([2, 2], [1, 1]));
  const members = (/** @type {{of: Int32Array}} */ { of }, /** @type {number} */ window) => [...of].flatMap((own, at) => (own === window ? [at] : []));
  assert.deepEqual(members(rolled, 0), [5, 6, 9, 10]);
  assert.deepEqual(members(rolled, 3), [0, 3, 12, 15]);
  assert.equal(new Set([0, 3, 12, 15].map((at) => rolled.parts[at])).size, 4);
  assert.equal(new Set([5, 6, 9, 10].map((at) => rolled.parts[at])).size, 1);
  // Three columns in windows of two: padding is rolled with the grid, or comes after.
  assert.deepEqual([...windowsOf([1, 3], tiles([1, 2], [0, 1])).of], [1, 0, 0]);
  assert.deepEqual([...windowsOf([1, 3], tiles([1, 2], [0, 1], false)).of], [1, 0, 0]);
  assert.deepEqual([...windowsOf([1, 3], tiles([1, 2], [0, 1])).parts].map((part, i, all) => part === all[(i + 1) % 3]), [false, true, false]);
  assert.deepEqual([...windowsOf([2, 4], { ...tiles([2, 2], [0, 0]), kind: 'strided' }).of], [0, 1, 0, 1, 2, 3, 2, 3]);
  assert.deepEqual([...windowsOf([2, 3], null).of], [0, 0, 0, 0, 0, 0]);
});

test('layers are told by what they have of their own', () => {
  const layer = { stage: 0, grid: /** @type {[number, number]} */ ([12, 12]), patchSize: /** @type {[number, number]} */ ([2, 2]), hiddenSize: 6, heads: 2, window: null };
  const window = { kind: /** @type {const} */ ('tiles'), size: /** @type {[number, number]} */ ([3, 3]), shift: /** @type {[number, number]} */ ([1, 1]), padsFirst: true, count: 16 };
  assert.equal(isStaged({ stages: [layer, layer] }), false);
  assert.equal(layerWords({ stages: [layer, layer] }, 1), '');
  const stages = [layer, { ...layer, window }, { ...layer, stage: 1, grid: /** @type {[number, number]} */ ([6, 6]) }];
  assert.deepEqual(beginnings({ stages }), [0, 2]);
  assert.equal(layerWords({ stages }, 1), 'Stage 0, 12 × 12: windows of 3 × 3, shifted by 1.');
  assert.equal(layerWords({ stages }, 2), 'Stage 1, 6 × 6: each sees all.');
});

test('of a model with windows all is recorded where that fits, else what the open view reads', () => {
  const swin = [[56, 3], [56, 3], [28, 6], [28, 6], [14, 12], [14, 12], [14, 12], [14, 12], [14, 12], [14, 12], [7, 24], [7, 24]].map(([edge, heads], layer) => ({
    stage: [0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3][layer], grid: /** @type {[number, number]} */ ([edge, edge]), patchSize: /** @type {[number, number]} */ ([224 / edge, 224 / edge]), hiddenSize: 32 * heads, heads,
    window: { kind: /** @type {const} */ ('tiles'), size: /** @type {[number, number]} */ ([7, 7]), shift: /** @type {[number, number]} */ ([0, 0]), padsFirst: true, count: (edge / 7) ** 2 },
  }));
  const model = { layers: 12, heads: 24, hiddenSize: 768, tokens: 3136, stages: swin };
  assert.deepEqual(recordingFor(model, 'mean', {}, false), {});
  assert.deepEqual(recordingFor(model, 'mean', {}, true), { hiddenStates: false }, 'all rows: a patch is another one in each stage');
  const sam = swin.map((layer, i) => ({ ...layer, stage: 0, grid: /** @type {[number, number]} */ ([64, 64]), heads: 12, hiddenSize: 768, window: i % 3 === 2 ? null : { ...layer.window, size: /** @type {[number, number]} */ ([14, 14]), count: 25 } }));
  assert.deepEqual(recordingFor({ ...model, heads: 12, tokens: 4096, stages: sam }, [1, 2], {}, false), { hiddenStates: false, queries: [[1, 2]] });
});

test('a point of the photo stays where it is from grid to grid', () => {
  for (let patch = 0; patch < 144; patch++) {
    const there = moved(patch, [12, 12], [3, 3]);
    assert.equal(there, 3 * Math.floor(patch / 48) + Math.floor((patch % 12) / 4));
    assert.equal(moved(moved(there, [3, 3], [12, 12]), [12, 12], [3, 3]), there);
  }
  assert.deepEqual(offered([16, 16]), [8, 37]);
  assert.deepEqual(offered([56, 56]), [14, 56]);
});

test('windows of the page are those within which the package has attention', async () => {
  const { page, close } = await openApi(browser, origin);
  const layers = await page.evaluate(async (folder) => {
    const vit = await /** @type {any} */ (globalThis).vitscope.Vitscope.load(folder);
    const found = [];
    for (const size of [[24, 24], [22, 28]]) {
      await vit.resize(size);
      const trace = await vit.trace(new ImageData(40, 30));
      for (let layer = 0; layer < trace.layers; layer++) {
        const { grid, window } = trace.stages[layer];
        const seen = Array.from({ length: grid[0] * grid[1] }, (_, at) => [...trace.headMap({ layer, query: [Math.floor(at / grid[1]), at % grid[1]] }).data].map((value) => value > 1e-30)); // what is masked is exp(−100)
        found.push({ grid, window, seen });
      }
    }
    vit.close();
    return found;
  }, FOLDER);
  assert.equal(layers.length, 12);
  assert.ok(layers.some(({ window }) => window?.shift[0]));
  for (const { grid, window, seen } of layers) {
    const { of, parts } = windowsOf(grid, window);
    seen.forEach((row, at) => assert.deepEqual(row, [...of].map((other, i) => other === of[at] && parts[i] === parts[at]), `${grid} ${JSON.stringify(window)} ${at}`));
  }
  await close();
});

test('a patch is asked about in its window, in each layer’s own grid', async () => {
  const { page, errors, close } = await openSwin();
  await says(page, 'Layer 5, mean of heads', /^Stage 2, 3 × 3: windows of 3 × 3\./);
  const tile = (/** @type {number} */ layer, /** @type {number | string} */ head) => page.locator(`.tile[data-layer="${layer}"][data-head="${head}"]`);
  for (const [layer, heads] of [[0, 2], [1, 2], [2, 3], [3, 3], [4, 4], [5, 4]]) assert.equal(await page.locator(`.tile[data-layer="${layer}"]`).count(), heads + 1);
  assert.deepEqual(await page.locator('.tiles .joint').allInnerTexts(), ['stage 0\n12 × 12', 'stage 1\n6 × 6', 'stage 2\n3 × 3']);
  assert.deepEqual(await page.locator('#strip .begins').allInnerTexts(), ['2', '4']);

  // Layer 1 is shifted by one: patch (4, 7) is of rows 4 to 6 and columns 7 to 9.
  await tile(1, 0).click();
  await says(page, 'Layer 1, head 0', /^Stage 0, 12 × 12: windows of 3 × 3, shifted by 1\./);
  await clickPatch(page, 4, 7, 12);
  await says(page, 'patch (4, 7)');
  const window = [4, 5, 6].flatMap((row) => [7, 8, 9].map((col) => 12 * row + col));
  assert.ok((await lit(page, 12)).length > 0);
  for (const patch of await lit(page, 12)) assert.ok(window.includes(patch), `${patch} is lit`);

  // Without the shift it is of rows 3 to 5 and columns 6 to 8.
  await tile(0, 1).click();
  await says(page, 'Layer 0, head 1', /windows of 3 × 3\.$/);
  for (const patch of await lit(page, 12)) assert.ok([3, 4, 5].includes(Math.floor(patch / 12)) && [6, 7, 8].includes(patch % 12), `${patch} is lit`);

  // Further up it is the patch that has the same point, and back again the same.
  await tile(3, 2).click();
  await says(page, 'Layer 3, head 2: where patch (2, 3)');
  await tile(5, 3).click();
  await says(page, 'Layer 5, head 3: where patch (1, 1)');
  await tile(1, 1).click();
  await says(page, 'Layer 1, head 1: where patch (4, 7)');

  // Keys go to the last head that a layer has.
  await tile(5, 3).click();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await says(page, 'Layer 3, head 2');
  await page.locator('#strip button[aria-label="Layer 0, stage 0"]').click();
  await says(page, 'Layer 0, mean of heads: where patch (4, 7)');
  assert.equal(await page.locator('#notice').isVisible(), false);
  assert.deepEqual(errors, []);
  await close();
});

test('what such a model has not is grey, and says why', async () => {
  const { page, errors, close } = await openSwin();
  const rollout = page.locator('#tab-rollout');
  await page.locator('#tab-rollout[aria-disabled=true]').waitFor();
  const why = await rollout.getAttribute('title');
  assert.match(why ?? '', /^Rollout is not defined for this model: .*windows/);
  assert.equal(await rollout.getAttribute('aria-description'), why);
  await rollout.click({ force: true }); // Playwright would wait for it to be enabled
  await page.locator('#views .refusal').filter({ hasText: String(why) }).waitFor();
  assert.equal(await page.locator('#view-rollout').isVisible(), false);
  await page.locator('#tab-class').click();
  assert.equal(await page.locator('#views .refusal').isVisible(), false);
  await says(page, 'Grad-CAM');
  const chefer = page.locator('#view-class input[value=chefer]');
  assert.equal(await chefer.getAttribute('aria-disabled'), 'true');
  await chefer.check({ force: true });
  await page.locator('[data-caption=detail]').filter({ hasText: /^Chefer is not defined for this model: / }).waitFor();
  await page.locator('#view-class label').filter({ hasText: 'occlusion' }).click();
  await page.getByRole('button', { name: 'Leave out' }).click();
  await says(page, 'Occlusion');
  await page.getByRole('button', { name: 'Deletion and insertion' }).click();
  await page.locator('#judge .line').first().waitFor();
  for (const view of ['logit-lens', 'patch-lens', 'features', 'similarity', 'model']) {
    await page.locator(`#tab-${view}`).click();
    await page.waitForTimeout(200);
    assert.equal(await page.locator('#notice').isVisible(), false, view);
  }
  for (const figure of ['distance', 'entropy', 'filters', 'positions']) {
    await page.locator('#view-model label').filter({ hasText: figure }).click();
    await page.waitForTimeout(100);
    assert.equal(await page.locator('#notice').isVisible(), false, figure);
  }
  // Another model has it again.
  await page.locator('#model-open').click();
  await page.locator('[data-model=files-input]').setInputFiles(['config.json', 'model.safetensors'].map((file) => join(ROOT, 'tests/fixtures/hf_vit', file)));
  await page.locator('#tab-rollout:not([aria-disabled])').waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test('a link has a point of the photo, and leads back to it', async () => {
  const first = await openSwin();
  await first.page.locator('.tile[data-layer="3"][data-head="1"]').click();
  await clickPatch(first.page, 4, 1, 6);
  await says(first.page, 'Layer 3, head 1: where patch (4, 1)');
  await first.page.waitForURL(/layer=3&head=1&patch=\d+/);
  const fragment = new URL(first.page.url()).hash.slice(1).replace(/(^|&)sample=\w+/, '');
  await first.close();
  const { page, errors, close } = await openSwin(`&${fragment.replace(/^&/, '')}`);
  await says(page, 'Layer 3, head 1: where patch (4, 1)');
  assert.deepEqual(errors, []);
  await close();
});

test('other sizes, pins and exports are of windows, too', async () => {
  const { page, errors, close } = await openSwin('&layer=0', { acceptDownloads: true });
  await page.locator('[name=whole]').check();
  await says(page, 'Layer 0', /^Stage 0, 15 × 10: windows of 3 × 3\. .*padding/);
  await page.locator('[name=whole]').uncheck();
  await says(page, 'Layer 0', /^Stage 0, 12 × 12/);
  await page.locator('[data-pins=pin]').click();
  await page.locator('.tile[data-layer="4"][data-head="0"]').click();
  await page.locator('#pins .now').filter({ hasText: 'Layer 4' }).waitFor();
  for (const kind of ['photo', 'map', 'npy', 'json', 'trace']) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator(`[data-export=${kind}]`).click()]);
    assert.equal(await download.failure(), null);
  }
  assert.equal(await page.locator('#notice').isVisible(), false);
  assert.deepEqual(errors, []);
  await close();
});

test('the lesson shows this model’s windows, and which figures are of others', async () => {
  const tab = await openTab(browser, { reducedMotion: 'reduce', viewport: { width: 1280, height: 800 } });
  const { page } = tab;
  await page.goto(`${origin}/www/inside/?model=${FOLDER}#sample=chelsea`);
  await page.waitForFunction(() => document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-dock=answer]')?.getAttribute('aria-busy') === 'false');
  const read = (/** @type {string} */ id, /** @type {number} */ step) => page.locator(`#${id} .step`).nth(step).evaluate((element) => scrollBy(0, element.getBoundingClientRect().top - 0.42 * innerHeight));
  const told = (/** @type {string} */ id, /** @type {RegExp} */ words) => page.locator(`#${id} figcaption`).filter({ hasText: words }).waitFor();
  await read('after', 1);
  await told('after', /^12 × 12 patches of 6 numbers\. A head needs 1,296 scores in place of 20,736; .* this model’s heads/);
  assert.match(await page.locator('#after .step').nth(1).innerText(), /The loaded model is a Swin/);
  await page.locator('#after input[type=range]').first().fill('1');
  await told('after', /^6 × 6 patches of 12 numbers/);
  for (const id of ['cost', 'attention', 'heads', 'residual', 'mlp', 'layers']) {
    await read(id, 0);
    await told(id, /The loaded model has stages or windows/);
  }
  for (const [id, steps] of /** @type {const} */ ([['patches', 4], ['tokens', 4], ['answer', 5], ['belief', 5], ['after', 7]])) {
    for (let step = 0; step < steps; step++) {
      await read(id, step);
      await page.waitForFunction((id) => !document.querySelector('#lesson')?.shadowRoot?.querySelector(`#${id}`)?.hasAttribute('data-busy'), id);
      await told(id, /^(?!One moment)/);
      assert.equal(await page.locator('#notice').isVisible(), false, `${id} ${step}`);
    }
  }
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

for (const [name, viewport] of Object.entries({ laptop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
  test(`views of stages are clean by WCAG’s rules (${name})`, async () => {
    const { page, close } = await openSwin('&layer=1&patch=55', { viewport });
    await page.evaluate(AXE);
    const found = new Set();
    for (const view of ['heads', 'rollout', 'class', 'features']) {
      await page.locator(`#tab-${view}`).click({ force: true });
      await page.waitForTimeout(300);
      for (const { id, nodes } of await page.evaluate(async () => (await /** @type {any} */ (globalThis).axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations)) found.add(`${view} ${id}: ${nodes[0].target}`);
    }
    assert.deepEqual([...found], []);
    await close();
  });
}
