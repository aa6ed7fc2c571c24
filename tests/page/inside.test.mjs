/** The lesson as a page: its text has the model's own numbers, chapters can be linked, and what is chosen goes along between it and the explorer. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CHAPTERS } from '../../www/inside/chapters/index.js';
import { ROOT, answered, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

const TINY = '?model=/models/vitscope-tiny/';
const IDS = CHAPTERS.map(({ id }) => id);

/** Opens the lesson, and waits for the model's answer. @param {string} address @param {import('playwright-core').BrowserContextOptions} [options] */
async function openLesson(address, options) {
  const tab = await openTab(browser, { reducedMotion: 'reduce', ...options });
  await tab.page.goto(`${origin}/www/inside/${address}`);
  await answeredThere(tab.page);
  return tab;
}

/** @param {Page} page @param {string} [before] another answer than this */
async function answeredThere(page, before = '') {
  await page.waitForFunction((before) => {
    const answer = document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-dock=answer]');
    return answer?.getAttribute('aria-busy') === 'false' && /%|no classes|\d$/.test(answer.textContent ?? '') && answer.textContent !== before;
  }, before);
}

const answer = (/** @type {Page} */ page) => page.locator('[data-dock=answer]').innerText();
const chosenSample = (/** @type {Page} */ page) => page.locator('.samples [aria-pressed=true]').getAttribute('title');
const toLesson = (/** @type {Page} */ page) => page.getByRole('link', { name: 'How it works' }).click();
const toExplorer = (/** @type {Page} */ page) => page.getByRole('link', { name: 'back to the explorer' }).click();

/** What the text says of each fact. @param {Page} page @returns {Promise<Record<string, string[]>>} */
const factsIn = (page) => page.locator('[data-fact]').evaluateAll((places) => {
  /** @type {Record<string, string[]>} */
  const facts = {};
  for (const place of places) (facts[place.getAttribute('data-fact') ?? ''] ??= []).push(place.textContent ?? '');
  return facts;
});

for (const name of ['vitscope-tiny', 'vitscope-small']) {
  test(`the text has the numbers of the model that is loaded (${name})`, async () => {
    const config = JSON.parse(readFileSync(join(ROOT, `models/${name}/config.json`), 'utf8'));
    const { page, errors, close } = await openLesson(`?model=/models/${name}/`);
    const facts = await factsIn(page);
    const { crop_size: crop, size } = JSON.parse(readFileSync(join(ROOT, `models/${name}/preprocessor_config.json`), 'utf8'));
    const patches = ((crop ?? size).height / config.patch_size) ** 2;
    const width = config.hidden_size;
    const expected = { patches, width, layers: config.num_hidden_layers, heads: config.num_attention_heads, 'head-size': width / config.num_attention_heads, patch: `${config.patch_size} × ${config.patch_size}`, 'patch-values': 3 * config.patch_size ** 2 };
    for (const [fact, value] of Object.entries(expected)) {
      const said = new Set(facts[fact]);
      assert.deepEqual([...said], [typeof value === 'number' ? value.toLocaleString('en') : value], fact);
    }
    const [shape] = facts.shape;
    const tokens = Number(facts.tokens[0].replaceAll(',', ''));
    assert.equal(shape, `[1, ${tokens.toLocaleString('en')}, ${width.toLocaleString('en')}]`);
    assert.equal(tokens, patches + Number(facts.prefix?.[0] ?? tokens - patches));
    // What is not so of this model is not said of it.
    const shown = await page.locator('[data-when=class], [data-when="!class"]').evaluateAll((parts) => [...new Set(parts.filter((part) => /** @type {HTMLElement} */ (part).hidden === false).map((part) => part.getAttribute('data-when')))]);
    assert.deepEqual(shown, [tokens > patches ? 'class' : '!class']);
    assert.deepEqual(errors, []);
    await close();
  });
}

/** Models, what sets each apart, and a photo. @type {[model: string, what: string, sample: string][]} */
const WALKS = [
  ['models/vitscope-tiny', 'a class token', 'rocket'],
  ['tests/fixtures/timm_gap', 'no class token, and more columns than rows', 'chelsea'],
  ['tests/fixtures/timm_rope_reg_gap', 'registers, rotary positions', 'coffee'],
  ['tests/fixtures/hf_beit', 'relative positions', 'coffee'],
  ['tests/fixtures/timm_siglip', 'a query that pools, no classes', 'coffee'],
];

for (const [model, what, sample] of WALKS) {
  test(`every step of every chapter draws and says what is seen: ${what}`, async () => {
    const { page, errors, close } = await openLesson(`?model=/${model}/#sample=${sample}`, { viewport: { width: 1280, height: 800 } });
    for (const id of IDS) {
      const section = page.locator(`#${id}`);
      const steps = await section.locator('.step').count();
      for (let step = 0; step < steps; step++) {
        await section.locator('.step').nth(step).evaluate((element) => element.scrollIntoView({ block: 'center' }));
        await section.locator('.step').nth(step).and(page.locator('.read')).waitFor();
      }
      await page.waitForFunction((id) => {
        const section = document.querySelector('#lesson')?.shadowRoot?.getElementById(id);
        return section && section.dataset.busy === undefined && (section.querySelector('figcaption')?.textContent?.length ?? 0) > 40;
      }, id);
      assert.doesNotMatch(await section.locator('figcaption').innerText(), /undefined|NaN|\[object|Infinity/, id);
      assert.doesNotMatch(await section.locator('.prose').innerText(), /undefined|NaN|…|\[object|Infinity/, id);
      const spill = await section.evaluate((element) => {
        const drawing = /** @type {HTMLElement} */ (element.querySelector('.drawing'));
        const inner = /** @type {HTMLElement} */ (drawing.firstElementChild);
        return [inner.scrollHeight - drawing.offsetHeight, inner.scrollWidth - drawing.offsetWidth];
      });
      assert.ok(spill.every((by) => by <= 4), `${id} spills by ${spill}`); // an outline of what is chosen does no harm
    }
    assert.equal(await page.locator('#notice').isVisible(), false);
    assert.deepEqual(errors, []);
    await close();
  });
}

for (const width of [360, 390, 1280, 3840]) {
  test(`${width} px wide: nothing sticks out`, async () => {
    const { page, errors, close } = await openLesson(TINY, { viewport: { width, height: width < 500 ? 780 : width > 2000 ? 2160 : 800 } });
    for (const id of IDS) {
      await page.locator(`#${id} .step`).first().evaluate((element) => element.scrollIntoView({ block: 'center' }));
      await page.waitForTimeout(120);
      const out = await page.evaluate(() => {
        const root = /** @type {ShadowRoot} */ (document.querySelector('#lesson')?.shadowRoot);
        // What may be scrolled, or is cut off by what it lies in, sticks out of nothing.
        const inScroller = (/** @type {Element | null} */ element) => {
          for (; element && element !== root.querySelector('article'); element = element.parentElement) if (getComputedStyle(element).overflowX !== 'visible') return true;
          return false;
        };
        return [document.documentElement.scrollWidth - innerWidth, ...[...root.querySelectorAll('article *')].filter((element) => !inScroller(element.parentElement) && element.getBoundingClientRect().right > innerWidth + 1).map((element) => element.outerHTML.slice(0, 90))];
      });
      assert.deepEqual(out, [0], id);
    }
    assert.deepEqual(errors, []);
    await close();
  });
}

test('a chapter can be linked, the list leads to it by keys, and reading on changes the link', async () => {
  const { page, errors, close } = await openLesson(`${TINY}#chapter=heads&layer=2`);
  const top = (/** @type {string} */ id) => page.locator(`#${id}`).evaluate((element) => Math.round(element.getBoundingClientRect().top));
  assert.ok(Math.abs(await top('heads')) < 80, `${await top('heads')}`);
  await page.locator('.contents summary').focus();
  await page.keyboard.press('Enter');
  for (let i = 0; i < 4; i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.ok(Math.abs(await top(IDS[3])) < 80);
  assert.equal(await page.locator('.contents').getAttribute('open'), null);
  await page.waitForFunction((id) => location.hash.includes(`chapter=${id}`), IDS[3]);
  assert.match(new URL(page.url()).hash, /layer=2/, 'what else is chosen stays');
  await page.locator(`#${IDS[5]} .step`).first().evaluate((element) => element.scrollIntoView({ block: 'center' }));
  await page.waitForFunction((id) => location.hash.includes(`chapter=${id}`), IDS[5]);
  assert.deepEqual(errors, []);
  await close();
});

test('what a link asks for and is not there is passed over, and taken out of the address', async () => {
  const { page, errors, close } = await openLesson(`${TINY}#chapter=nonsense&layer=99&patch=99999&head=1`);
  await page.waitForFunction(() => location.hash === '#head=1');
  assert.equal(await page.evaluate(() => scrollY), 0);
  assert.deepEqual(errors, []);
  await close();
});

test('to the lesson and back: photo, layer, head and patch go along, and so do view and chapter', async () => {
  const tab = await openTab(browser);
  const { page, errors } = tab;
  await page.goto(`${origin}/www/${TINY}#sample=chelsea&view=similarity&layer=3&head=1&patch=120`);
  await answered(page);
  await toLesson(page);
  await answeredThere(page);
  assert.equal(await chosenSample(page), 'Tabby cat');
  assert.equal(await page.locator('[data-status=model]').innerText(), 'vitscope-tiny');
  const before = await answer(page);
  await page.locator('.samples button').nth(2).click();
  await answeredThere(page, before);
  await page.locator('#layers .step').first().evaluate((element) => element.scrollIntoView({ block: 'center' }));
  await page.waitForFunction(() => location.hash.includes('chapter=layers'));
  await toExplorer(page);
  await answered(page);
  assert.equal(await chosenSample(page), 'Rocket launch');
  const { hash } = new URL(page.url());
  for (const part of ['view=similarity', 'layer=3', 'head=1', 'chapter=layers']) assert.ok(hash.includes(part), `${part} of ${hash}`);
  await toLesson(page);
  await answeredThere(page);
  const top = await page.locator('#layers').evaluate((element) => element.getBoundingClientRect().top);
  assert.ok(Math.abs(top) < 80, `where one was, ${top} px away`);
  assert.deepEqual(errors, []);
  await tab.close();
});

test("a photo of one's own goes along, stays when the page is opened anew, and is not sent", async () => {
  const tab = await openTab(browser);
  const { page, errors, requests } = tab;
  await page.goto(`${origin}/www/${TINY}`);
  await answered(page);
  const first = await page.locator('#answers .label').first().innerText();
  await page.locator('[data-source=file]').setInputFiles(join(ROOT, 'www/samples/chelsea.jpg'));
  await page.waitForFunction((first) => explorer().querySelector('#answers .label')?.textContent !== first, first);
  const label = await page.locator('#answers .label').first().innerText();
  await toLesson(page);
  await answeredThere(page);
  assert.ok((await answer(page)).startsWith(label), await answer(page));
  assert.equal(await page.locator('.samples [aria-pressed=true]').count(), 0);
  await page.reload();
  await answeredThere(page);
  assert.ok((await answer(page)).startsWith(label), 'after a reload');
  await toExplorer(page);
  await answered(page, label);
  assert.equal(await page.locator('.samples [aria-pressed=true]').count(), 0);
  // Another photo takes its place, and nothing is left of it.
  await page.locator('.samples button').first().click();
  await answered(page, first);
  await toLesson(page);
  await answeredThere(page);
  assert.ok((await answer(page)).startsWith(first));
  // Nor of one that a tab left that is closed, once it is a day old.
  const stored = (/** @type {number | undefined} */ date) => page.evaluate((date) => new Promise((resolve) => {
    indexedDB.open('vitscope-carried').onsuccess = ({ target }) => {
      const database = /** @type {IDBOpenDBRequest} */ (target).result;
      const photos = database.transaction('photos', 'readwrite').objectStore('photos');
      if (date !== undefined) photos.put({ photo: null, date }, `tab of ${date}`);
      photos.getAllKeys().onsuccess = ({ target }) => {
        database.close();
        resolve(/** @type {IDBRequest} */ (target).result);
      };
    };
  }), date);
  const now = Date.now();
  assert.deepEqual(await stored(now), [`tab of ${now}`]);
  await stored(0);
  await page.reload();
  for (let tries = 0; tries < 100 && String(await stored(undefined)) !== `tab of ${now}`; tries++) await page.waitForTimeout(100);
  assert.deepEqual(await stored(undefined), [`tab of ${now}`]);
  assert.deepEqual(requests.filter((url) => !url.startsWith(origin) && !/^(blob|data):/.test(url)), []);
  assert.deepEqual(errors, []);
  await tab.close();
});

test("a model of one's own can't go along, which is said once", async () => {
  const tab = await openTab(browser);
  const { page, errors } = tab;
  await page.goto(`${origin}/www/${TINY}`);
  await answered(page);
  const folder = join(ROOT, 'tests/fixtures/timm_gap');
  await page.locator('#model-open').click();
  await page.locator('[data-model=files-input]').setInputFiles([join(folder, 'config.json'), join(folder, 'model.safetensors')]);
  await page.locator('[data-status=model]').getByText('model', { exact: true }).waitFor();
  await toLesson(page);
  await page.locator('#notice').getByText("The files of your model can't go along").waitFor();
  await answeredThere(page);
  await page.reload();
  await answeredThere(page);
  assert.equal(await page.locator('#notice').isVisible(), false);
  assert.deepEqual(errors, []);
  await tab.close();
});

test('what is no photo, and a model that is not there, are said, and what was there stays', async () => {
  const { page, errors, close } = await openLesson(TINY);
  const before = await answer(page);
  await page.locator('[data-source=file]').setInputFiles({ name: 'x.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await page.locator('#notice').getByText('x.png could not be decoded').waitFor();
  assert.equal(await answer(page), before);
  await page.locator('[data-source=file]').setInputFiles({ name: 'x.mp4', mimeType: 'video/mp4', buffer: Buffer.from('a video') });
  await page.locator('#notice').getByText('The explorer takes videos').waitFor();
  await page.goto(`${origin}/www/inside/?model=/models/none/`);
  await page.locator('#notice').getByText('/models/none/').waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test('another model is loaded from the dialog, and every figure follows', async () => {
  const { page, errors, close } = await openLesson(TINY);
  const [width] = (await factsIn(page)).width;
  await page.locator('#model-open').click();
  await page.getByRole('button', { name: /vitscope-small/ }).click();
  await page.waitForFunction((width) => document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-fact=width]')?.textContent !== width, width);
  assert.equal((await factsIn(page)).width[0], '384');
  assert.deepEqual(errors, []);
  await close();
});
