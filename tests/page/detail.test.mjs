/** Into how many patches a picture is cut: chosen, in the picture's own shape, or by what lets a moving picture move. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { imageSizeFor, moved, shaped } from '../../www/explorer/detail.js';
import { createAuto, pick } from '../../www/explorer/live/auto.js';
import { fits, lacks, recordingFor } from '../../www/explorer/recordings.js';
import { answered, openTab, startBrowser, startServer } from './harness.mjs';

const PAGE = '/www/?model=/models/vitscope-tiny/';

/** @typedef {import('playwright-core').Page} Page */

test('a grid in the picture\'s own shape has about as many patches', () => {
  for (const edge of [8, 16, 24, 37]) {
    for (const aspect of [1, 4 / 3, 3 / 2, 16 / 9, 9 / 16, 2.35, 3.9]) {
      const [rows, cols] = shaped(edge * edge, aspect);
      assert.ok(rows * cols > 0.8 * edge * edge && rows * cols < 1.25 * edge * edge, `${edge} ${aspect}: ${rows} × ${cols}`);
      assert.ok(Math.abs(cols / rows / aspect - 1) < 0.17, `${edge} ${aspect}: ${rows} × ${cols}`);
    }
  }
  const [rows, cols] = shaped(256, 40); // a panorama is cut off
  assert.ok(cols / rows <= 4.5 && rows * cols < 320);
});

test('the size of image follows from the patches that are wanted', () => {
  const own = { grid: /** @type {[number, number]} */ ([14, 14]), imageSize: /** @type {[number, number]} */ ([224, 224]), patchSize: /** @type {[number, number]} */ ([16, 16]) };
  assert.deepEqual(imageSizeFor(own, null, undefined), [224, 224]);
  assert.deepEqual(imageSizeFor(own, 8, undefined), [128, 128]);
  assert.deepEqual(imageSizeFor(own, null, { width: 300, height: 200 }), [11 * 16, 17 * 16]);
  assert.deepEqual(imageSizeFor(own, 37, { width: 200, height: 300 }), [45 * 16, 30 * 16]);
});

test('a patch stays where it is in a finer grid', () => {
  assert.equal(moved(0, [8, 8], [16, 16]), 1 * 16 + 1);
  assert.equal(moved(8 * 8 - 1, [8, 8], [16, 16]), 15 * 16 + 15);
  assert.equal(moved(5, [4, 6], [4, 6]), 5);
});

test('auto takes the most patches that let the picture move, and no fewer than 8 × 8', () => {
  const model = { edge: 16, width: 384, most: 16 };
  assert.equal(pick({ ...model, forward: 8, rest: 10 }), 16, 'what is fast keeps what it was trained with');
  const middle = pick({ ...model, forward: 40, rest: 8 });
  assert.ok(middle >= 8 && middle < 16);
  assert.equal(pick({ ...model, forward: 1000, rest: 100 }), 8);
  assert.ok(pick({ ...model, forward: 20, rest: 8 }) >= middle);
  assert.equal(pick({ edge: 37, width: 384, most: 37, forward: 5, rest: 5 }), 37);
});

test('auto chooses once, and again only where it must, seconds later', () => {
  const auto = createAuto();
  const frame = { edge: 16, forward: 60, busy: 70, width: 384, most: 16 };
  let now = 0;
  const see = (/** @type {Partial<typeof frame>} */ change, count = 30) => {
    const seen = new Set();
    for (let i = 0; i < count; i++) {
      auto.saw({ ...frame, ...change, edge: auto.edge ?? 16 }, (now += 50));
      seen.add(auto.edge);
    }
    return [...seen].filter((edge) => edge !== null);
  };
  assert.deepEqual(see({}, 3), [], 'the first frames tell nothing');
  const [first, ...others] = see({}, 20);
  assert.ok(first >= 8 && first < 16 && !others.length);
  assert.deepEqual(see({ forward: 19, busy: 29 }, 200), [first], 'what holds is kept');
  const slower = see({ forward: 80, busy: 90 }, 200);
  assert.equal(slower.at(-1), 8, 'far too slow');
  assert.ok(slower.length <= 3);
  assert.equal(see({ forward: 3, busy: 6 }, 90).at(-1), 16);
  const changes = see({ forward: 90, busy: 99 }, 70);
  assert.equal(changes[0], 16, 'not within seconds');
  auto.forget();
  assert.equal(auto.edge, null);
});

test('all is recorded where that fits, else what the open view reads', () => {
  const model = { layers: 12, heads: 6, hiddenSize: 384, tokens: 257 };
  assert.deepEqual(recordingFor(model, 'cls', {}, false), {});
  assert.deepEqual(recordingFor(model, 'cls', {}, true), { hiddenStates: false, queries: ['cls'] }, 'of a moving picture nothing else');
  assert.deepEqual(recordingFor(model, [1, 2], { hidden: true }, true), { hiddenStates: true, queries: [[1, 2]] });
  assert.deepEqual(recordingFor(model, 'cls', { attentions: true }, true), { hiddenStates: false });
  const fine = { ...model, tokens: 1370 };
  assert.deepEqual(recordingFor(fine, 'cls', { rollout: { fusion: 'min', discard: 0.5 } }, false), { hiddenStates: false, queries: ['cls'], rollout: { fusion: 'min', discard: 0.5 } });
  assert.equal(fits(fine, fine.tokens, { attentions: true }), false);
  assert.equal(fits(fine, fine.tokens, { hidden: true }), true);
  const trace = /** @type {any} */ ({ queries: ['cls'], hiddenStates: [], rolled: { fusion: 'mean', discard: 0 } });
  assert.equal(lacks(trace, 'cls', {}), false);
  assert.equal(lacks(trace, [0, 0], {}), true);
  assert.equal(lacks(trace, 'cls', { hidden: true }), true);
  assert.equal(lacks(trace, 'cls', { attentions: true }), true);
  assert.equal(lacks(trace, 'cls', { rollout: { fusion: 'mean', discard: 0 } }), false);
  assert.equal(lacks(trace, 'cls', { rollout: { fusion: 'min', discard: 0 } }), true);
});

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(['--use-fake-device-for-media-stream=fps=30', '--use-fake-ui-for-media-stream']), startServer()]);
});

/**
 * @param {(page: Page) => Promise<void>} body
 * @param {string} [address]
 */
const onPage = (body, address = PAGE) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 } });
  await tab.page.goto(origin + address);
  await answered(tab.page);
  await body(tab.page);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

/** @param {Page} page @param {number} edge */
async function slide(page, edge) {
  await page.locator('[name=detail]').fill(String(edge));
  await page.locator('[name=detail]').dispatchEvent('change');
}

const note = (/** @type {Page} */ page) => page.locator('#detail .note').innerText();
/** The grid that the answer was made with, rows last. @param {Page} page @param {string} text */
const cut = (page, text) => page.waitForFunction((text) => explorer().querySelector('#detail output')?.textContent === text && explorer().querySelector('#answers ol')?.getAttribute('aria-busy') === 'false', text);
/** Share of the photo's width and height within the corners. @param {Page} page */
const seen = (page) => page.evaluate(() => {
  const [photo, frame] = ['.base', '.frame'].map((name) => /** @type {Element} */ (explorer().querySelector(`#stage ${name}`)).getBoundingClientRect());
  return [frame.width / photo.width, frame.height / photo.height];
});

test('detail is chosen between 8 × 8 and 37 × 37 patches, and what is chosen of the photo stays', onPage(async (page) => {
  await cut(page, '16 × 16');
  assert.equal(await note(page), '');
  await page.locator('#stage').focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('figcaption').getByText('where patch (8, 8) looks').waitFor();
  await slide(page, 8);
  await cut(page, '8 × 8');
  assert.equal(await page.getByLabel('Auto').isChecked(), false);
  assert.equal(await note(page), 'It was trained with 16 × 16.');
  await page.locator('figcaption').getByText('where patch (4, 4) looks').waitFor();
  await slide(page, 37);
  await cut(page, '37 × 37');
  for (const [view, title] of /** @type {const} */ ([['rollout', /Rollout/], ['class', /Relevance for/], ['features', /Layer 5/], ['logit-lens', /[Ll]ogit/], ['similarity', /Layer \d: .*similar/i]])) {
    await page.locator(`#tab-${view}`).click();
    await page.locator('figcaption .title').getByText(title).waitFor();
  }
  await page.getByLabel('Auto').check();
  await cut(page, '16 × 16');
  assert.equal(await page.locator('#notice').isVisible(), false);
}));

test('of 37 × 37 patches a view holds 64 MB at most, and has what it reads', async () => {
  const { page, errors, close } = await openTab(browser);
  await page.goto(`${origin}/tests/page/api.html`);
  await page.waitForSelector('html[data-ready=yes]');
  const bytes = await page.evaluate(async () => {
    const { recordingFor } = await import(`${location.origin}/www/explorer/recordings.js`);
    const vit = await vitscope.Vitscope.load('/models/vitscope-small/');
    const edge = 37 * vit.config.patchSize[0];
    await vit.resize(edge);
    const held = [];
    for (const reads of [{ hidden: true }, { rollout: { fusion: 'mean', discard: 0 } }]) {
      const trace = await vit.trace('/www/samples/coffee.jpg', recordingFor(vit.config, 'cls', reads, false));
      trace.headMap({ layer: 3, head: 2 });
      if (reads.rollout) trace.rollout({ query: [3, 4] });
      else trace.featureMap({ layer: 5 });
      held.push([trace.attentions, trace.hiddenStates, trace.rollouts].reduce((sum, values) => sum + (values?.byteLength ?? 0), 0));
    }
    vit.close();
    return held;
  });
  assert.ok(bytes.every((held) => held > 1e6 && held <= 64e6), String(bytes));
  assert.deepEqual(errors, []);
  await close();
});

test('the whole picture is seen in its own shape, which is said not to be as trained', onPage(async (page) => {
  const [width, height] = await seen(page);
  assert.ok(width < 0.7 && height > 0.99, 'the square in its middle');
  await page.getByLabel('Whole picture').check();
  await cut(page, '20 × 13');
  assert.ok((await seen(page)).every((share) => share > 0.95 && share < 1.001), String(await seen(page)));
  assert.equal(await note(page), 'In the picture’s own shape: not as it was trained.');
  assert.equal(await page.locator('#answers .label').first().innerText(), 'espresso');
  await page.getByLabel('Whole picture').uncheck();
  await cut(page, '16 × 16');
}));

test('a link can hold detail and shape', async () => {
  const { page, errors, close } = await openTab(browser);
  await page.goto(`${origin}/tests/page/api.html`);
  const state = await page.evaluate(async () => {
    const { mount } = await import(`${location.origin}/www/explorer/mount.js`);
    const root = document.body.appendChild(document.createElement('div'));
    const explorer = mount(root, { model: '/models/vitscope-tiny/', image: '/www/samples/chelsea.jpg', state: { detail: 10, whole: true } });
    for (let tries = 0; tries < 300 && !/\d/.test(root.shadowRoot?.querySelector('#detail output')?.textContent ?? ''); tries++) await new Promise((resolve) => setTimeout(resolve, 100));
    const text = root.shadowRoot?.querySelector('#detail output')?.textContent;
    const { detail, whole } = explorer.state;
    explorer.destroy();
    return { text, detail, whole };
  });
  assert.deepEqual(state, { text: '12 × 8', detail: 10, whole: true });
  assert.deepEqual(errors, []);
  await close();
});

test('a model that takes one size alone says so, and keeps it', onPage(async (page) => {
  await page.getByLabel('Whole picture').check();
  await page.waitForFunction(() => /** @type {HTMLInputElement} */ (explorer().querySelector('[name=detail]')).disabled);
  assert.match(await note(page), /^[A-Z].*size.*\.$/);
  await answered(page);
  assert.equal(await page.locator('#notice').isVisible(), false);
}, '/www/?model=/tests/fixtures/hf_aimv2_zero_shot/'));

test('while a picture moves, the size is measured, unless one was chosen', onPage(async (page) => {
  await slide(page, 9);
  await cut(page, '9 × 9');
  await page.getByRole('button', { name: 'Webcam', exact: true }).click();
  await page.locator('[data-live=rate]').getByText(/[1-9].* frames\/s/).waitFor({ timeout: 20_000 }).catch(async () => assert.fail(await page.locator('#notice').innerText()));
  await page.waitForTimeout(1500);
  assert.equal(await page.locator('#detail output').innerText(), '9 × 9');
  await page.getByLabel('Auto').check();
  await page.waitForFunction(() => explorer().querySelector('#detail output')?.textContent !== '9 × 9');
  await page.waitForTimeout(1500);
  const [cols, rows] = (await page.locator('#detail output').innerText()).split(' × ').map(Number);
  assert.ok(cols === rows && cols >= 8 && cols <= 16, `${cols} × ${rows}`);
  await page.getByRole('button', { name: 'Freeze' }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  await answered(page);
  assert.equal(await page.locator('#detail output').innerText(), `${cols} × ${rows}`, 'a frame that is frozen stays as it was seen');
}));
