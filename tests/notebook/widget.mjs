/** What the widget's tests share: a page with a stand-in for front end and kernel (cell.js), and a widget on it. */
import { before } from 'node:test';
import { finallyDo, openTab, startBrowser } from '../page/harness.mjs';
import { serve } from '../../xtask/server.mjs';

export const TINY = '/models/vitscope-tiny/';
export const FIXTURE = '/tests/fixtures/hf_vit/';
export const PHOTOS = ['coffee', 'chelsea', 'rocket', 'astronaut'].map((name) => `/www/samples/${name}.jpg`);

/** @type {import('playwright-core').Browser} */
export let browser;
export let origin = '';
before(async () => {
  const server = await serve({ folders: ['tests/notebook', 'tests/fixtures', 'notebook'], isolated: false }); // as front ends are
  finallyDo(() => server.close());
  origin = server.url.replace(/\/$/, '');
  browser = await startBrowser();
});

/**
 * A page with a kernel and a widget of these models and images. Their names on its window: `kernel`, `model`, `cell`.
 * @param {{models?: string[], images?: string[], traits?: object, at?: string}} [given]
 */
export async function openCell({ models = [TINY], images = PHOTOS.slice(0, 1), traits = {}, at = origin } = {}) {
  const tab = await openTab(browser, { viewport: { width: 1000, height: 900 } });
  tab.page.setDefaultTimeout(20000);
  await tab.page.goto(`${at}/tests/notebook/cell.html`);
  await tab.page.waitForFunction(() => 'Kernel' in globalThis);
  await tab.page.evaluate(async ([models, images, traits]) => {
    const kernel = new Kernel();
    const given = [await Promise.all(models.map((folder) => kernel.model(folder))), await Promise.all(images.map((image) => kernel.image(image)))];
    const model = kernel.open(await kernel.widget(given[0], given[1], traits));
    Object.assign(globalThis, { kernel, model });
    Object.assign(globalThis, { cell: await show(model) });
  }, /** @type {const} */ ([models, images, traits]));
  return tab;
}

/**
 * Another widget in its place, with which something is wrong: its model's file is another, or none.
 * @param {import('playwright-core').Page} page
 * @param {'config' | 'weights'} file
 * @param {string} [content]
 */
export const openSpoilt = (page, file, content) => page.evaluate(async ([file, content]) => {
  const { kernel, model: { state }, cell } = /** @type {any} */ (globalThis);
  cell.close();
  kernel.traits = {};
  const { name, size } = content === undefined ? { name: '0'.repeat(64), size: 7 } : await kernel.add(new TextEncoder().encode(content));
  const [own, ...more] = structuredClone(state._models);
  const spoilt = { ...own, [file]: file === 'weights' ? [name] : name, sizes: { ...own.sizes, [name]: size } };
  const model = kernel.open({ ...structuredClone(state), _models: [...more, spoilt] });
  Object.assign(globalThis, { model, mend: () => (model.state._models = [own, ...more]), cell: await show(model) });
}, /** @type {const} */ ([file, content]));

/** What the widget has told the kernel that it shows, once it is this. @param {import('playwright-core').Page} page @param {string} text a part of the map's title @param {number} [count] of models */
export async function shown(page, text, count = 1) {
  await page.waitForFunction(([text, count]) => {
    const { _shown = [] } = /** @type {any} */ (globalThis).kernel.traits;
    return _shown.length === count && _shown.every((/** @type {any} */ one) => one?.map?.text.includes(text));
  }, /** @type {const} */ ([text, count]));
  return page.evaluate(() => /** @type {any} */ (globalThis).kernel.traits._shown.map((/** @type {any} */ { top, map }) => ({ top, map: { ...map, data: [...new Float32Array(map.data.buffer)] } })));
}

/** @param {import('playwright-core').Page} page @param {string} name @param {unknown} value */
export const set = (page, name, value) => page.evaluate(([name, value]) => /** @type {any} */ (globalThis).model.assign(name, value), /** @type {const} */ ([name, value]));

/** What Python has of the traits. @param {import('playwright-core').Page} page @param {string} name @param {unknown} value waited for */
export const told = (page, name, value) => page.waitForFunction(([name, value]) => JSON.stringify(/** @type {any} */ (globalThis).kernel.traits[/** @type {string} */ (name)]) === JSON.stringify(value), [name, value]);

/** Parts that the kernel was asked for, of a file. @param {import('playwright-core').Page} page @param {string} name */
export const asked = (page, name) => page.evaluate((name) => /** @type {any} */ (globalThis).kernel.heard.filter((/** @type {any} */ message) => message.kind === 'get' && message.name === name).length, name);

/**
 * A question as Python asks it. shown: what Python had of `_shown` when it was answered.
 * @param {import('playwright-core').Page} page
 * @param {object} question
 * @returns {Promise<{meta: any, bytes: Uint8Array, size: number, shown: any[], code?: string, text?: string}>}
 */
export async function ask(page, question) {
  const answer = await page.evaluate(async (question) => {
    const { kernel, model } = /** @type {any} */ (globalThis);
    const id = String(Math.random());
    model.deliver({ kind: 'ask', id, model: 0, options: {}, ...question });
    for (;;) {
      const answer = kernel.answers.get(id);
      const length = answer?.parts.reduce((/** @type {number} */ sum, /** @type {Uint8Array} */ part) => sum + part.length, 0);
      if (answer && length === answer.size) return { ...answer, parts: undefined, bytes: [...new Uint8Array(await new Blob(answer.parts).arrayBuffer())] };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }, question);
  return { ...answer, bytes: Uint8Array.from(answer.bytes) };
}

/** What is laid over the photo, of each model. @param {import('playwright-core').Page} page */
export const picture = (page) => page.locator('#stage .overlay').evaluateAll((canvases) => canvases.map((canvas) => /** @type {HTMLCanvasElement} */ (canvas).toDataURL()).join());
