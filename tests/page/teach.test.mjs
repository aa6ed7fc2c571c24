/** One's own classes on the page, in real Chromium: taught by photos, kept by the browser, taken elsewhere as a file. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { parseTensors } from '../node/safetensors.mjs';
import { answered, openApi, openTab, startBrowser, startServer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const FOLDER = '/models/vitscope-tiny/';
const TINY = `/www/?model=${FOLDER}`;

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
/** Crops of the samples. @type {Record<string, Buffer[]>} */
const crops = {};
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']), startServer()]);
  const { page, close } = await openApi(browser, origin);
  for (const name of ['coffee', 'rocket']) {
    const parts = await page.evaluate(async (name) => {
      const photo = await createImageBitmap(await (await fetch(`/www/samples/${name}.jpg`)).blob());
      const [width, height] = [0.8 * photo.width, 0.8 * photo.height];
      return [0, 0.1, 0.2].map((at) => {
        const canvas = Object.assign(document.createElement('canvas'), { width, height });
        canvas.getContext('2d')?.drawImage(photo, -at * photo.width, -at * photo.height);
        return canvas.toDataURL('image/jpeg').split(',')[1];
      });
    }, name);
    crops[name] = parts.map((part) => Buffer.from(part, 'base64'));
  }
  await close();
});

/**
 * @param {(page: Page, tab: Awaited<ReturnType<typeof openTab>>) => Promise<void>} body
 * @param {{address?: string, init?: () => void}} [settings]
 */
const onPage = (body, { address = TINY, init } = {}) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  if (init) await tab.context.addInitScript(init);
  await tab.page.goto(origin + address);
  await body(tab.page, tab);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

const open = (/** @type {Page} */ page) => page.getByRole('button', { name: 'Your own classes' }).click();
const row = (/** @type {Page} */ page, /** @type {number} */ i) => page.locator('.own > li').nth(i);
const files = (/** @type {string} */ name, /** @type {Buffer[]} */ parts) => parts.map((buffer, i) => ({ name: `${name}${i}.jpg`, mimeType: 'image/jpeg', buffer }));
const give = (/** @type {Page} */ page, /** @type {number} */ i, /** @type {string} */ name, parts = crops[name]) => row(page, i).locator('input[type=file]').setInputFiles(files(name, parts));
const says = (/** @type {Page} */ page, /** @type {string} */ text) => page.locator('#teach .says').filter({ hasText: text }).waitFor();
const labels = (/** @type {Page} */ page) => page.locator('#answers li button:enabled .label').allInnerTexts();
const notice = (/** @type {Page} */ page) => page.locator('#notice');

/** @param {Page} page @param {number} i @param {string} name */
async function call(page, i, name) {
  await row(page, i).locator('.name').fill(name);
  await row(page, i).locator('.name').press('Enter');
}

/** Two classes of three crops each. @param {Page} page */
async function teachTwo(page) {
  await open(page);
  await call(page, 0, 'mug');
  await call(page, 1, 'rocket, at night');
  await give(page, 0, 'coffee');
  await give(page, 1, 'rocket');
  await answered(page, 'mug');
}

/** Waits until so many photos are in the browser's keeping, each read by a model. @param {Page} page @param {number} count */
const kept = (page, count) => page.waitForFunction((count) => new Promise((resolve) => {
  const opening = indexedDB.open('vitscope-classes', 1);
  opening.onsuccess = () => {
    const all = opening.result.transaction('photos').objectStore('photos').getAll();
    all.onsuccess = () => {
      opening.result.close();
      resolve(all.result.filter(({ features }) => features.size).length === count);
    };
  };
}), count);

/** Waits until the answer has been the same for a second. @param {Page} page */
async function quiet(page) {
  for (let [before, now] = ['', ' ']; before !== now;) {
    before = now;
    await page.waitForTimeout(1000);
    now = await page.locator('#answers ol').innerText();
  }
}

/** @param {Page} page */
async function saved(page) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as file' }).click()]);
  return { name: file.suggestedFilename(), buffer: readFileSync(await file.path()) };
}

test('taught by photos it answers among one\'s own classes, with every view, until told otherwise', onPage(async (page) => {
  await answered(page);
  const own = await labels(page);
  await open(page);
  await says(page, 'Give each class at least one photo.');
  await call(page, 0, 'mug');
  await give(page, 0, 'coffee', crops.coffee.slice(0, 1));
  await says(page, 'Give Class 2 at least one photo.');
  assert.deepEqual(await labels(page), own, 'one class is no answer');
  await call(page, 1, 'mug');
  await notice(page).getByText('There is a class called mug already.').waitFor();
  await call(page, 1, 'rocket');
  await notice(page).getByRole('button', { name: 'Dismiss' }).click();
  await give(page, 1, 'rocket', crops.rocket.slice(0, 1));
  await answered(page, 'mug');
  await says(page, 'With one photo each it cannot tell how sure to be.');
  const once = parseFloat(await page.locator('#answers .score').first().innerText());
  await give(page, 0, 'coffee');
  await give(page, 1, 'rocket');
  await says(page, 'It answers among mug and rocket.');
  await page.waitForFunction((once) => parseFloat(explorer().querySelector('#answers .score')?.textContent ?? '') > once + 5, once);
  assert.equal(await row(page, 0).locator('.count').innerText(), '3 photos', 'the one there was is not taken twice');

  await page.locator('.samples button').nth(2).click();
  await answered(page, 'rocket');
  for (const tab of await page.getByRole('tab').all()) {
    await tab.click();
    await page.waitForFunction(() => explorer().querySelector('[data-caption=title]')?.textContent?.trim());
  }
  await page.locator('#tab-class').click();
  await page.getByText('Relevance for rocket', { exact: false }).first().waitFor();
  await page.locator('#answers li button').nth(1).click();
  await page.getByText('Relevance for mug', { exact: false }).first().waitFor();

  // A third, by what is shown.
  await page.locator('.samples button').nth(1).click();
  await page.getByRole('button', { name: 'Add class' }).click();
  await page.getByRole('button', { name: 'Add what is shown to Class 3' }).click();
  await answered(page, 'Class 3');
  assert.equal((await labels(page)).length, 3);
  await page.getByRole('button', { name: 'Add what is shown to Class 3' }).press('Enter');
  await notice(page).getByText('This photo is one of Class 3 already.').waitFor();
  await page.getByRole('button', { name: 'Remove photo 1 of Class 3' }).click();
  await says(page, 'Give Class 3 at least one photo.');
  await page.waitForFunction(() => explorer().querySelectorAll('#answers li button:enabled').length === 2);
  await page.getByRole('button', { name: 'Delete Class 3' }).click();
  await page.getByRole('button', { name: 'Delete mug' }).click();
  await page.waitForFunction(() => explorer().querySelectorAll('#answers li button:enabled').length === 5);
  await notice(page).getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction(() => explorer().querySelectorAll('#answers li button:enabled').length === 2);

  await page.getByRole('button', { name: "Back to the model's own classes" }).click();
  await page.waitForFunction(() => explorer().querySelectorAll('#answers li button:enabled').length === 5);
  await says(page, 'Yours are kept.');
  await page.getByRole('button', { name: 'Answer among yours' }).click();
  await page.waitForFunction(() => explorer().querySelectorAll('#answers li button:enabled').length === 2);
  assert.equal(await notice(page).isVisible(), false);
}));

test('they are there on the next visit, and another model reads the photos anew', onPage(async (page) => {
  await answered(page);
  await teachTwo(page);
  await kept(page, 6);
  await page.reload();
  await answered(page, 'mug');
  assert.deepEqual((await labels(page)).sort(), ['mug', 'rocket']);
  await open(page);
  assert.deepEqual(await page.locator('.own .name').evaluateAll((inputs) => inputs.map((input) => /** @type {HTMLInputElement} */ (input).value)), ['mug', 'rocket, at night']);
  assert.equal(await page.locator('.thumbs canvas').count(), 6);

  await page.locator('#model-open').click();
  await page.locator('#model label').filter({ hasText: 'f32' }).click();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => /f32/.test(explorer().querySelector('[data-status=dtype]')?.textContent ?? ''));
  await says(page, 'It answers among mug and rocket, at night.');
  await answered(page, 'mug');
  await page.locator('.samples button').nth(2).click();
  await answered(page, 'rocket');
  assert.equal(await notice(page).isVisible(), false);
}));

test('as a file they go elsewhere: to another page, and to load', onPage(async (page, { context }) => {
  await answered(page);
  await teachTwo(page);
  await kept(page, 6);
  await quiet(page);
  const { name, buffer } = await saved(page);
  assert.equal(name, 'text_embeddings.safetensors');
  assert.equal(parseTensors(buffer).text_embeddings.shape[0], 2);
  const answer = await page.locator('#answers ol').innerText();

  const other = await openTab(browser, { acceptDownloads: true });
  await other.page.goto(origin + TINY);
  await answered(other.page);
  await other.page.evaluate((bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], 'text_embeddings (1).safetensors'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, [...buffer]);
  await answered(other.page, 'mug');
  assert.equal(await other.page.locator('#answers ol').innerText(), answer);
  await open(other.page);
  await says(other.page, 'It answers among the 2 classes of text_embeddings (1).safetensors: mug and rocket, at night.');
  assert.deepEqual((await saved(other.page)).buffer, buffer);
  await other.page.reload();
  await answered(other.page, 'mug');
  // Of another model they say nothing.
  await other.page.goto(`${origin}/www/?model=/tests/fixtures/hf_vit/`);
  await notice(other.page).getByText('were opened with another model, and mean nothing to this one. It answers among its own.').waitFor();
  await answered(other.page);
  assert.deepEqual(other.errors, []);
  await other.close();

  const api = await context.newPage();
  await api.goto(`${origin}/tests/page/api.html`);
  await api.waitForSelector('html[data-ready=yes]');
  const tops = await api.evaluate(async ([folder, bytes]) => {
    const file = async (/** @type {string} */ name) => (await fetch(folder + name)).blob();
    const [config, preprocessor, weights] = await Promise.all(['config.json', 'preprocessor_config.json', 'model.safetensors'].map(file));
    const vit = await vitscope.Vitscope.load({ config, preprocessor, weights, textEmbeddings: new Blob([new Uint8Array(bytes)]) });
    const answers = await vit.classify(['/www/samples/coffee.jpg', '/www/samples/rocket.jpg']);
    vit.close();
    return answers.map(({ top }) => top[0]);
  }, /** @type {const} */ ([FOLDER, [...buffer]]));
  assert.deepEqual(tops.map(({ label }) => label), ['mug', 'rocket, at night']);
  assert.ok(answer.includes(`${(100 * tops[0].score).toFixed(1)} %`), `${answer} and ${tops[0].score}`);
}));

test('a camera teaches while the button is held, and a file that is dropped on a class is its', onPage(async (page) => {
  await answered(page);
  await open(page);
  await page.evaluate(async () => {
    const transfer = new DataTransfer();
    for (const [name, type] of [['chelsea.jpg', 'image/jpeg'], ['notes.txt', 'text/plain']]) {
      const body = type === 'text/plain' ? 'notes' : await (await fetch(`/www/samples/${name}`)).blob();
      transfer.items.add(new File([body], name, { type }));
    }
    const target = explorer().querySelector('.own > li');
    for (const type of ['dragenter', 'dragover', 'drop']) target?.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true, composed: true }));
  });
  await notice(page).getByText('notes.txt could not be read as a picture.').waitFor();
  assert.equal(await row(page, 0).locator('.count').innerText(), '1 photo');
  assert.equal(await page.locator('#drop').isVisible(), false);
  assert.equal(await page.locator('#stage').getAttribute('aria-label'), 'Espresso cup', 'the photo is the one there was');

  await page.getByRole('button', { name: 'Webcam' }).click();
  await page.getByRole('button', { name: 'Stop webcam' }).waitFor();
  const button = page.getByRole('button', { name: 'Add what is shown to Class 2' });
  await button.hover();
  await page.mouse.down();
  await page.waitForFunction(() => explorer().querySelectorAll('.own > li:nth-child(2) .thumbs li').length >= 3);
  await page.mouse.up();
  await page.waitForTimeout(500); // one may be under way
  const count = await row(page, 1).locator('.count').innerText();
  await page.waitForTimeout(700);
  assert.equal(await row(page, 1).locator('.count').innerText(), count, 'released, it takes none');
  await answered(page, 'Class 2');
  assert.ok(await page.getByRole('button', { name: 'Stop webcam' }).isVisible(), 'and goes on looking');
  await page.getByRole('button', { name: 'Stop webcam' }).click();
}));

test('a model without classes has some once it is taught', onPage(async (page) => {
  await page.waitForFunction(() => explorer().querySelector('#answers .label')?.textContent === 'This model has no classes');
  await open(page);
  await give(page, 0, 'coffee');
  await give(page, 1, 'rocket');
  await answered(page);
  assert.deepEqual((await labels(page)).sort(), ['Class 1', 'Class 2']);
  await page.locator('#tab-class').click();
  await page.getByText('Relevance for Class', { exact: false }).first().waitFor();
}, { address: '/www/?model=/tests/fixtures/hf_dinov2_model/' }));

for (const [what, init] of /** @type {const} */ ([
  ['there is no storage', () => Object.defineProperty(globalThis, 'indexedDB', { get() { throw new DOMException('denied', 'SecurityError'); } })],
  ['the disk is full', () => (IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); })],
])) {
  test(`where ${what} that is one sentence, and nothing is lost`, onPage(async (page) => {
    await answered(page);
    assert.equal(await notice(page).isVisible(), false, 'who has taught nothing hears nothing');
    await open(page);
    await notice(page).getByText('Your classes could not be kept in this browser').waitFor();
    await notice(page).getByRole('button', { name: 'Dismiss' }).click();
    await give(page, 0, 'coffee');
    await give(page, 1, 'rocket');
    await answered(page, 'Class 1');
    assert.equal(await notice(page).isVisible(), false, 'it is said once');
    assert.equal(await page.locator('.thumbs canvas').count(), 6);
  }, { init }));
}
