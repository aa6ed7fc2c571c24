/** The lesson's first chapters: what comparing costs, how a patch becomes a vector, which tokens there are. Their numbers are those of the package, and pointer and keys change them. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

const TINY = '/models/vitscope-tiny/';
const WITHOUT = '/tests/fixtures/timm_gap/'; // a class token
const REGISTERS = '/tests/fixtures/hf_dinov3/';

/** @type {Map<string, ReturnType<typeof ask>>} */
const answers = new Map();

/** What the package says of a model and the photo. @param {string} model */
async function ask(model) {
  const { page, close } = await openApi(browser, origin);
  const known = await page.evaluate(async (model) => {
    const { Vitscope } = /** @type {typeof import('../../pkg/index.js')} */ (await import(/** @type {string} */ ('/pkg/dist/index.js')));
    const image = await (await fetch('/www/samples/chelsea.jpg')).blob();
    const vit = await Vitscope.load(model);
    const { tokens, prefixTokens, prefix, grid, hiddenSize, heads, layers, patchSize, hiddenStates } = await vit.trace(image);
    const embeddings = [];
    for (let patch = 0; patch < grid[0] * grid[1]; patch++) embeddings.push(await vit.patchEmbedding(image, { patch: [Math.floor(patch / grid[1]), patch % grid[1]] }));
    vit.close();
    return {
      tokens, prefixTokens, prefix, grid, hiddenSize, heads, layers, patchSize, start: Array.from(hiddenStates.slice(0, hiddenSize)),
      pixels: Array.from(embeddings[0].pixels), projected: embeddings.map(({ projected }) => Array.from(projected)),
    };
  }, model);
  await close();
  return known;
}

/** The lesson with a model and a photo, and what the package says of both. @param {string} model @param {import('playwright-core').BrowserContextOptions} [options] */
async function openLesson(model, options) {
  if (!answers.has(model)) answers.set(model, ask(model));
  const known = await /** @type {ReturnType<typeof ask>} */ (answers.get(model));
  const tab = await openTab(browser, { reducedMotion: 'reduce', viewport: { width: 1280, height: 800 }, ...options });
  await tab.page.goto(`${origin}/www/inside/?model=${model}#sample=chelsea`);
  await tab.page.waitForFunction(() => /\d/.test(document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-fact=patches]')?.textContent ?? ''));
  return { ...tab, known };
}

/** Reads a step, and gives its figure's caption once it says this. @param {Page} page @param {string} id @param {number} step @param {RegExp} caption */
async function read(page, id, step, caption) {
  const section = page.locator(`#${id}`);
  await section.locator('.step').nth(step).evaluate((element) => element.scrollIntoView({ block: 'center' }));
  await section.locator('figcaption', { hasText: caption }).waitFor();
  return section.locator('figcaption').innerText();
}

/** A number as the page writes it. @param {string} text */
const parsed = (text) => Number(text.replace('−', '-').replaceAll(',', ''));

test('what pixels and patches cost is counted by each step, and by the slider', async () => {
  const { page, errors, close, known } = await openLesson(TINY);
  const patches = known.grid[0] * known.grid[1];
  const numbers = () => page.locator('#cost dd').allInnerTexts();
  await read(page, 'cost', 0, /100 × 100 = 10,000/);
  assert.deepEqual((await numbers()).slice(0, 3), ['10,000', '100,000,000', '400 MB']);
  await read(page, 'cost', 1, /25 × 25 = 625/);
  assert.deepEqual((await numbers()).slice(0, 2), ['625', '390,625']);
  await read(page, 'cost', 2, new RegExp(`${known.patchSize[1]} × ${known.patchSize[0]} pixels: ${known.grid[1]} × ${known.grid[0]} = ${patches}`));
  const [tokens, scores, , all] = await numbers();
  assert.deepEqual([tokens, scores], [String(patches), (patches ** 2).toLocaleString('en')]);
  assert.equal(all, `${((4 * patches ** 2 * known.heads * known.layers) / 1e6).toPrecision(3)} MB`);
  // The token that asks is the chosen patch, for all figures.
  await page.locator('#cost .plane canvas').first().press('ArrowRight');
  await page.waitForFunction(() => /patch=\d/.test(location.hash));
  const before = Number(/patch=(\d+)/.exec(page.url())?.[1]);
  await page.locator('#cost .plane canvas').first().press('ArrowUp');
  await page.waitForFunction((patch) => location.hash.includes(`patch=${patch}`), before < known.grid[1] ? before : before - known.grid[1]);
  const slider = page.locator('#cost input[type=range]');
  assert.equal(await slider.getAttribute('aria-valuetext'), `${known.patchSize[1]} × ${known.patchSize[0]} pixels`);
  await slider.press('Home');
  await page.locator('#cost figcaption', { hasText: `= ${(patches * known.patchSize[0] * known.patchSize[1]).toLocaleString('en')}.` }).waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test('a patch is chosen by pointer and keys; its sum of products and its vector are the package’s', async () => {
  const { page, errors, close, known } = await openLesson(TINY);
  const [rows, cols] = known.grid;
  await read(page, 'patches', 0, new RegExp(`${rows * cols} patches; the one in row`));
  const frame = await page.locator('#patches .frame').boundingBox();
  assert.ok(frame);
  await page.mouse.click(frame.x + (2.5 * frame.width) / cols, frame.y + (1.5 * frame.height) / rows);
  await page.locator('#patches figcaption', { hasText: 'the one in row 1, column 2 has' }).waitFor();
  for (const key of ['ArrowUp', 'ArrowLeft', 'ArrowLeft']) await page.locator('#patches .stage').press(key);
  await page.locator('#patches figcaption', { hasText: 'the one in row 0, column 0 has' }).waitFor();

  await read(page, 'patches', 1, /all 48 numbers/);
  const flat = page.locator('#patches canvas[aria-label^="x:"]');
  await flat.press('ArrowRight');
  await flat.press('ArrowRight');
  assert.ok(Math.abs(parsed(await page.locator('#patches .value').first().innerText().then((text) => text.split('= ')[1])) - known.pixels[1]) < 0.01);

  await read(page, 'patches', 2, /times filter \d+/);
  const note = await page.locator('#patches .note').innerText();
  const [red, green, blue, together, bias] = [...note.matchAll(/(?:red|green|blue|together|bias) (−?\d+\.\d+)/g)].map(([, value]) => parsed(value));
  const [, output, value] = /** @type {RegExpExecArray} */ (/z\[(\d+)\] = (−?\d+\.\d+)/.exec(note));
  assert.ok(Math.abs(red + green + blue - together) < 0.003 && Math.abs(together + bias - parsed(value)) < 0.003, note);
  assert.ok(Math.abs(parsed(value) - known.projected[0][Number(output)]) < 0.001, note);
  // The bias belongs to the output: for another patch it is the same.
  await page.locator('#patches .stage').press('ArrowDown');
  await page.locator('#patches .note', { hasNotText: `z[${output}] = ${value}` }).waitFor();
  const below = await page.locator('#patches .note').innerText();
  assert.ok(Math.abs(parsed(/** @type {RegExpExecArray} */ (/bias (−?\d+\.\d+)/.exec(below))[1]) - bias) < 0.0015, below);

  await page.locator('#patches .plane canvas').press('ArrowRight');
  await page.locator('#patches .note', { hasText: /^row 0, column 0, red: / }).waitFor();

  await read(page, 'patches', 3, /All 192 filters/);
  await page.locator('#patches .plane canvas').press('ArrowRight');
  await page.locator('#patches figcaption', { hasNotText: `filter ${output},` }).waitFor();
  await page.locator('#patches input[type=range]').press('Home');
  await page.locator('#patches figcaption', { hasText: 'filter 0,' }).waitFor();
  assert.ok(Math.abs(parsed((await page.locator('#patches .note').innerText()).split(/= | for/)[1]) - known.projected[cols][0]) < 0.01);

  await read(page, 'patches', 4, new RegExp(`stops ${rows * cols} times`));
  await page.locator(`#patches canvas[aria-label*="${rows * cols} of ${rows * cols}"]`).waitFor();
  const shades = await page.locator('#patches .plane canvas').evaluate((element, [rows, cols]) => {
    const canvas = /** @type {HTMLCanvasElement} */ (element);
    const side = Math.min(canvas.width, canvas.height - 20);
    const [left, top] = [(canvas.width - side) / 2, 20 + (canvas.height - 20 - side) / 2];
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    return Array.from({ length: rows * cols }, (_, patch) => context.getImageData(left + (((patch % cols) + 0.5) * side) / cols, top + ((Math.floor(patch / cols) + 0.5) * side) / rows, 1, 1).data[0]);
  }, known.grid);
  const outputs = known.projected.map((vector) => vector[0]);
  const [low, high] = [Math.min(...outputs), Math.max(...outputs)];
  outputs.forEach((value, patch) => assert.ok(Math.abs(shades[patch] - (255 * (value - low)) / (high - low)) < 3, `patch ${patch}: ${shades[patch]}`));
  assert.deepEqual(errors, []);
  await close();
});

test('where things move, the window goes over the photo patch by patch', async () => {
  const { page, errors, close, known } = await openLesson(TINY, { reducedMotion: 'no-preference' });
  await read(page, 'patches', 4, /The window stops/);
  const seen = await page.evaluate(() => new Promise((resolve) => {
    const root = document.querySelector('#lesson')?.shadowRoot;
    const cell = /** @type {HTMLElement} */ (root?.querySelector('#patches .cell.query'));
    const places = new Set();
    const watcher = new MutationObserver(() => {
      places.add(`${cell.style.left} ${cell.style.top}`);
      if (places.size > 20) {
        watcher.disconnect();
        resolve(places.size);
      }
    });
    watcher.observe(cell, { attributes: true });
  }));
  assert.equal(seen, 21);
  assert.ok(known.grid[0] * known.grid[1] > 21);
  assert.deepEqual(errors, []);
  await close();
});

for (const [name, model] of [['with a class token', TINY], ['without', WITHOUT], ['with registers', REGISTERS]]) {
  test(`tokens are counted, and seen by keys, of a model ${name}`, async () => {
    const { page, errors, close, known } = await openLesson(model);
    const { tokens, prefixTokens, hiddenSize, prefix } = known;
    const patches = tokens - prefixTokens;
    await read(page, 'tokens', 0, new RegExp(`^${patches} patches, each a strip of ${hiddenSize}`));
    const caption = await read(page, 'tokens', 1, new RegExp(`${tokens} tokens of ${hiddenSize} numbers`));
    const expected = prefixTokens ? `and ${patches} patches: ${prefixTokens} + ${patches} = ${tokens} tokens` : `${patches} patches and nothing before them: ${tokens} tokens`;
    assert.ok(caption.includes(expected), caption);
    for (const kind of new Set(prefix)) assert.ok(caption.toLowerCase().includes(kind), caption);
    const note = page.locator('#tokens .note');
    const plane = page.locator('#tokens .plane canvas');
    if (prefixTokens) {
      assert.match(await note.innerText(), /^Token 0, class token/);
      await page.locator('#tokens .vector canvas').press('ArrowRight');
      const said = await page.locator('#tokens .value').innerText();
      assert.ok(Math.abs(parsed(said.split('= ')[1]) - known.start[0]) < 0.01, said);
      for (let i = 0; i < prefixTokens; i++) await plane.press('ArrowRight');
      await note.filter({ hasText: `Token ${prefixTokens}, patch in row 0, column 0` }).waitFor();
      await plane.press('ArrowRight');
    } else {
      for (let i = 0; i < patches; i++) await plane.press('ArrowLeft');
      await plane.press('ArrowRight');
    }
    await note.filter({ hasText: `Token ${prefixTokens + 1}, patch in row 0, column 1` }).waitFor();
    const other = await read(page, 'tokens', 2, /grey all over/);
    if (prefixTokens) assert.match(other, /(The class token differs|The first \d+ differ) by nothing/);
    assert.match(other, /of patches by 0\.\d*[1-9]/);
    const shape = await page.locator('#tokens [data-fact=shape]').textContent();
    assert.equal(shape, `[1, ${tokens}, ${hiddenSize}]`);
    assert.deepEqual(errors, []);
    await close();
  });
}

test('the way from the photo to the answer says the model’s numbers and leads to the chapters', async () => {
  const { page, errors, close, known } = await openLesson(TINY);
  await page.locator('.way .name', { hasText: /\d patches/ }).waitFor();
  const names = await page.locator('.way .name').allInnerTexts();
  assert.deepEqual(names.slice(0, 4), ['Photo', `${known.grid[0] * known.grid[1]} patches`, `${known.tokens} tokens`, `${known.layers} layers`]);
  assert.equal(`${names[4]}, ${await page.locator('.way .more').last().innerText()}`, await page.locator('[data-dock=answer]').innerText());
  await page.locator('.way a').nth(2).click();
  await page.waitForFunction(() => location.hash.includes('chapter=tokens'));
  assert.ok(Math.abs(await page.locator('#tokens').evaluate((element) => element.getBoundingClientRect().top)) < 80);
  assert.deepEqual(errors, []);
  await close();
});
