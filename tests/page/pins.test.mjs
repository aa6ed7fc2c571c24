/** Views side by side, in real Chromium: they stay what they were, may share a scale, and become one picture. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { answered, drawn, openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const FOLDER = '/models/vitscope-tiny/';

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
/** What the API says of photos: the largest attention in the last layer, and the entropy of heads with its colours, by itself and on one scale. @type {{most: number[], entropy: {rows: number, cols: number, own: number[], common: number[]}[]}} */
let expected;
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
  const { page, close } = await openApi(browser, origin);
  expected = await page.evaluate(async (folder) => {
    const { Vitscope, colourise } = vitscope;
    const vit = await Vitscope.load(folder);
    const [coffee, chelsea, rocket] = await Promise.all(['coffee', 'chelsea', 'rocket'].map((name) => vit.trace(`/www/samples/${name}.jpg`)));
    vit.close();
    const maps = [coffee, rocket].map((trace) => trace.attentionEntropy());
    const colours = (/** @type {import('../../pkg/index.js').ViewMap} */ map, /** @type {[number, number] | undefined} */ range) => [...colourise(map, { colormap: 'turbo', range })];
    const most = Math.max(...maps.flatMap(({ data }) => [...data]));
    return {
      most: [coffee, chelsea].map((trace) => Math.max(...trace.headMap().data)),
      entropy: maps.map((map) => ({ rows: map.rows, cols: map.cols, own: colours(map, undefined), common: colours(map, [0, most]) })),
    };
  }, FOLDER);
  await close();
});

/** @param {(page: Page) => Promise<void>} body */
const onPage = (body) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  await tab.page.goto(`${origin}/www/?model=${FOLDER}`);
  await answered(tab.page);
  await body(tab.page);
  assert.equal(await tab.page.locator('#notice').isVisible(), false);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

const cards = (/** @type {Page} */ page) => page.locator('#pins .cards > li');
const text = (/** @type {Page} */ page, /** @type {number} */ i, part = 'p.hint') => cards(page).nth(i).locator(part).innerText();
const ends = (/** @type {Page} */ page, /** @type {number} */ i) => text(page, i, '.legend p').then((text) => text.split(/\s{2,}|\n/).map((part) => part.trim()));
const canvas = (/** @type {Page} */ page, /** @type {number} */ i) => drawn(page, `#pins .cards > li:nth-child(${i + 1}) > canvas`);

/** Pins, and waits for the card. @param {Page} page */
async function pin(page) {
  const count = await page.locator('#pins .cards > li:not(.now)').count();
  await page.getByRole('button', { name: 'Pin', exact: true }).click();
  await page.waitForFunction((count) => explorer().querySelectorAll('#pins .cards > li:not(.now)').length === count + 1, count);
}

/** Another sample, until its map is the present card. @param {Page} page @param {number} i @param {string} title */
async function sample(page, i, title) {
  await page.locator('.samples button').nth(i).click();
  await page.waitForFunction((title) => {
    const now = explorer().querySelector('#pins .now:not(.stale) .hint');
    return now?.textContent?.startsWith(title);
  }, title);
}

test('two photos share a scale where their values are of one kind, and pins outlive photo, view and model', onPage(async (page) => {
  assert.equal(await page.locator('#pins').isVisible(), false);
  await page.locator('[name=colormap][value=viridis]').check({ force: true });
  await pin(page);
  await sample(page, 1, 'Tabby cat');
  assert.match(await text(page, 0), /^Espresso cup: espresso, [\d.]+ % \(vitscope-tiny, int8\)$/);
  assert.match(await text(page, 1), /^Tabby cat: .+ \(vitscope-tiny, int8\)$/);
  assert.match(await text(page, 1, '.tag'), /Now/);
  const kept = await canvas(page, 0);
  const said = await text(page, 0, '.title');
  const { most } = expected;
  const percent = (/** @type {number} */ value) => `${(100 * value).toFixed(1)} %`;
  assert.deepEqual([await ends(page, 0), await ends(page, 1)], most.map((value) => ['0', percent(value)]));

  await page.getByLabel('Common scale').check();
  const both = ['0', percent(Math.max(...most))];
  assert.deepEqual([await ends(page, 0), await ends(page, 1)], [both, both]);
  assert.equal((await canvas(page, 0)) === kept, most[0] > most[1], 'the one with the larger values is drawn as before, the other otherwise');

  // Values of another kind have a scale of their own.
  await page.locator('#tab-similarity').click();
  await page.waitForFunction(() => /similar/i.test(explorer().querySelector('#pins .now .title')?.textContent ?? ''));
  assert.notDeepEqual(await ends(page, 1), both);
  await page.getByLabel('Common scale').uncheck();
  assert.equal(await canvas(page, 0), kept);

  // Another model.
  await page.locator('#model-open').click();
  await page.locator('#model label').filter({ hasText: 'f32' }).click();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => /f32/.test(explorer().querySelector('[data-status=dtype]')?.textContent ?? ''));
  await answered(page);
  assert.deepEqual([await canvas(page, 0), await text(page, 0, '.title')], [kept, said]);
  await page.evaluate(() => {
    const close = ImageBitmap.prototype.close;
    globalThis.kept = 0;
    ImageBitmap.prototype.close = function () {
      globalThis.kept++;
      close.call(this);
    };
  });
  await page.getByRole('button', { name: /^Remove pin: / }).click();
  assert.equal(await page.locator('#pins').isVisible(), false);
  assert.equal(await page.evaluate(() => globalThis.kept), 1, 'its memory is given back');
}));

test('equal values have equal colours on a common scale', onPage(async (page) => {
  // A map that lies on no photo has its colours alone.
  await page.locator('[name=colormap][value=turbo]').check({ force: true });
  await page.locator('#tab-model').click();
  await page.locator('.panel:not([hidden]) .segments label').filter({ hasText: 'entropy' }).click();
  await page.waitForFunction(() => /entropy/i.test(explorer().querySelector('[data-caption=title]')?.textContent ?? ''));
  await pin(page);
  await sample(page, 2, 'Rocket launch');
  await page.getByLabel('Common scale').check();
  assert.notDeepEqual(expected.entropy.map(({ common }) => common), expected.entropy.map(({ own }) => own), 'a common scale is another than one of them has');
  const cells = await page.evaluate((shapes) => shapes.map(({ rows, cols }, i) => {
    const canvas = /** @type {HTMLCanvasElement} */ (explorer().querySelector(`#pins .cards > li:nth-child(${i + 1}) > canvas`));
    const side = 360 / rows;
    // The middle of each cell of a map in the middle of 480 × 360.
    return Array.from({ length: rows * cols }, (_, cell) => [...(canvas.getContext('2d')?.getImageData(240 + side * ((cell % cols) + 0.5 - cols / 2), side * (Math.floor(cell / cols) + 0.5), 1, 1).data ?? [])]).flat();
  }), expected.entropy.map(({ rows, cols }) => ({ rows, cols })));
  assert.deepEqual(cells, expected.entropy.map(({ common }) => common));
}));

test('all are exported as one picture, with their captions and scales', onPage(async (page) => {
  await page.locator('[name=colormap][value=viridis]').check({ force: true });
  await pin(page);
  await page.locator('#tab-similarity').click();
  await page.waitForFunction(() => /similar/i.test(explorer().querySelector('[data-caption=title]')?.textContent ?? ''));
  await pin(page);
  await sample(page, 2, 'Rocket launch');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export as one picture' }).click()]);
  assert.equal(file.suggestedFilename(), 'side-by-side.png');
  const base64 = readFileSync(await file.path()).toString('base64');
  const found = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.drawImage(bitmap, 0, 0);
    const data = (/** @type {number} */ x, /** @type {number} */ y, width = 480, height = 360) => [...context.getImageData(x, y, width, height).data];
    // In rows of three: pictures of 480 × 360, 24 apart.
    return {
      size: [bitmap.width, bitmap.height],
      corner: data(0, 0, 1, 1),
      cards: [0, 1, 2].map((i) => {
        const own = /** @type {HTMLCanvasElement} */ (explorer().querySelectorAll('#pins .cards > li > canvas')[i]).getContext('2d')?.getImageData(0, 0, 480, 360).data ?? new Uint8ClampedArray();
        const there = data(24 + i * 504, 24);
        const covered = there.map((_, k) => k).filter((k) => own[k | 3] === 255);
        return {
          covered: covered.length / there.length,
          other: covered.filter((k) => own[k] !== there[k]).length,
          written: data(24 + i * 504, 396, 480, 48).filter((value, k) => k % 4 === 0 && value < 90).length,
          scale: [data(26 + i * 504, 495, 1, 1), data(24 + i * 504 + 477, 495, 1, 1)].map(String),
        };
      }),
    };
  }, base64);
  assert.deepEqual(found.size, [3 * 504 + 24, 24 + 360 + 138 + 24]);
  assert.deepEqual(found.corner, [255, 255, 255, 255]);
  for (const { covered, other, written, scale } of found.cards) {
    assert.ok(covered > 0.8);
    assert.equal(other, 0, 'as on the page');
    assert.ok(written > 100, 'a title is there');
    assert.notEqual(scale[0], scale[1], 'a scale goes from one colour to another');
  }
}));

test('six are kept, and no more', onPage(async (page) => {
  for (let i = 0; i < 6; i++) await pin(page);
  assert.deepEqual(await ends(page, 0), [await page.locator('[data-caption=min]').innerText(), await page.locator('[data-caption=max]').innerText()], 'the scale is that of the stage, here light');
  assert.match((await ends(page, 0)).join(), /^≤ .* %,≥ .* %$/);
  const button = page.getByRole('button', { name: 'Pin', exact: true });
  assert.ok(await button.isDisabled());
  assert.match(String(await button.getAttribute('title')), /6 are pinned. Remove one/);
  await page.getByRole('button', { name: /^Remove pin: / }).first().click();
  assert.ok(await button.isEnabled());
}));
