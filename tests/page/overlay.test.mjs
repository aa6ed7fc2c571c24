/** Maps over photos, on canvases and as files. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { onApi, openApi, startBrowser, startServer } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** @param {(tab: Awaited<ReturnType<typeof openApi>>) => Promise<void>} body */
const onApiPage = (body) => onApi(() => ({ browser, origin }), body);

test('maps are drawn over the crop, and exported as pictures', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async () => {
    const { drawOverlay, toPNG } = vitscope;
    const crop = { x: 8, y: 0, width: 16, height: 16 };
    const map = { rows: 2, cols: 2, channels: /** @type {const} */ (1), data: Float32Array.of(0, 1, 0, 1), signed: false, text: 'two halves', crop };
    const photo = new OffscreenCanvas(32, 16);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (photo.getContext('2d'));
    context.fillStyle = 'rgb(0, 0, 255)';
    context.fillRect(0, 0, 32, 16);
    const read = (/** @type {OffscreenCanvas | HTMLCanvasElement} */ canvas, /** @type {[number, number][]} */ points) =>
      points.map(([x, y]) => [.../** @type {any} */ (canvas.getContext('2d')).getImageData(x, y, 1, 1).data]);
    const points = /** @type {[number, number][]} */ ([[2, 4], [10, 4], [22, 4], [30, 4]]);
    const canvas = Object.assign(document.createElement('canvas'), { width: 32, height: 16 });
    drawOverlay(canvas, photo, map, { colormap: 'grey', opacity: 1, faintest: 1, interpolation: 'nearest' });
    const over = read(canvas, points);
    drawOverlay(canvas, photo, map, { colormap: 'grey', opacity: 0.5, faintest: 1, interpolation: 'nearest', crop: { x: 0, y: 0, width: 32, height: 16 } });
    const whole = read(canvas, points);
    drawOverlay(canvas, null, map, { colormap: 'grey', interpolation: 'nearest' });
    const alone = read(canvas, points);
    const decode = async (/** @type {Blob} */ blob) => {
      const bitmap = await createImageBitmap(blob);
      const copy = new OffscreenCanvas(bitmap.width, bitmap.height);
      copy.getContext('2d')?.drawImage(bitmap, 0, 0);
      return { type: blob.type, size: [bitmap.width, bitmap.height], pixels: read(copy, [[2, 4], [30, 4]]) };
    };
    const png = await decode(await toPNG(map, { image: await photo.convertToBlob(), colormap: 'grey', opacity: 1, interpolation: 'nearest' }));
    const small = await decode(await toPNG(map, { colormap: 'grey', interpolation: 'nearest' }));
    return { over, whole, alone, png, small };
  });
  const [blue, black, white] = [[0, 0, 255, 255], [0, 0, 0, 255], [255, 255, 255, 255]];
  assert.deepEqual(result.over, [blue, black, white, blue]);
  result.whole.forEach((colour, i) => assert.ok(Math.abs(colour[2] - [128, 128, 255, 255][i]) <= 1 && Math.abs(colour[0] - [0, 0, 128, 128][i]) <= 1, String(colour)));
  assert.deepEqual(result.alone, [black, black, white, white]);
  assert.deepEqual([result.png.type, result.png.size, result.png.pixels], ['image/png', [32, 16], [blue, blue]]);
  assert.deepEqual([result.small.size, result.small.pixels], [[32, 32], [black, white]]);
}));

test('a spotlight leaves what is looked at as it is, and dims the rest by as much as it says', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async () => {
    const { drawOverlay, toPNG } = vitscope;
    const crop = { x: 0, y: 0, width: 16, height: 2 };
    // Of the eight, the mean is 1: nothing up to 0.5, all from 3 on, and half at 1.75.
    const map = { rows: 1, cols: 8, channels: /** @type {const} */ (1), data: Float32Array.of(0, 0.5, 1.75, 3, 2.75, 0, 0, 0), signed: false, text: 'a row', crop };
    const photo = new OffscreenCanvas(18, 2);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (photo.getContext('2d'));
    const fill = (/** @type {string} */ colour) => {
      context.fillStyle = colour;
      context.fillRect(0, 0, 18, 2);
    };
    const read = (/** @type {any} */ canvas) => Array.from({ length: 9 }, (_, i) => [...canvas.getContext('2d').getImageData(2 * i, 0, 1, 1).data]);
    const draw = (/** @type {any} */ options, /** @type {any} */ other = map) => {
      const canvas = new OffscreenCanvas(18, 2);
      drawOverlay(canvas, photo, other, { style: 'spotlight', interpolation: 'nearest', ...options });
      return read(canvas);
    };
    fill('rgb(200 200 200)');
    const grey = { usual: draw({}), none: draw({ opacity: 0 }), half: draw({ opacity: 0.5, faintest: 0 }), range: draw({ range: [0, 7], faintest: 0 }) };
    const decoded = await createImageBitmap(await toPNG(map, { image: photo, style: 'spotlight', interpolation: 'nearest' }));
    const copy = new OffscreenCanvas(18, 2);
    copy.getContext('2d')?.drawImage(decoded, 0, 0);
    const colours = { ...map, signed: true };
    const signed = [draw({}, colours), draw({ style: 'colours' }, colours)];
    const three = { ...map, channels: 3, cols: 2, data: map.data.slice(0, 6) };
    const channels = [draw({}, three), draw({ style: 'colours' }, three)];
    fill('rgb(240 80 20)');
    const orange = draw({});
    return { grey, png: read(copy), signed, channels, orange };
  });
  const levels = (/** @type {number[]} */ shares) => shares.map((share) => Math.round(200 * share));
  const near = (/** @type {number[][]} */ pixels, /** @type {number[]} */ expected) => pixels.forEach(([r, g, b, a], i) => assert.ok([r, g, b].every((x) => Math.abs(x - expected[i]) <= 2) && a === 255, `${JSON.stringify(pixels)} instead of ${expected}`));
  near(result.grey.usual, levels([0.4, 0.4, 0.7, 1, 0.94, 0.4, 0.4, 0.4, 0.4]));
  near(result.grey.none, levels(Array(9).fill(1)));
  near(result.grey.half, levels([0.5, 0.5, 0.75, 1, 0.95, 0.5, 0.5, 0.5, 0.5]));
  near(result.grey.range, levels([0, 0.5 / 7, 0.25, 3 / 7, 2.75 / 7, 0, 0, 0, 0]));
  assert.deepEqual(result.grey.usual[3], [200, 200, 200, 255], 'lit is untouched');
  assert.deepEqual(result.grey.none, Array(9).fill([200, 200, 200, 255]), 'nor is the photo at no opacity');
  assert.deepEqual(result.png, result.grey.usual, 'a file shows what the canvas does');
  for (const [asked, colours] of [result.signed, result.channels]) assert.deepEqual(asked, colours, 'light can not show these');
  const spread = (/** @type {number[]} */ [r, g, b]) => (Math.max(r, g, b) - Math.min(r, g, b)) / Math.max(r, g, b);
  assert.deepEqual(result.orange[3], [240, 80, 20, 255]);
  assert.ok(spread(result.orange[0]) < 0.6 * spread(result.orange[3]), `its colours fade: ${result.orange[0]}`);
}));

test('overlays: a spotlight is never brighter than the photo and grows with the value; colours leave the photo where nothing stands out', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async () => {
    const { drawOverlay } = vitscope;
    let seed = 7;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const canvas = new OffscreenCanvas(256, 16);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
    const light = (/** @type {Uint8ClampedArray} */ rgba, /** @type {number} */ i) => 0.3 * rgba[4 * i] + 0.59 * rgba[4 * i + 1] + 0.11 * rgba[4 * i + 2];
    let [brighter, falls, drop, changed] = [0, 0, 0, 0];
    for (let round = 0; round < 12; round++) {
      // One colour a row, values that grow along it, as steep as they come.
      const colours = Array.from({ length: 16 }, () => [random(), random(), random()].map((x) => Math.floor(256 * x)));
      const photo = new ImageData(256, 16);
      colours.forEach((colour, y) => { for (let x = 0; x < 256; x++) photo.data.set([...colour, 255], 4 * (256 * y + x)); });
      const image = await createImageBitmap(photo);
      const power = 1 + 5 * random();
      const data = Float32Array.from({ length: 64 }, (_, i) => (i / 63) ** power);
      const map = { rows: 1, cols: 64, channels: /** @type {const} */ (1), data, signed: false, text: 'rising' };
      drawOverlay(canvas, image, map, { style: 'spotlight' });
      const drawn = context.getImageData(0, 0, 256, 16).data;
      for (let i = 0; i < 256 * 16; i++) {
        brighter = Math.max(brighter, light(drawn, i) - light(photo.data, i));
        if (i % 256) falls = Math.max(falls, light(drawn, i - 1) - light(drawn, i));
        drop = Math.max(drop, 0.4 * light(photo.data, i) - light(drawn, i));
      }
      drawOverlay(canvas, image, map, { style: 'colours' });
      const coloured = context.getImageData(0, 0, 256, 16).data;
      for (let y = 0; y < 16; y++) for (let k = 0; k < 4; k++) changed = Math.max(changed, Math.abs(coloured[4 * 256 * y + k] - photo.data[4 * 256 * y + k]));
    }
    return { brighter, falls, drop, changed };
  });
  // (Channels are rounded to whole numbers twice.)
  assert.ok(result.brighter <= 1.5, `brighter by ${result.brighter}`);
  assert.ok(result.falls <= 1.5, `falls by ${result.falls}`);
  assert.ok(result.drop <= 1.5, `below what is left by ${result.drop}`);
  assert.equal(result.changed, 0);
}));

test('an overlay leaves the canvas as it was where it fails, and its state where it does not', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async () => {
    const { drawOverlay } = vitscope;
    const map = { rows: 2, cols: 2, channels: /** @type {const} */ (1), data: Float32Array.of(0, 1, 2, 3), signed: false, text: 'four', crop: { x: 0, y: 0, width: 3, height: 3 } };
    const canvas = Object.assign(document.createElement('canvas'), { width: 30, height: 20 });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const sources = { bitmap: await createImageBitmap(new ImageData(Uint8ClampedArray.from({ length: 4 * 12 }, (_, i) => (i % 4 === 3 ? 255 : 200)), 4, 3)), canvas: Object.assign(document.createElement('canvas'), { width: 4, height: 3 }) };
    sources.canvas.getContext('2d')?.drawImage(sources.bitmap, 0, 0);
    const video = Object.assign(document.createElement('video'), { muted: true, srcObject: sources.canvas.captureStream(30) });
    const early = (() => { try { drawOverlay(canvas, video, map); } catch (error) { return `${error}`; } })();
    const repaint = setInterval(() => sources.canvas.getContext('2d')?.drawImage(sources.bitmap, 0, 0), 20);
    await video.play();
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    clearInterval(repaint);
    const alike = Object.values({ ...sources, video }).map((image) => {
      drawOverlay(canvas, image, map, { style: 'spotlight' });
      return [[2, 2], [10, 18], [29, 19]].map(([x, y]) => context.getImageData(x, y, 1, 1).data[0]);
    });
    context.setTransform(2, 0, 0, 2, 5, 5);
    Object.assign(context, { globalAlpha: 0.5, globalCompositeOperation: 'lighter', imageSmoothingEnabled: false });
    drawOverlay(canvas, sources.bitmap, map, { style: 'spotlight' });
    const state = [context.getTransform().e, context.globalAlpha, context.globalCompositeOperation, context.imageSmoothingEnabled];
    const bytes = () => context.getImageData(0, 0, 30, 20).data.join();
    const before = bytes();
    const closed = await createImageBitmap(sources.bitmap);
    closed.close();
    /** @type {[any, any, any?][]} */
    const wrong = [[closed, map], [sources.bitmap, { ...map, rows: 3 }], [sources.bitmap, map, { colormap: 'jet' }], [sources.bitmap, map, { style: 'spot' }], [sources.bitmap, map, { interpolation: 'cubic' }], [sources.bitmap, map, { faintest: 2 }], [new Image(), map]];
    const errors = wrong.map((args) => { try { drawOverlay(canvas, ...args); } catch (error) { return [/** @type {any} */ (error).code, `${error}`]; } });
    return { early, alike, state, errors, same: bytes() === before, first: context.getImageData(2, 2, 1, 1).data[0] };
  });
  assert.match(String(result.early), /The image has no pixels/);
  for (const pixels of result.alike) pixels.forEach((x, i) => assert.ok(Math.abs(x - result.alike[0][i]) <= 4, JSON.stringify(result.alike)));
  assert.equal(result.first, result.alike[0][0], 'whatever transform was set');
  assert.deepEqual(result.state, [5, 0.5, 'lighter', false]);
  assert.deepEqual(result.errors.map((error) => error?.[0]), Array(7).fill('invalid-argument'), JSON.stringify(result.errors));
  assert.ok(result.same);
}));
