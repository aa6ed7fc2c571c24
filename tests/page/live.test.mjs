/** Moving pictures on the page, in real Chromium: what is shown is the frame that the model saw, and nothing is left behind. (How free the page stays, `cargo xtask soak` measures.) */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { createPace } from '../../www/explorer/live/pace.js';
import { createSteady } from '../../www/explorer/live/steady.js';
import { answered, drawn, openTab, startBrowser, startServer } from './harness.mjs';

const CAMERA = ['--use-fake-device-for-media-stream=device-count=2,fps=60', '--use-fake-ui-for-media-stream', '--auto-select-desktop-capture-source=Entire screen'];
const PAGE = '/www/?model=/models/vitscope-tiny/';

/** @typedef {Awaited<ReturnType<typeof openTab>>} Tab */
/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(CAMERA), startServer()]);
});

/**
 * A test on the page. No error stays uncaught.
 * @param {(tab: Tab) => Promise<void>} body
 * @param {{address?: string, setUp?: (page: Page) => Promise<unknown>}} [settings]
 */
const onPage = (body, { address = PAGE, setUp } = {}) => async () => {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 800 } });
  await tab.page.addInitScript(watch);
  await setUp?.(tab.page);
  await tab.page.goto(origin + address);
  await answered(tab.page);
  await body(tab);
  assert.deepEqual(tab.errors, []);
  await tab.close();
};

/** Keeps count of frames, bitmaps and tracks, and of what listens outside of the page's own parts. */
function watch() {
  /** @type {Set<ImageBitmap>} */
  const bitmaps = new Set();
  const tracks = /** @type {MediaStreamTrack[]} */ ([]);
  let frames = 0;
  let most = 0;
  const keep = (/** @type {ImageBitmap} */ bitmap) => {
    for (const old of bitmaps) if (!old.width) bitmaps.delete(old); // closed, or handed over
    bitmaps.add(bitmap);
    most = Math.max(most, bitmaps.size);
    return bitmap;
  };
  const make = globalThis.createImageBitmap;
  Object.assign(globalThis, { createImageBitmap: async (/** @type {[any]} */ ...given) => keep(await make(...given)) });
  const take = OffscreenCanvas.prototype.transferToImageBitmap;
  OffscreenCanvas.prototype.transferToImageBitmap = function () {
    frames++;
    return keep(take.call(this));
  };
  for (const name of /** @type {const} */ (['getUserMedia', 'getDisplayMedia'])) {
    const real = navigator.mediaDevices[name].bind(navigator.mediaDevices);
    navigator.mediaDevices[name] = async (/** @type {any} */ wish) => {
      const stream = await real(wish);
      tracks.push(...stream.getTracks());
      return stream;
    };
  }
  Object.assign(globalThis, {
    frames: () => frames,
    tracks: () => tracks.filter(({ readyState }) => readyState === 'live'),
    bitmaps: () => ({ open: [...bitmaps].filter(({ width }) => width).length, most }),
    see: (/** @type {boolean} */ hidden) => {
      Object.defineProperty(document, 'visibilityState', { value: hidden ? 'hidden' : 'visible', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    },
  });
}

/** @typedef {{frames: () => number, tracks: () => MediaStreamTrack[], bitmaps: () => {open: number, most: number}, see: (hidden: boolean) => void}} Watch */

const button = (/** @type {Page} */ page, /** @type {string} */ name) => page.getByRole('button', { name, exact: true });
const frames = (/** @type {Page} */ page) => page.evaluate(() => /** @type {any} */ (globalThis).frames());
const tracks = (/** @type {Page} */ page) => page.evaluate(() => /** @type {any} */ (globalThis).tracks().length);
const see = (/** @type {Page} */ page, hidden = false) => page.evaluate((hidden) => /** @type {any} */ (globalThis).see(hidden), hidden);
const label = (/** @type {Page} */ page) => page.locator('#stage').getAttribute('aria-label');
const base = (/** @type {Page} */ page) => drawn(page, '#stage .base');

/** @param {Page} page @param {number} count more than there were */
async function later(page, count) {
  const target = (await frames(page)) + count;
  await page.waitForFunction((target) => /** @type {any} */ (globalThis).frames() >= target, target);
}

/** Waits until another picture is seen: a slow camera shows one more than once. @param {Page} page @param {string} than */
async function another(page, than) {
  for (let tries = 0; tries < 200; tries++, await later(page, 1)) if ((await base(page)) !== than) return;
  assert.fail('the picture does not change');
}

/** Whether frames still follow each other. @param {Page} page */
async function moves(page) {
  const before = await frames(page);
  await page.waitForTimeout(300);
  return (await frames(page)) > before;
}

/** Waits until the last frame that was on its way has come. @param {Page} page */
async function rests(page) {
  for (let tries = 0; tries < 20; tries++) if (!(await moves(page))) return;
  assert.fail('frames still follow each other');
}

/** Presses the space bar on the picture, and tells in the same moment what is seen. @param {Page} page */
const freeze = (page) => page.evaluate(() => {
  const picture = (/** @type {string} */ name) => /** @type {HTMLCanvasElement} */ (explorer().querySelector(`#stage .${name}`)).toDataURL();
  explorer().querySelector('#stage')?.dispatchEvent(new KeyboardEvent('keydown', { key: ' ', bubbles: true, cancelable: true }));
  return { base: picture('base'), overlay: picture('overlay') };
});
const seen = (/** @type {Page} */ page) => page.evaluate(() => {
  const picture = (/** @type {string} */ name) => /** @type {HTMLCanvasElement} */ (explorer().querySelector(`#stage .${name}`)).toDataURL();
  return { base: picture('base'), overlay: picture('overlay') };
});

/** A frozen frame has been asked about again, as a photo. @param {Page} page */
async function still(page) {
  await button(page, 'Resume').waitFor();
  await page.waitForFunction(() => explorer().querySelector('#answers ol')?.getAttribute('aria-busy') === 'false' && explorer().querySelector('.caption')?.getAttribute('aria-live') === 'polite');
}

test('what is shown is the frame that was analysed, with its own map', onPage(async ({ page }) => {
  await button(page, 'Webcam').click();
  const all = new Set();
  for (let i = 0, last = ''; i < 3; i++, last = await base(page)) {
    await later(page, 5);
    await another(page, last);
    // The model is at a later frame meanwhile. Asked about the one that is seen, it must draw the same.
    const before = await freeze(page);
    await still(page);
    assert.deepEqual(await seen(page), before);
    all.add(before.base).add(before.overlay);
    await button(page, 'Resume').click();
  }
  assert.ok(all.size >= 4, 'pictures move, and their maps too');
}));

test('300 frames leave nothing behind: bitmaps are closed, and memory does not grow', onPage(async ({ page, context }) => {
  const session = await context.newCDPSession(page);
  const memory = async () => {
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize, backingStorageSize = 0 } = /** @type {any} */ (await session.send('Runtime.getHeapUsage'));
    return usedSize + backingStorageSize; // objects, and the arrays of traces
  };
  await button(page, 'Webcam').click();
  await later(page, 40);
  const early = await memory();
  await later(page, 260);
  const rise = (await memory()) - early;
  assert.match(await page.locator('[data-live=rate]').innerText(), /^\d+(\.\d)? frames\/s$/);
  await button(page, 'Stop webcam').click();
  await page.locator('.samples').waitFor();
  await answered(page);
  const { open, most } = await page.evaluate(() => /** @type {any} */ (globalThis).bitmaps());
  assert.ok(open <= 2, `${open} bitmaps are left: the stage's and the photo's will do`);
  assert.ok(most <= 6, `${most} bitmaps at once`);
  assert.ok(rise < 4e6, `${rise} bytes in 260 frames`); // one trace has more
}));

test('freezing keeps the frame with all its views and what is chosen of it; resuming goes on', onPage(async ({ page }) => {
  assert.match(await page.locator('#stage-help').innerText(), /space bar/i);
  await button(page, 'Webcam').click();
  await later(page, 3);
  await page.locator('#stage').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press(' ');
  await still(page);
  assert.equal(await moves(page), false);
  assert.equal(await tracks(page), 1, 'it goes on without asking again');
  assert.match(await page.locator('figcaption').innerText(), /where patch \((4, 4|8, 8)\) looks/);
  const frame = await base(page);
  for (const [view, title] of /** @type {const} */ ([['class', /Relevance for/], ['logit-lens', /Logit|logit/], ['features', /Layer 5/], ['rollout', /Rollout/]])) {
    await page.locator(`#tab-${view}`).click();
    await page.locator('figcaption .title').getByText(title).waitFor();
  }
  await page.locator('#tab-class').click();
  await page.getByRole('button', { name: 'Deletion and insertion' }).click();
  await page.getByText(/^Deletion, area/).waitFor();
  assert.equal(await base(page), frame);
  await page.locator('#stage').focus();
  await page.keyboard.press(' ');
  await another(page, frame);
  await button(page, 'Freeze').click();
  await still(page);
  await button(page, 'Stop webcam').click();
  assert.equal(await tracks(page), 0);
  assert.equal(await label(page), 'Webcam picture');
}));

test('a picture that has no frame yet is waited for, and the page stays free', onPage(async ({ page }) => {
  await page.evaluate(() => Object.defineProperty(HTMLVideoElement.prototype, 'readyState', { get: () => HTMLMediaElement.HAVE_METADATA, configurable: true }));
  await button(page, 'Webcam').click();
  await button(page, 'Freeze').waitFor();
  await page.waitForTimeout(200);
  assert.equal(await frames(page), 0);
  await page.evaluate(() => delete (/** @type {any} */ (HTMLVideoElement.prototype).readyState)); // it has its own again
  await later(page, 3);
}));

test('cameras are picked from a list, and their picture can be mirrored', onPage(async ({ page }) => {
  await button(page, 'Webcam').click();
  const list = page.getByRole('combobox', { name: 'Camera' });
  await list.waitFor();
  assert.deepEqual(await list.locator('option').allInnerTexts(), ['fake_device_0', 'fake_device_1']);
  const device = () => page.evaluate(() => /** @type {any} */ (globalThis).tracks().map((/** @type {MediaStreamTrack} */ track) => track.label));
  assert.deepEqual(await device(), ['fake_device_0']);
  await list.selectOption({ label: 'fake_device_1' });
  await page.waitForFunction(() => /** @type {any} */ (globalThis).tracks()[0]?.label === 'fake_device_1');
  assert.deepEqual(await device(), ['fake_device_1'], 'the other one is off');
  await later(page, 2);
  assert.equal(await list.evaluate((select) => /** @type {HTMLSelectElement} */ (select).selectedOptions[0].text), 'fake_device_1');
  assert.equal(await page.getByLabel('Mirror').isChecked(), true, 'it does not say that it looks away');
}));

/** A second of a video that is red on the left and blue on the right, with something that moves. @param {Page} page */
async function video(page) {
  const bytes = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 120 });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/webm;codecs=vp8' });
    /** @type {Blob[]} */
    const parts = [];
    recorder.addEventListener('dataavailable', ({ data }) => parts.push(data));
    recorder.start();
    for (let i = 0; i < 30; i++) {
      context.fillStyle = '#d00000';
      context.fillRect(0, 0, 80, 120);
      context.fillStyle = '#0000d0';
      context.fillRect(80, 0, 80, 120);
      context.fillStyle = '#ffffff';
      context.fillRect(40 + 2 * i, 50, 20, 20);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await new Promise((resolve) => {
      recorder.addEventListener('stop', resolve);
      recorder.stop();
    });
    return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
  });
  return { name: 'Red and blue.webm', mimeType: 'video/webm', buffer: Buffer.from(bytes) };
}

/** Whether the picture is red on its left. @param {Page} page */
const redLeft = (page) => page.evaluate(() => {
  const canvas = /** @type {HTMLCanvasElement} */ (explorer().querySelector('#stage .base'));
  const [red, , blue] = canvas.getContext('2d')?.getImageData(canvas.width * 0.2, canvas.height / 4, 1, 1).data ?? [];
  return red > blue;
});

test('a video file plays over and over, stands still, goes on, and rests with the page', onPage(async ({ page }) => {
  const file = await video(page);
  await page.locator('[data-source=video]').setInputFiles(file);
  await later(page, 40); // more than it has: it starts again
  assert.equal(await label(page), 'Red and blue.webm');
  assert.equal(await redLeft(page), true, 'no video file is mirrored');
  await page.getByLabel('Mirror').check();
  await later(page, 3);
  assert.equal(await redLeft(page), false);
  await button(page, 'Freeze').click();
  await still(page);
  assert.equal(await moves(page), false);
  await button(page, 'Resume').click();
  await later(page, 3);
  await see(page, true);
  await rests(page);
  await see(page);
  await later(page, 3);
  await button(page, 'Stop video').click();
  await answered(page);
  assert.equal(await label(page), 'Red and blue.webm');

  // Dropped, and one that is none.
  await page.evaluate(([bytes, name]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(/** @type {number[]} */ (bytes))], String(name), { type: 'video/webm' }));
    explorer().dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, composed: true, cancelable: true }));
  }, /** @type {const} */ ([[...file.buffer], file.name]));
  await button(page, 'Stop video').waitFor();
  await later(page, 3);
  await page.locator('[data-source=video]').setInputFiles({ ...file, buffer: Buffer.from('no video') });
  await page.getByText('This video could not be played. Try an MP4 or WebM file.').waitFor();
  assert.equal(await button(page, 'Video').count(), 1);
}));

test('a shared screen is looked at until it is not shared any more', onPage(async ({ page }) => {
  await button(page, 'Screen').click();
  await later(page, 2);
  assert.equal(await label(page), 'Shared screen');
  assert.equal(await page.getByLabel('Mirror').isChecked(), false);
  // As the browser's own bar ends it.
  await page.evaluate(() => {
    const [track] = /** @type {any} */ (globalThis).tracks();
    track.stop();
    track.dispatchEvent(new Event('ended'));
  });
  await page.locator('.samples').waitFor();
  await answered(page);
  assert.equal(await label(page), 'Shared screen');
  assert.equal(await page.locator('#notice').isVisible(), false, 'that was meant');

  await page.evaluate(() => (navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))));
  await button(page, 'Screen').click();
  await page.getByText('No screen is shared.').waitFor();
  assert.equal(await label(page), 'Shared screen');
}));

test('nothing listens outside of the explorer but while a picture moves; destroyed, it holds nothing', onPage(async ({ page, context }) => {
  const session = await context.newCDPSession(page);
  const listening = async () => {
    const names = [];
    for (const expression of ['window', 'document', 'navigator.mediaDevices']) {
      const { result } = await session.send('Runtime.evaluate', { expression });
      const { listeners } = await session.send('DOMDebugger.getEventListeners', { objectId: String(result.objectId) });
      names.push(...listeners.map(({ type }) => type).filter((type) => ['pagehide', 'visibilitychange', 'devicechange'].includes(type)));
    }
    return names.sort();
  };
  const before = await listening(); // the page's own
  await button(page, 'Webcam').click();
  await later(page, 2);
  assert.deepEqual(await listening(), [...before, 'devicechange', 'pagehide', 'visibilitychange'].sort());
  await button(page, 'Stop webcam').click();
  await page.locator('.samples').waitFor();
  assert.deepEqual(await listening(), before);

  await page.evaluate(async () => {
    const { mount } = await import(`${location.origin}/www/explorer/mount.js`);
    const root = document.body.appendChild(document.createElement('div'));
    const explorer = mount(root, { model: '/models/vitscope-tiny/' });
    Object.assign(globalThis, { second: explorer });
    root.shadowRoot?.querySelector('[data-live-kind=camera]')?.dispatchEvent(new MouseEvent('click'));
  });
  await page.waitForFunction(() => /** @type {any} */ (globalThis).tracks().length === 1);
  await later(page, 3);
  await page.evaluate(() => /** @type {any} */ (globalThis).second.destroy());
  assert.equal(await tracks(page), 0);
  assert.deepEqual(await listening(), before);
  assert.equal(await moves(page), false);
}));

test('maps are steadied over frames of the same kind, where that is wanted', () => {
  let wanted = true;
  const steady = createSteady(() => wanted);
  const map = (/** @type {number} */ value, text = 'Layer 1') => ({ rows: 1, cols: 2, channels: /** @type {1} */ (1), data: Float32Array.of(value, value), signed: false, text });
  assert.equal(steady(map(0)).data[0], 0);
  const second = steady(map(1)).data[0];
  assert.ok(second > 0 && second < 1);
  assert.ok(steady(map(1)).data[0] > second, 'it comes nearer');
  assert.equal(steady(map(5, 'Layer 2')).data[0], 5, 'another map has nothing to do with it');
  wanted = false;
  assert.equal(steady(map(7, 'Layer 2')).data[0], 7);
});

test('frames a second are told from the time between them', () => {
  const pace = createPace();
  assert.equal(pace.rate, 0);
  for (let i = 0; i < 40; i++) pace.tick(50 * i + 1);
  assert.ok(Math.abs(pace.rate - 20) < 0.1);
  pace.rest();
  assert.equal(pace.rate, 0);
});
