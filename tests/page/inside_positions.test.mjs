/** The lesson's chapters on positions and on what came after: their figures say what the package says, and answer to pointer and keys. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { anglesFor, anglesOf, scorer } from '../../www/inside/figures/angles.js';
import { components, nearest, resized } from '../../www/inside/figures/between.js';
import { shuffled } from '../../www/inside/figures/shuffle.js';
import { openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TINY = '/models/vitscope-tiny/';
const PHOTO = '/www/samples/chelsea.jpg';

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
/** @type {Page} the package by itself */
let api;
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
  ({ page: api } = await openApi(browser, origin));
  await api.evaluate(async (photo) => Object.assign(globalThis, { photo: await (await fetch(photo)).blob() }), PHOTO);
});

/** What the package says of a model and the photo. @template T, A @param {string} model @param {(vit: any, photo: Blob, given: A) => Promise<T>} body @param {A} given @returns {Promise<T>} */
function says(model, body, given) {
  return api.evaluate(async ([model, body, given]) => {
    const { vitscope, photo } = /** @type {any} */ (globalThis);
    const vit = await vitscope.Vitscope.load(model);
    const said = await (0, eval)(`(${body})`)(vit, photo, given);
    vit.close();
    return said;
  }, /** @type {const} */ ([model, String(body), given]));
}

/** The lesson with a model, at a step of a chapter. @param {string} model */
async function openLesson(model) {
  const tab = await openTab(browser, { reducedMotion: 'reduce', viewport: { width: 1280, height: 800 } });
  const { page } = tab;
  await page.goto(`${origin}/www/inside/?model=${model}#sample=chelsea`);
  await page.waitForFunction(() => document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-dock=answer]')?.getAttribute('aria-busy') === 'false');
  const caption = (/** @type {string} */ id) => page.locator(`#${id} figcaption`);
  return {
    ...tab,
    /** Waits for a caption that has the words. @param {string} id @param {RegExp} words */
    async told(id, words) {
      await caption(id).filter({ hasText: words }).waitFor();
      return /** @type {RegExpExecArray} */ (words.exec(await caption(id).innerText()));
    },
    /** @param {string} id @param {number} step */
    read: (id, step) => page.locator(`#${id} .step`).nth(step).evaluate((element) => scrollBy(0, element.getBoundingClientRect().top - 0.42 * innerHeight)),
  };
}

const shown = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;

test('another grid takes from the learned one as PyTorch’s bicubic interpolation does', () => {
  assert.deepEqual(nearest(0, 3, 3), { at: 0, taken: [{ place: 0, weight: 0 }, { place: 0, weight: 1 }, { place: 1, weight: 0 }, { place: 2, weight: 0 }] });
  // Halfway between two, by the kernel with a = −0.75.
  const { at, taken } = nearest(2, 8, 4);
  assert.equal(at, 0.75);
  const known = [-0.03515625, 0.26171875, 0.87890625, -0.10546875];
  taken.forEach(({ weight }, i) => assert.ok(Math.abs(weight - known[i]) < 1e-12, `${weight}`));
  const values = Float32Array.from({ length: 30 }, (_, i) => i % 7);
  assert.deepEqual(resized(values, [3, 5], 2, [3, 5]), values);
  assert.deepEqual([...resized(new Float32Array(16).fill(2), [4, 4], 1, [3, 9])].map((value) => Number(value.toFixed(5))), Array(27).fill(2));
});

test('principal components are found of similarities alone', () => {
  // Points on a line and a little beside it: the first component is their order along it, the second the side.
  const points = Array.from({ length: 12 }, (_, i) => [i, i % 2 ? 0.8 : -0.8]);
  const similarity = Float32Array.from(points.flatMap((a) => points.map((b) => a[0] * b[0] + a[1] * b[1])));
  const found = components(similarity, 12, 2);
  const first = Array.from({ length: 12 }, (_, i) => found[2 * i]);
  const rising = first[11] > first[0] ? first : first.map((value) => 1 - value);
  points.forEach((_, i) => assert.ok(Math.abs(rising[i] - i / 11) < 0.05, `${rising}`));
  assert.equal(new Set(points.map((_, i) => Math.round(found[2 * i + 1]))).size, 2);
});

test('angles are read from turned keys in either layout, and a score depends on distance alone', () => {
  const grid = /** @type {[number, number]} */ ([4, 5]);
  const d = 8;
  const { angles } = anglesFor(d, grid);
  for (const pairs of [[[0, 1], [2, 3], [4, 5], [6, 7]], [[0, 4], [1, 5], [2, 6], [3, 7]]]) {
    const unturned = Float32Array.from({ length: 21 * d }, (_, i) => Math.sin(3 * i + 1));
    const turned = unturned.slice();
    for (let patch = 0; patch < 20; patch++) {
      pairs.forEach(([a, b], m) => {
        const [at, angle] = [(patch + 1) * d, angles[patch * 4 + m]];
        turned[at + a] = unturned[at + a] * Math.cos(angle) - unturned[at + b] * Math.sin(angle);
        turned[at + b] = unturned[at + b] * Math.cos(angle) + unturned[at + a] * Math.sin(angle);
      });
    }
    const found = anglesOf(unturned, turned, 1, grid);
    assert.deepEqual(found.pairs, pairs);
    assert.deepEqual(found.named, ['row', 'row', 'column', 'column']);
    found.angles.forEach((angle, i) => assert.ok(Math.abs(Math.cos(angle - angles[i]) - 1) < 1e-6));
    const score = scorer(found, unturned.subarray(d, 2 * d), unturned.subarray(2 * d, 3 * d));
    assert.ok(Math.abs(score(0, 7) - score(12, 19)) < 1e-5);
    assert.ok(Math.abs(score(0, 7) - score(0, 8)) > 1e-3);
  }
});

test('a shuffled photo: the answers are the package’s, and patches are swapped by keys and by pointer', async () => {
  const { page, told, read, errors, close } = await openLesson(TINY);
  const order = shuffled(256, 256, 1);
  assert.ok(order.every((patch, place) => patch !== place));
  assert.deepEqual([...order].sort((a, b) => a - b), order.map((_, i) => i));
  const answers = await says(TINY, async (vit, photo, order) => {
    const asked = [{ without: { positions: true } }, { without: { positions: true }, order }, {}, { order }];
    const all = await Promise.all(asked.map((options) => vit.classify(photo, options)));
    return all.map(({ top: [{ label, score }] }) => ({ label, score }));
  }, order);
  const said = (/** @type {{label: string, score: number}} */ { label, score }) => `${label.split(',')[0]}, ${shown(score)}`;
  await read('positions', 0);
  const without = await told('positions', /^256 of 256 .* Without positions: (.*) for the photo, (.*) for the shuffled one/);
  assert.deepEqual(without.slice(1, 3), answers.slice(0, 2).map(said));
  await read('positions', 2);
  const with_ = await told('positions', /^256 of 256 .* With positions: (.*) for the photo, (.*) for the shuffled one/);
  assert.deepEqual(with_.slice(1, 3), answers.slice(2).map(said));
  await page.locator('#positions .shuffle input[type=range]').fill('0');
  await told('positions', /^0 of 256 /);
  const canvas = page.locator('#positions .side canvas').nth(1);
  await canvas.focus();
  for (const key of ['ArrowRight', 'Enter', 'ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
  await told('positions', /^2 of 256 /);
  const box = await canvas.boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 5, box.y + 5);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 5, box.y + 5);
  await page.mouse.up();
  await told('positions', /^4 of 256 /);
  await page.getByRole('button', { name: 'Shuffle again' }).click();
  await told('positions', /^0 of 256 /);
  assert.deepEqual(errors, []);
  await close();
});

test('position vectors: the numbers of a place are the package’s, and a place is chosen by pointer and keys', async () => {
  const { page, told, read, errors, close } = await openLesson(TINY);
  const row = await says(TINY, async (vit) => Array.from((await vit.positionSimilarity()).data.slice(17 * 256, 18 * 256)), undefined);
  await read('positions', 1);
  await told('positions', /^The place in row 8, column 8/);
  const mosaic = page.locator('#positions .mosaic');
  await mosaic.click({ position: { x: 2, y: 2 } });
  await told('positions', /^The place in row 0, column 0/);
  await mosaic.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  const [, near] = await told('positions', /^The place in row 1, column 1: .* similarity of (\S+) to those right beside it/);
  const [up, left, right, down] = [1, 16, 18, 33].map((i) => row[i]);
  assert.equal(near, ((up + left + right + down) / 4).toFixed(2));
  await read('positions', 3);
  const [, share] = await told('positions', /^Row 8, column 11 of 24 × 24 .* gives (\d+) % of its vector/);
  const most = (/** @type {number} */ place) => Math.max(...nearest(place, 24, 16).taken.map(({ weight }) => weight));
  assert.equal(share, (100 * most(8) * most(11)).toFixed(0));
  await page.locator('#positions .resize-grid input').fill('200');
  await told('positions', /of 32 × 32/);
  assert.deepEqual(errors, []);
  await close();
});

test('models that tell distances: rotary angles and relative bias are the model’s own', async () => {
  const rotary = await openLesson('/tests/fixtures/timm_dinov3/');
  await rotary.read('positions', 4);
  const [, apart] = await rotary.told('positions', /^One query and one key of layer 0, head 0.* differ by (\S+) at most/);
  assert.ok(Number(apart.replace('−', '-')) < 1e-5);
  assert.deepEqual(rotary.errors, []);
  await rotary.close();

  const relative = await openLesson('/tests/fixtures/hf_beit/');
  const [low, high] = await says('/tests/fixtures/hf_beit/', async (vit, photo) => {
    const trace = await vit.trace(photo);
    const { bias } = await trace.query({ layer: 0, head: 0, query: [2, 2] });
    const patches = bias.slice(trace.prefixTokens);
    return [Math.min(...patches), Math.max(...patches)];
  }, undefined);
  await relative.read('positions', 1);
  const between = await relative.told('positions', /^Layer 0, head 0: .* between (\S+) and (\S+),/);
  assert.deepEqual(between.slice(1).map((text) => text.replace('−', '-')), [low.toFixed(2), high.toFixed(2)]);
  assert.deepEqual(relative.errors, []);
  await relative.close();
});

test('what came after: each step has its drawing, with the numbers of the package; the way on takes along what is shown', async () => {
  const { page, told, read, errors, close } = await openLesson(TINY);
  const said = await says(TINY, async (vit, photo) => {
    const trace = await vit.trace(photo);
    const { data } = trace.headMap({ layer: 5, head: 2, mass: 0.6 });
    const lengths = Array.from({ length: 256 }, (_, i) => Math.hypot(...trace.hiddenStates.subarray((6 * 257 + 1 + i) * 192, (6 * 257 + 2 + i) * 192)));
    return { lit: data.filter((/** @type {number} */ value) => value > 0).length, longest: Math.max(...lengths), middle: lengths.sort((a, b) => a - b)[128] };
  }, undefined);
  await read('after', 0);
  await told('after', /The loaded model has none/);
  await read('after', 1);
  await told('after', /A head needs 153,664 scores in place of 9,834,496; after both blocks 196 of 3,136/);
  await read('after', 2);
  const heads = await told('after', /Head (\d) spends that on (\d+) of 256 patches, head (\d) on (\d+)/);
  assert.ok(Number(heads[2]) <= said.lit && said.lit <= Number(heads[4]));
  const drawing = page.locator('#after .cells canvas');
  await drawing.focus();
  await page.keyboard.press('ArrowLeft');
  await page.locator('#after .cells .query:not([hidden])').waitFor();
  await read('after', 4);
  const [, times] = await told('after', /the longest is (\S+) times that/);
  assert.equal(times, (said.longest / said.middle).toFixed(1));
  await read('after', 5);
  await page.locator('#after .divisor dd').first().waitFor();
  const row = await told('after', /^Layer (\d+), head (\d+), what the class token looks at\. Divided by d_k: entropy (\S+) nats, largest weight (.*?); by √d_k: (\S+) nats, (.*?)\. Even attention would be 5\.55/);
  const expected = await says(TINY, async (vit, photo, [layer, head]) => {
    const { scores } = await (await vit.trace(photo)).query({ layer, head, query: 'cls' });
    return [32, Math.sqrt(32)].map((divisor) => {
      const powers = Array.from(scores, (score) => Math.exp((score * Math.sqrt(32)) / divisor));
      const sum = powers.reduce((a, b) => a + b);
      const row = powers.map((power) => power / sum);
      return [-row.reduce((sum, weight) => sum + weight * Math.log(weight), 0), Math.max(...row)];
    });
  }, [Number(row[1]), Number(row[2])]);
  assert.deepEqual(row.slice(3), expected.flatMap(([spread, largest]) => [spread.toFixed(2), shown(largest)]));
  await read('after', 6);
  await page.locator('#after .step a[href="../"]').click();
  await page.waitForURL(/\/www\/\?model=\/models\/vitscope-tiny\/.*sample=chelsea/);
  assert.deepEqual(errors, []);
  await close();
});
