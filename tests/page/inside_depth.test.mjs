/** The lesson's chapters on what happens in a block and from one layer to the next: they say what the package says, follow the text, and answer to keys and pointer. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { scoreFormat } from '../../www/explorer/scores.js';
import { number } from '../../www/explorer/words.js';
import { activationOf, erf, gelu } from '../../www/inside/figures/activation.js';
import { angle } from '../../www/inside/figures/block.js';
import { strengthsOf } from '../../www/inside/figures/units.js';
import { openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @typedef {{before: number[], hidden: number[]}} Units */

/** @type {import('playwright-core').Browser} */
let browser;
/** A page with the package alone. @type {Page} */
let api;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
  api = (await openApi(browser, origin)).page;
});

const TINY = '/models/vitscope-tiny/';
const NO_CLASS_TOKEN = '/tests/fixtures/hf_siglip/';

/** @param {string} model @param {'reduce' | 'no-preference'} [reducedMotion] */
async function openLesson(model, reducedMotion = 'reduce') {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 800 }, reducedMotion });
  await tab.page.goto(`${origin}/www/inside/?model=${model}#sample=chelsea`);
  return tab;
}

/** Reads on to a step. @param {Page} page @param {string} id @param {number} step */
async function read(page, id, step) {
  const section = page.locator(`#${id}`);
  await section.locator('.step').nth(step).evaluate((element) => element.scrollIntoView({ block: 'center' }));
  if (step) await section.locator('.step').nth(step).and(page.locator('.read')).waitFor();
  return section;
}

/** Waits until a caption says this. @param {Page} page @param {string} id @param {...string} parts */
const says = (page, id, ...parts) => page.waitForFunction(([id, ...parts]) => {
  const caption = document.querySelector('#lesson')?.shadowRoot?.querySelector(`#${id} figcaption`)?.textContent ?? '';
  return parts.every((part) => caption.includes(part));
}, [id, ...parts], { timeout: 20_000 }).catch(async (error) => assert.fail(`${parts.join(' | ')} not in: ${await page.locator(`#${id} figcaption`).innerText()} (${error.message})`));

/** The patch that a caption speaks of. @param {Page} page @param {string} id @returns {Promise<number[] | undefined>} */
const patchOf = async (page, id) => /patch \((\d+), (\d+)\)/.exec(await page.locator(`#${id} figcaption`).innerText())?.slice(1).map(Number);

/** What the package says of the photo. @param {string} model @param {(trace: any, patch: any, vit: any) => unknown} body run in the page @param {number[]} [patch] @returns {Promise<any>} */
const ask = (model, body, patch) => api.evaluate(async ([model, body, patch]) => {
  const vit = await vitscope.Vitscope.load(model);
  const trace = await vit.trace(await (await fetch('/www/samples/chelsea.jpg')).blob());
  const result = await new Function('trace', 'patch', 'vit', `return (${body})(trace, patch, vit)`)(trace, patch, vit);
  vit.close();
  return result;
}, /** @type {const} */ ([model, String(body), patch]));

const lengths = async (/** @type {import('../../pkg/index.js').Trace} */ trace, /** @type {[number, number] | undefined} */ patch) => {
  const layer = Math.floor(trace.layers / 2);
  const all = await Promise.all(Array.from({ length: trace.layers }, (_, i) => trace.norms({ layer: i })));
  const token = patch ? trace.prefixTokens + patch[0] * trace.grid[1] + patch[1] : trace.prefix.indexOf('class');
  const stream = (/** @type {number} */ depth) => [...trace.hiddenStates.subarray((depth * trace.tokens + token) * trace.hiddenSize, (depth * trace.tokens + token + 1) * trace.hiddenSize)];
  const pick = (/** @type {import('../../pkg/index.js').Norms} */ { stream, attention, between, mlp, norm1 }) => ({ stream: stream[token], attention: attention[token], between: between[token], mlp: mlp[token], norm1: norm1[token] });
  return { layer, all: all.map(pick), streams: Array.from({ length: trace.layers + 1 }, (_, depth) => stream(depth)) };
};
const lengthOf = (/** @type {number[]} */ vector) => Math.hypot(...vector);
const cosine = (/** @type {number[]} */ a, /** @type {number[]} */ b) => a.reduce((sum, value, i) => sum + value * b[i], 0) / (lengthOf(a) * lengthOf(b));

for (const [model, what] of [[TINY, 'a class token'], [NO_CLASS_TOKEN, 'none']]) {
  test(`residual: the block's lengths, a token's numbers and its likeness are the package's (${what})`, async () => {
    const tab = await openLesson(model);
    const { page } = tab;
    const section = await read(page, 'residual', 0);
    await says(page, 'residual', 'attention adds');
    const patch = await patchOf(page, 'residual');
    assert.equal(patch === undefined, model === TINY);
    const name = patch ? `patch (${patch.join(', ')})` : 'the class token';
    const { layer, all, streams } = /** @type {Awaited<ReturnType<typeof lengths>>} */ (await ask(model, lengths, patch));
    await says(page, 'residual', `Layer ${layer}, ${name}`, `: ${number(all[layer].stream)} long`, `attention adds ${number(all[layer].attention)}`, `the MLP ${number(all[layer].mlp)}`, `then ${number(lengthOf(streams[layer + 1]))} long`);
    assert.match(await section.locator('.block svg').textContent() ?? '', new RegExp(`adds ${number(all[layer].attention)} at ${angle(all[layer].stream, all[layer].attention, all[layer].between)}°`));
    await read(page, 'residual', 1);
    const read1 = all.map(({ norm1 }) => norm1);
    await says(page, 'residual', `between ${number(Math.min(...read1))} and ${number(Math.max(...read1))}`);
    assert.equal(await section.locator('.block').isVisible(), false);
    assert.equal(await section.locator('.charted polyline').count(), 4);
    await read(page, 'residual', 2);
    const values = streams[layer];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    await says(page, 'residual', `mean ${number(mean)}, deviation ${number(deviation)}`, `γ and β, ${number(all[layer].norm1)}`);
    assert.equal(await section.locator('[data-fact="ln-deviation"]').innerText(), number(deviation));
    await section.locator('.channels').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.equal(await section.locator('.note').innerText(), `Channel 1: ${number(values[1])} becomes ${number((values[1] - mean) / Math.sqrt(deviation ** 2 + 1e-6))}`);
    await read(page, 'residual', 3);
    const turns = streams.slice(1).map((after, i) => cosine(streams[i], after));
    const most = turns.indexOf(Math.min(...turns));
    await says(page, 'residual', `Layer ${most} turns ${name} most, to a cosine of ${number(turns[most])}`, `is ${number(cosine(streams[0], streams[streams.length - 1]))}.`);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}

test('residual: layers by keys and by the chart, patches on the photo', async () => {
  const tab = await openLesson(TINY);
  const { page } = tab;
  const section = await read(page, 'residual', 0);
  await says(page, 'residual', 'Layer 3, the class token');
  await section.locator('.layer input').focus();
  await page.keyboard.press('ArrowRight');
  await says(page, 'residual', 'Layer 4, the class token');
  const box = await section.locator('.stage .frame').boundingBox();
  assert.ok(box);
  await page.mouse.click(box.x + (2.5 / 16) * box.width, box.y + (5.5 / 16) * box.height);
  await says(page, 'residual', 'Layer 4, patch (5, 2)');
  await section.locator('.stage').focus();
  await page.keyboard.press('ArrowDown');
  await says(page, 'residual', 'Layer 4, patch (6, 2)');
  await page.keyboard.press('Escape');
  await says(page, 'residual', 'Layer 4, the class token');
  await read(page, 'residual', 1);
  await says(page, 'residual', 'The class token goes into layer 0');
  await says(page, 'residual', 'LayerNorm hands attention');
  const chart = await section.locator('.chart').boundingBox();
  assert.ok(chart);
  await page.mouse.move(chart.x + 46, chart.y + 100);
  assert.match(await section.locator('.note').innerText(), /^Layer 0: stream /);
  await page.mouse.click(chart.x + 46, chart.y + 100);
  await section.locator('.chart .current').getByText('0', { exact: true }).waitFor();
  assert.equal(await section.locator('.layer input').inputValue(), '0');
  await page.waitForURL(/layer=0/); // what is chosen is chosen for all figures
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('mlp: units, their curve, the strongest and where they fire are the package\'s', async () => {
  const tab = await openLesson(TINY);
  const { page } = tab;
  const section = await read(page, 'mlp', 3);
  await says(page, 'mlp', ', strong for patch');
  const patch = await patchOf(page, 'mlp');
  /** @type {{layer: number, cls: Units, of: Units & {best: number[], most: number[], above: number[]}}} */
  const { layer, cls, of } = await ask(TINY, async (trace, patch) => {
    const layer = Math.floor(0.7 * trace.layers);
    const units = async (/** @type {any} */ token) => {
      const { before, hidden } = await trace.mlp({ layer, token });
      return { before: [...before], hidden: [...hidden] };
    };
    const of = await units(patch);
    const best = of.hidden.map((_, i) => i).sort((/** @type {number} */ a, /** @type {number} */ b) => Math.abs(of.hidden[b]) - Math.abs(of.hidden[a]));
    const maps = await Promise.all(best.slice(0, 2).map((unit) => trace.unit({ layer, unit })));
    return { layer, cls: await units('cls'), of: { ...of, best, most: maps.map(({ data }) => Math.max(...data)), above: maps.map(({ data }) => data.filter((/** @type {number} */ value) => value > 0).length) } };
  }, patch);
  const { order, near, holding } = strengthsOf(cls.hidden);
  await read(page, 'mlp', 0);
  await says(page, 'mlp', `Layer ${layer}, the class token`, '192 numbers become 768', `the strongest is unit ${order[0]} with ${number(cls.hidden[order[0]])}`);
  await read(page, 'mlp', 1);
  await says(page, 'mlp', `GELU. ${cls.before.filter((value) => value < 0).length} of 768`);
  assert.equal((await section.locator('.dots').getAttribute('d') ?? '').split('M').length - 1, 768);
  await section.locator('.activation').focus();
  await page.keyboard.press('ArrowLeft');
  const rising = cls.before.map((_, i) => i).sort((a, b) => cls.before[a] - cls.before[b]);
  const next = rising[rising.indexOf(order[0]) - 1];
  await section.locator('.activation text').getByText(`unit ${next}`, { exact: true }).waitFor();
  await read(page, 'mlp', 2);
  await says(page, 'mlp', `${near} of 768 units`, `${holding} hold nine tenths`);
  assert.equal(await section.locator('[data-fact=near]').innerText(), String(near));
  await read(page, 'mlp', 3);
  await says(page, 'mlp', `unit ${of.best[0]}, strong for patch (${patch?.join(', ')})`, `above 0 (red) in ${of.above[0]} of 256`, `at most ${number(of.most[0])}`);
  assert.deepEqual(await section.locator('.choices span').allInnerTexts(), of.best.slice(0, 8).map(String));
  await page.waitForFunction(() => {
    const canvases = [...document.querySelector('#lesson')?.shadowRoot?.querySelectorAll('#mlp .choices canvas') ?? []].map((canvas) => /** @type {HTMLCanvasElement} */ (canvas));
    return new Set(canvases.map((canvas) => String(canvas.getContext('2d')?.getImageData(0, 0, 16, 16).data))).size === 8;
  }); // eight pictures, no two alike
  await section.locator('.choices input').first().focus();
  await page.keyboard.press('ArrowRight');
  await says(page, 'mlp', `unit ${of.best[1]}, `, `above 0 (red) in ${of.above[1]} of 256`, `at most ${number(of.most[1])}`);
  await read(page, 'mlp', 4);
  await says(page, 'mlp', `${(4 * 192 * 192).toLocaleString('en')} weights in attention, ${(2 * 192 * 768).toLocaleString('en')} in the MLP`, '66.7 %');
  await section.locator('.matrix').last().focus();
  assert.equal(await section.locator('.note').innerText(), `Last layer of the MLP, 768 × 192: ${(768 * 192).toLocaleString('en')} weights`);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('mlp: the activation is known by what it does', () => {
  // NIST's table of the error function.
  for (const [x, y] of [[0, 0], [0.5, 0.5204998778], [1, 0.8427007929], [2, 0.9953222650]]) assert.ok(Math.abs(erf(x) - y) < 2e-7 && Math.abs(erf(-x) + y) < 2e-7, `erf(${x})`);
  const before = Float32Array.from({ length: 81 }, (_, i) => (i - 40) / 10);
  const called = (/** @type {(x: number) => number} */ f, /** @type {import('../../pkg/index.js').Floats | null} */ gate = null) => activationOf({ before, gate, hidden: before.map((x, i) => (gate ? f(gate[i]) * x : f(x))) })?.name;
  assert.equal(called(gelu), 'GELU');
  assert.match(called((x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) ?? '', /tanh/);
  assert.match(called((x) => x / (1 + Math.exp(-1.702 * x))) ?? '', /^QuickGELU/);
  assert.match(called((x) => x / (1 + Math.exp(-x)), before.map((_, i) => before[(7 * i) % before.length])) ?? '', /^SiLU/);
  assert.equal(called((x) => Math.max(0, x)), 'ReLU');
  assert.equal(called((x) => Math.tanh(x)), undefined);
});

test('layers: features, distances and the lens are the package\'s, and follow step, keys and pointer', async () => {
  const tab = await openLesson(TINY);
  const { page } = tab;
  /** @type {{lens: {index: number, score: number}[], labels: string[], distances: number[]}} */
  const { lens, labels, distances } = await ask(TINY, async (trace, _, vit) => {
    const { rows, cols, data } = await trace.logitLens();
    const best = Array.from({ length: rows }, (_, row) => {
      const logits = [...data.subarray(row * cols, (row + 1) * cols)];
      const powers = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
      const index = logits.indexOf(Math.max(...logits));
      return { index, score: powers[index] / powers.reduce((a, b) => a + b, 0) };
    });
    const far = trace.attentionDistance();
    const distances = Array.from({ length: far.rows }, (_, layer) => [...far.data.subarray(layer * far.cols, (layer + 1) * far.cols)].reduce((a, b) => a + b, 0) / far.cols);
    return { lens: best, labels: vit.config.labels, distances };
  });
  const say = scoreFormat('softmax');
  const section = await read(page, 'layers', 0);
  await says(page, 'layers', 'After layer 0 of 0 to 5');
  await read(page, 'layers', 1);
  await says(page, 'layers', 'After layer 5 of 0 to 5');
  await section.locator('.choices input').last().focus();
  await page.keyboard.press('ArrowLeft');
  await says(page, 'layers', 'After layer 4 of 0 to 5');
  const painted = await section.locator('.choices canvas').evaluateAll((canvases) => new Set(canvases.map((canvas) => String(/** @type {HTMLCanvasElement} */ (canvas).getContext('2d')?.getImageData(0, 0, 16, 16).data))).size);
  assert.equal(painted, 6, 'six pictures, no two alike');
  await read(page, 'layers', 2);
  await says(page, 'layers', `${number(distances[0])} in layer 0 and ${number(distances[5])} in the last`);
  assert.equal(await section.locator('.chart:visible .dot').count(), 36);
  await read(page, 'layers', 3);
  const names = lens.map(({ index, score }) => [labels[index], say(score)]);
  await says(page, 'layers', `After layer 5 the head would say ${names[6].join(', ')}`);
  const rows = await section.locator('tbody tr').evaluateAll((rows) => rows.map((row) => [...row.children].slice(1).map((cell) => cell.textContent)));
  assert.deepEqual(rows, names);
  const chart = await section.locator('.lens .chart').boundingBox();
  assert.ok(chart);
  await page.mouse.click(chart.x + 44 + (2 / 6) * (chart.width - 62), chart.y + chart.height - 60);
  await says(page, 'layers', `After layer 1 the head would say ${names[2].join(', ')}`);
  assert.equal(await section.locator('tr[aria-current] th').innerText(), '1');
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('layers: all pass by themselves until they are stopped, where movement is welcome', async () => {
  const { page, errors, close } = await openLesson(TINY, 'no-preference');
  const section = await read(page, 'layers', 1);
  await says(page, 'layers', 'After layer 5 of 0 to 5');
  await section.getByRole('button', { name: 'Play' }).click();
  await says(page, 'layers', 'After layer 0 of 0 to 5');
  await says(page, 'layers', 'After layer 1 of 0 to 5');
  await section.getByRole('button', { name: 'Stop' }).click();
  const shown = /After layer \d/.exec(await section.locator('figcaption').innerText())?.[0] ?? '';
  await page.waitForTimeout(700);
  assert.match(await section.locator('figcaption').innerText(), new RegExp(shown));
  assert.notEqual(shown, 'After layer 5');
  await section.getByRole('button', { name: 'Play' }).waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test('a model without classes has no lens, one that is gated says so', async () => {
  const headless = await openLesson('/tests/fixtures/hf_dinov3_gated/');
  const section = await read(headless.page, 'layers', 3);
  await says(headless.page, 'layers', 'This model has no classes');
  assert.equal(await section.locator('.lens').isVisible(), false);
  assert.equal(await section.locator('.choices canvas').count(), 2);
  const mlp = await read(headless.page, 'mlp', 1);
  await says(headless.page, 'mlp', 'its gate and what that lets through SiLU');
  assert.match(await mlp.locator('[data-fact=gated]').innerText(), /gate/);
  assert.equal(await mlp.locator('[data-fact=times]').textContent(), '3');
  assert.deepEqual(headless.errors, []);
  await headless.close();
});
