/** The lesson's chapters on attention and heads: what they draw and say is what the package answers, and they do what pointer and keys ask. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { percent } from '../../www/explorer/dom.js';
import { number } from '../../www/explorer/words.js';
import { openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** @param {string} model @param {string} sample */
async function openLesson(model, sample) {
  const tab = await openTab(browser, { reducedMotion: 'reduce', viewport: { width: 1280, height: 800 } });
  await tab.page.goto(`${origin}/www/inside/?model=${model}#sample=${sample}`);
  await tab.page.waitForFunction(() => /%/.test(document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-dock=answer]')?.textContent ?? ''));
  return tab;
}

/** Reads a step, and waits for what the caption then says. @param {Page} page @param {string} chapter @param {number} step @param {RegExp} words */
async function read(page, chapter, step, words) {
  await page.evaluate(([chapter, step]) => {
    const place = document.querySelector('#lesson')?.shadowRoot?.querySelectorAll(`#${chapter} .step`)[Number(step)].getBoundingClientRect();
    scrollBy(0, (place?.top ?? 0) - innerHeight * 0.45);
  }, [chapter, step]);
  return caption(page, chapter, words);
}

/** @param {Page} page @param {string} chapter @param {RegExp} words */
async function caption(page, chapter, words) {
  const place = page.locator(`#${chapter} figcaption`).filter({ hasText: words });
  await place.waitFor();
  return /** @type {RegExpExecArray} */ (words.exec(await place.innerText()));
}

/** What is asked inside a page with the package alone, of the same photo and model. @template T @param {string} model @param {string} sample @param {(given: {vit: any, trace: any, image: Blob, args: any}) => Promise<T>} ask @param {any} args @returns {Promise<T>} */
async function askPackage(model, sample, ask, args) {
  const { page, close } = await openApi(browser, origin);
  const answer = await page.evaluate(async ([model, sample, ask, args]) => {
    const { Vitscope } = await import(/** @type {any} */ ('/pkg/dist/index.js'));
    const vit = await Vitscope.load(model);
    const image = await (await fetch(`/www/samples/${sample}.jpg`)).blob();
    return (0, eval)(`(${ask})`)({ vit, image, trace: await vit.trace(image), args });
  }, [model, sample, String(ask), args]);
  await close();
  return answer;
}

/** @param {number[]} scores @param {number} temperature */
function softmax(scores, temperature) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp((score - most) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

const TINY = '/models/vitscope-tiny/';
const GAP = '/tests/fixtures/timm_gap/';

for (const [model, name, hasClass] of /** @type {const} */ ([[TINY, 'with a class token', true], [GAP, 'without', false]])) {
  test(`one query: its scores, their shares and the temperature are the model's (${name})`, async () => {
    const { page, errors, close } = await openLesson(model, 'chelsea');
    await read(page, 'attention', 0, /become a query/);
    const said = await read(page, 'attention', 1, /Patch \((\d+), (\d+)\) asks, (.*?) answers in head (\d+) of layer (\d+): score (\S+), the highest of (\d+)/);
    const [row, col, head, layer] = [said[1], said[2], said[4], said[5]].map(Number);
    const inside = await askPackage(model, 'chelsea', async ({ trace, args }) => {
      const { q, k, scores, attention, token } = await trace.query(args);
      return { q: [...q], k: [...k], scores: [...scores], attention: [...attention], token, prefix: trace.prefixTokens, cols: trace.grid[1] };
    }, { layer, head, query: [row, col] });
    const { q, k, attention, token, prefix, cols } = inside;
    const others = attention.map((share, i) => (i === token ? -1 : share));
    const key = others.indexOf(Math.max(...others));
    assert.equal(said[3], `patch (${Math.floor((key - prefix) / cols)}, ${(key - prefix) % cols})`);
    const score = q.reduce((sum, value, i) => sum + value * k[key * q.length + i], 0) / Math.sqrt(q.length);
    assert.equal(said[6], number(score));
    assert.equal(Number(said[7]), attention.length);
    assert.equal(await page.locator('#attention .dot .sum .s').last().textContent(), number(score));
    assert.equal(await page.locator('#attention .aside').isVisible(), hasClass);

    // Another key, by the pointer and then by the keys; who asks stays.
    const frame = /** @type {{x: number, y: number, width: number, height: number}} */ (await page.locator('#attention .frame').boundingBox());
    const scoreOf = (/** @type {number} */ patch) => number(inside.scores[prefix + patch]);
    await page.mouse.move(frame.x + frame.width * (0.5 / cols), frame.y + 2);
    await page.locator('#attention .dot .sum .s').last().filter({ hasText: scoreOf(0) }).waitFor();
    await page.mouse.click(frame.x + frame.width * (0.5 / cols), frame.y + 2);
    await page.mouse.move(2, 400);
    await caption(page, 'attention', /asks, patch \(0, 0\) answers/);
    await page.locator('#attention .stage').press('ArrowRight');
    assert.equal((await caption(page, 'attention', /asks, patch \(0, 1\) answers .* score (\S+), (?:number|the)/))[1], scoreOf(1));

    // Shares, as they are and at another temperature.
    const shares = await read(page, 'attention', 2, /gets most: (\S+ %)\.(?: The class token gets (\S+ %)\.)?/);
    assert.equal(shares[1], percent(Math.max(...attention)));
    assert.equal(shares[2], hasClass ? percent(attention[0]) : undefined);
    const slider = page.locator('#attention').getByLabel('Temperature');
    for (let i = 0; i < 8; i++) await slider.press('ArrowLeft');
    const cold = await caption(page, 'attention', /gets most: (\S+ %).* At temperature 0\.25, which is not the model’s own/);
    assert.equal(cold[1], percent(Math.max(...softmax(inside.scores, 0.25))));

    const mixed = await read(page, 'attention', 3, /the (\d+) strongest values, the other (\d+),/);
    assert.equal(Number(mixed[1]) + Number(mixed[2]), attention.length);
    const tails = await page.locator('#attention .mix .strip-row:visible .tail').allInnerTexts();
    assert.deepEqual(tails.slice(0, Number(mixed[1])), [...attention].sort((a, b) => b - a).slice(0, Number(mixed[1])).map(percent));
    assert.deepEqual(errors, []);
    await close();
  });
}

test('heads are left out as the package leaves them out, one by one and a layer at once', async () => {
  const { page, errors, close } = await openLesson(TINY, 'chelsea');
  await read(page, 'heads', 0, /asked by patch/);
  const far = await read(page, 'heads', 1, /In layer (\d+) head (\d+) looks (\S+) pixels far on average, head (\d+) (\S+);/);
  const one = await read(page, 'heads', 3, /Without head (\d+) of layer (\d+): (.*) (\S+ %), was (\S+ %)\. Of its 6 heads this one moves it most/);
  const [head, layer] = [Number(one[1]), Number(one[2])];
  const { scores, before, distance, top, layers } = await askPackage(TINY, 'chelsea', async ({ vit, trace, image, args }) => {
    const { index } = trace.top[0];
    const scoreOf = async (/** @type {[number, number][]} */ heads) => (await vit.classify(image, { topK: vit.config.numClasses, without: { heads } })).top.find((/** @type {any} */ entry) => entry.index === index).score;
    const numbers = [...Array(trace.heads).keys()];
    const [scores, layers] = /** @type {[number[], number[]]} */ ([[], []]);
    for (const head of numbers) scores.push(await scoreOf([[args, head]]));
    for (let layer = 0; layer < trace.layers; layer++) layers.push(await scoreOf(numbers.map((head) => [layer, head])));
    const { cols, data } = trace.attentionDistance();
    return { scores, layers, before: trace.top[0].score, top: trace.top[0].label, distance: [...data.slice(args * cols, (args + 1) * cols)] };
  }, layer);
  assert.deepEqual([Number(far[1]), far[3], far[5]], [layer, number(Math.min(...distance)), number(Math.max(...distance))]);
  assert.deepEqual([distance[Number(far[2])], distance[Number(far[4])]], [Math.min(...distance), Math.max(...distance)]);
  const moves = scores.map((score) => Math.abs(score - before));
  assert.equal(head, moves.indexOf(Math.max(...moves)));
  assert.deepEqual(one.slice(3, 6), [top, percent(scores[head]), percent(before)]);
  assert.deepEqual(await page.locator('#heads .tile .text').allInnerTexts(), scores.map(percent));

  // A press, and another by a key: on again, and a different one off.
  const tile = (/** @type {number} */ i) => page.locator('#heads .tile').nth(i);
  await tile(head).click();
  await caption(page, 'heads', /All heads are on/);
  const other = (head + 1) % 6;
  await tile(other).press('Enter');
  assert.equal((await caption(page, 'heads', new RegExp(`Without head ${other} of layer ${layer}: .* (\\S+ %), was`)))[1], percent(scores[other]));
  assert.equal(await tile(other).getAttribute('aria-pressed'), 'true');

  // The layer that counts most, and then another.
  const all = await read(page, 'heads', 4, /Without any head of layer (\d+): .* (\S+ %), was \S+ %\. Of all layers this one moves it most/);
  const strongest = layers.map((score) => Math.abs(score - before));
  const most = strongest.indexOf(Math.max(...strongest));
  assert.deepEqual(all.slice(1, 3), [String(most), percent(layers[most])]);
  const next = most ? most - 1 : 1;
  await page.locator('#heads').getByRole('slider').press(most ? 'ArrowLeft' : 'ArrowRight');
  assert.equal((await caption(page, 'heads', new RegExp(`Without any head of layer ${next}: .* (\\S+ %), was \\S+ %\\. Of all layers ${most} moves`)))[1], percent(layers[next]));
  assert.deepEqual(errors, []);
  await close();
});
