/** The page over a long time, in real Chromium: thousands of frames of a camera, hundreds of models, and what all of that leaves behind. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { serve } from '../server.mjs';
import { renderersMemory } from './renderers.mjs';

const { values } = parseArgs({
  options: { frames: { type: 'string', default: '10000' }, switches: { type: 'string', default: '200' }, model: { type: 'string', default: 'vitscope-tiny' }, record: { type: 'boolean' } },
});
const [FRAMES, SWITCHES] = [Number(values.frames), Number(values.switches)];
const SAMPLES = 20;

const server = await serve();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--use-fake-device-for-media-stream=fps=60', '--use-fake-ui-for-media-stream'] });
const session = await browser.newBrowserCDPSession();
const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
const errors = /** @type {string[]} */ ([]);
page.on('pageerror', (error) => errors.push(error.message));
await page.addInitScript(() => {
  let frames = 0;
  const take = OffscreenCanvas.prototype.transferToImageBitmap; // once for each frame that is analysed
  OffscreenCanvas.prototype.transferToImageBitmap = function () {
    frames++;
    return take.call(this);
  };
  Object.assign(globalThis, {
    frames: () => frames,
    explorer: () => document.querySelector('#explorer')?.shadowRoot,
  });
});
await page.goto(`${server.url}www/?model=/models/${values.model}/`);
await answered();

await page.getByRole('button', { name: 'Webcam' }).click();
await comes(50); // until a size was chosen
const detail = await page.evaluate(() => /** @type {any} */ (globalThis).explorer().querySelector('#detail output').textContent);
const [framesPerSecond, tasks] = [await pace(200), await mainThread(100)];
const camera = await watched(FRAMES, comes);
await page.locator('#stage').press(' ');

let other = false;
let done = 0;
const models = await watched(SWITCHES, async (upTo) => {
  for (; done < upTo; done++, other = !other) {
    await page.locator('#model-open').click();
    await page.locator(`[name=dtype][value="${other ? 'int8' : 'f32'}"]`).evaluate((input) => /** @type {HTMLElement} */ (input).click());
    await page.keyboard.press('Escape');
    await page.waitForFunction((dtype) => /** @type {any} */ (globalThis).explorer().querySelector('[data-status=dtype]')?.textContent === dtype, other ? 'int8' : 'f32', { timeout: 60_000 });
    await answered();
  }
});

const record = {
  date: new Date().toISOString(), cpu: cpus()[0].model, cores: cpus().length, system: `${type()} ${release()}`, chromium: browser.version(), model: values.model,
  camera: { frames: FRAMES, detail, framesPerSecond, longestTasksMs: tasks, ...camera }, models: { switches: SWITCHES, ...models }, errors,
};
console.log(JSON.stringify(record, null, 2));
if (values.record) {
  const folder = fileURLToPath(new URL('../../benches/record/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}soak-${record.date.slice(0, 16).replace(':', '-')}.json`, `${JSON.stringify(record, null, 2)}\n`);
}
await browser.close();
await server.close();
if (errors.length) process.exitCode = 1;

/** Waits until so many frames have come in all. @param {number} upTo */
async function comes(upTo) {
  await page.waitForFunction((upTo) => /** @type {any} */ (globalThis).frames() >= upTo, upTo, { timeout: 600_000 });
}

/** Frames a second, of the next so many. @param {number} count */
async function pace(count) {
  const before = await page.evaluate(() => /** @type {any} */ (globalThis).frames());
  const start = performance.now();
  await comes(before + count);
  return (1000 * count) / (performance.now() - start);
}

/** The five longest tasks of the page's main thread over so many frames: its own processor time, whatever else runs here. @param {number} count */
async function mainThread(count) {
  const before = await page.evaluate(() => /** @type {any} */ (globalThis).frames());
  await browser.startTracing(page, { categories: ['disabled-by-default-devtools.timeline', 'toplevel', '__metadata'] });
  await comes(before + count);
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const threads = traceEvents.filter((/** @type {any} */ { name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map((/** @type {any} */ { pid, tid }) => `${pid} ${tid}`);
  const times = traceEvents.filter((/** @type {any} */ { name, pid, tid, tdur }) => name === 'RunTask' && tdur && threads.includes(`${pid} ${tid}`)).map((/** @type {any} */ { tdur }) => tdur / 1000);
  return times.sort((/** @type {number} */ a, /** @type {number} */ b) => b - a).slice(0, 5);
}

async function answered() {
  await page.waitForFunction(() => {
    const list = /** @type {any} */ (globalThis).explorer()?.querySelector('#answers ol');
    return list?.getAttribute('aria-busy') === 'false' && /%/.test(list.textContent);
  }, undefined, { timeout: 120_000 });
}

/**
 * Memory of the renderer while something is done so many times.
 * @param {number} times
 * @param {(upTo: number) => Promise<void>} go
 */
async function watched(times, go) {
  const bytes = [];
  for (let i = 1; i <= SAMPLES; i++) {
    await go(Math.round((times * i) / SAMPLES));
    bytes.push(await memory());
  }
  // The first of them warm up.
  const last = bytes.slice(SAMPLES / 4);
  return { bytes, perTime: ((last[last.length - 1] - last[0]) / times) * (SAMPLES / (last.length - 1)) };
}

async function memory() {
  const client = await page.context().newCDPSession(page);
  await client.send('HeapProfiler.collectGarbage');
  await client.detach();
  await page.waitForTimeout(200);
  return renderersMemory(session);
}
