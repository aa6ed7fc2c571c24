/** The npm package on a page of its own: its numbers, every kind of image, aborting, closing, failing. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { distance, readTensors } from '../node/safetensors.mjs';
import { TINY_TIMM, tinyTimm } from '../node/tiny_timm.mjs';
import { CONFIG, FOLDER, GRID, ROOT, classifyByCli, disturb, firstAnswer, fromDisk, onApi, openApi, otherSite, png, recover, shortName, startBrowser, startServer, temporaryFolder, trapInTrace, workersEnd } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
let first = '';
before(async () => {
  [browser, origin, first] = await Promise.all([startBrowser(), startServer(), firstAnswer()]);
});

/** @param {(tab: Awaited<ReturnType<typeof openApi>>) => Promise<void>} body */
const onApiPage = (body) => onApi(() => ({ browser, origin }), body);

test("the API gives the command line's numbers", onApiPage(async ({ page }) => {
  const folder = temporaryFolder();
  // As PNG, so that both sides decode the same pixels.
  const files = await Promise.all(['chelsea', 'coffee', 'rocket', 'astronaut'].map(async (name) => {
    const base64 = await page.evaluate(async (url) => {
      const bitmap = await createImageBitmap(await (await fetch(url)).blob());
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
      const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
      return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ''));
    }, `/www/samples/${name}.jpg`);
    const file = join(folder, `${name}.png`);
    writeFileSync(file, Buffer.from(base64, 'base64'));
    return { file, base64 };
  }));
  for (const dtype of /** @type {const} */ ([undefined, 'f32'])) {
    const expected = await classifyByCli([`.${FOLDER}`, ...files.map(({ file }) => file), ...(dtype ? ['--dtype', dtype] : [])]);
    const actual = await page.evaluate(async ({ model, images, dtype }) => {
      const vit = await vitscope.Vitscope.load(model, { dtype });
      const blobs = images.map((base64) => new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
      const answers = await Promise.all(blobs.map((blob) => vit.classify(blob)));
      vit.close();
      return { dtype: vit.config.dtype, tops: answers.map(({ top }) => top) };
    }, { model: FOLDER, images: files.map(({ base64 }) => base64), dtype });
    assert.equal(actual.dtype, dtype ?? CONFIG.dtype);
    expected.forEach(({ top }, i) => {
      assert.equal(actual.tops[i].length, 5);
      assert.deepEqual(actual.tops[i].map(({ index, label }) => [index, label]), top.map(({ index, label }) => [index, label]));
      top.forEach(({ score }, rank) => assert.ok(Math.abs(score - actual.tops[i][rank].score) < 1e-4, `${score} and ${actual.tops[i][rank].score}`));
    });
  }
}));

test("images become the pixel values that Pillow and transformers make of them", onApiPage(async ({ page }) => {
  const expected = readTensors(new URL('../fixtures/preprocess/expected.safetensors', import.meta.url));
  for (const image of ['photo', 'tall', 'small', 'dot', 'line']) {
    const { data } = expected[`${image}/hf_shortest_edge_crop`];
    const [actual, wanted] = await page.evaluate(async ({ image, pixels }) => {
      const text = async (/** @type {string} */ path) => (await fetch(`/tests/fixtures/${path}`)).text();
      const source = {
        config: await text('hf_vit/config.json'),
        preprocessor: await text('preprocess/hf_shortest_edge_crop.json'),
        weights: await (await fetch('/tests/fixtures/hf_vit/model.safetensors')).arrayBuffer(),
      };
      const vit = await vitscope.Vitscope.load(source);
      const engine = await vitscope.Engine.load(source);
      const { logits } = await vit.classify(`/tests/fixtures/preprocess/${image}.png`);
      vit.close();
      return [[...logits], [...engine.classify(new Float32Array(pixels)).logits]];
    }, { image, pixels: [...data] });
    assert.ok(distance(actual, wanted) < 1e-5, `${image}: ${distance(actual, wanted)}`);
  }
}));

test('colours under transparency are read as they are stored', onApiPage(async ({ page }) => {
  const colour = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {[number, number, number, number]} */ ([3 * x, 255 - 5 * y, 90, (4 * x * y) % 256]);
  const data = Array.from({ length: 64 * 48 }, (_, i) => colour(i % 64, Math.floor(i / 64))).flat();
  const results = await page.evaluate(async ({ model, file, data }) => {
    const [vit, engine] = await Promise.all([vitscope.Vitscope.load(model), vitscope.Engine.load(model)]);
    const blob = await (await fetch(`data:image/png;base64,${file}`)).blob();
    const expected = engine.classify({ data: new Uint8ClampedArray(data), width: 64, height: 48 });
    const answers = [await vit.classify(blob), await vit.classify(new ImageData(new Uint8ClampedArray(data), 64, 48))];
    vit.close();
    return { expected: [...expected.logits], answers: answers.map(({ logits }) => [...logits]) };
  }, { model: FOLDER, file: png(64, 48, colour).toString('base64'), data });
  for (const answer of results.answers) assert.deepEqual(answer, results.expected);
}));

test('every kind of image is accepted, gives the same answer and stays usable', onApiPage(async ({ page }) => {
  const file = png(75, 50, (x, y) => [3 * x, 5 * y, 255 - 2 * x, 255]).toString('base64');
  const results = await page.evaluate(async ({ model, file }) => {
    const vit = await vitscope.Vitscope.load(model);
    const blob = await (await fetch(`data:image/png;base64,${file}`)).blob();
    const bitmap = await createImageBitmap(blob);
    const canvas = Object.assign(document.createElement('canvas'), { width: 75, height: 50 });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.drawImage(bitmap, 0, 0);
    const data = context.getImageData(0, 0, 75, 50);
    const before = data.data.slice();
    const offscreen = new OffscreenCanvas(75, 50);
    offscreen.getContext('2d')?.putImageData(data, 0, 0);
    const url = URL.createObjectURL(blob);
    const ready = Object.assign(new Image(), { src: url });
    await ready.decode();
    const loading = Object.assign(new Image(), { src: `${url}#` });
    const frame = new VideoFrame(canvas, { timestamp: 0 });

    /** @type {Record<string, import('../../pkg/index.js').ImageSource>} */
    const sources = { blob, file: new File([blob], 'x.png'), bitmap, data, canvas, offscreen, ready, loading, frame, url, object: new URL(url), dataUrl: `data:image/png;base64,${file}` };
    /** @type {Record<string, number[]>} */
    const logits = {};
    for (const [name, source] of Object.entries(sources)) {
      const answer = await vit.classify(source);
      const trace = await vit.trace(source);
      logits[name] = [...answer.logits];
      const same = answer.logits.every((x, i) => x === trace.logits[i]);
      if (!same || trace.attentions.length !== trace.layers * trace.heads * trace.tokens ** 2) throw new Error(`${name}: trace and classify differ`);
      if (JSON.stringify(answer.crop) !== JSON.stringify({ x: 12.5, y: 0, width: 50, height: 50 })) throw new Error(`${name}: ${JSON.stringify(answer.crop)}`);
    }
    const usable = {
      bitmap: bitmap.width === 75,
      frame: frame.displayWidth === 75,
      data: data.data.length === before.length && data.data.every((x, i) => x === before[i]),
      canvas: context.getImageData(0, 0, 1, 1).data[3] === 255,
    };
    frame.close();
    vit.close();
    return { logits, usable };
  }, { model: FOLDER, file });
  assert.deepEqual(results.usable, { bitmap: true, frame: true, data: true, canvas: true });
  const { blob, frame, ...others } = results.logits;
  for (const [name, logits] of Object.entries(others)) assert.deepEqual(logits, blob, name);
  // A frame may hold its picture as luma and chroma.
  assert.ok(distance(frame, blob) < 0.02, String(distance(frame, blob)));
}));

test('a video is read as it is at the time of the call', onApiPage(async ({ page }) => {
  const tops = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const paint = (/** @type {string} */ left, /** @type {string} */ right) => {
      context.fillStyle = left;
      context.fillRect(0, 0, 32, 64);
      context.fillStyle = right;
      context.fillRect(32, 0, 32, 64);
    };
    paint('orange', 'black');
    const video = Object.assign(document.createElement('video'), { muted: true, srcObject: canvas.captureStream(30) });
    const tooEarly = await vit.classify(video).catch((error) => error.code);
    const painting = setInterval(paint, 20, 'orange', 'black'); // a stream of a canvas has a frame for every change
    await video.play();
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    clearInterval(painting);
    const still = await createImageBitmap(video);
    const asked = vit.classify(video);
    paint('blue', 'white');
    const [first, reference] = [await asked, await vit.classify(still)];
    vit.close();
    return { tooEarly, first: [...first.logits], reference: [...reference.logits] };
  }, FOLDER);
  assert.equal(tops.tooEarly, 'invalid-image');
  assert.ok(distance(tops.first, tops.reference) < 1e-5, String(distance(tops.first, tops.reference)));
}));

test("a photo is turned upright as its EXIF data says", onApiPage(async ({ page }) => {
  const result = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const canvas = new OffscreenCanvas(96, 48);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.fillStyle = 'orange';
    context.fillRect(0, 0, 96, 24);
    const jpeg = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 1 })).arrayBuffer());
    // An APP1 segment after the start marker: orientation 6, "turn a quarter clockwise to view".
    const exif = [0xff, 0xe1, 0, 34, 69, 120, 105, 102, 0, 0, 77, 77, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    const turned = new Blob([jpeg.slice(0, 2), new Uint8Array(exif), jpeg.slice(2)], { type: 'image/jpeg' });

    const plain = await createImageBitmap(new Blob([jpeg]));
    const upright = new OffscreenCanvas(48, 96);
    const turn = /** @type {OffscreenCanvasRenderingContext2D} */ (upright.getContext('2d'));
    turn.translate(48, 0);
    turn.rotate(Math.PI / 2);
    turn.drawImage(plain, 0, 0);
    const [actual, expected] = [await vit.classify(turned), await vit.classify(upright)];
    vit.close();
    return { crop: actual.crop, actual: [...actual.logits], expected: [...expected.logits] };
  }, FOLDER);
  assert.deepEqual(result.crop, { x: 0, y: 24, width: 48, height: 48 });
  assert.ok(distance(result.actual, result.expected) < 1e-5, String(distance(result.actual, result.expected)));
}));

test('a model can be given by its folder or its files', onApiPage(async ({ page }) => {
  const results = await page.evaluate(async (model) => {
    const get = (/** @type {string} */ name) => fetch(`${model}${name}`);
    const weights = await (await get('model.safetensors')).arrayBuffer();
    const config = await (await get('config.json')).json();
    const preprocessor = await (await get('preprocessor_config.json')).text();
    const sources = [
      model, model.replace(/\/$/, ''), `../..${model}`, new URL(model, location.href),
      { config, preprocessor, weights },
      { config: JSON.stringify(config), preprocessor: new Blob([preprocessor]), weights: new Blob([weights]) },
    ];
    const logits = [];
    for (const source of sources) {
      const vit = await vitscope.Vitscope.load(source);
      logits.push([...(await vit.classify('/www/samples/coffee.jpg')).logits]);
      vit.close();
    }
    return { logits, length: weights.byteLength };
  }, FOLDER);
  for (const logits of results.logits) assert.deepEqual(logits, results.logits[0]);
  assert.ok(results.length > 0, "the caller's buffer was not taken away");
}));

test('progress counts the bytes', onApiPage(async ({ page }) => {
  const { seen, size } = await page.evaluate(async (model) => {
    /** @type {import('../../pkg/index.js').Progress[]} */
    const seen = [];
    const vit = await vitscope.Vitscope.load(model, { onProgress: (progress) => seen.push(progress) });
    vit.close();
    const file = await (await fetch(`${model}model.safetensors`)).arrayBuffer();
    return { seen, size: file.byteLength - 8 - Number(new DataView(file).getBigUint64(0, true)) }; // all tensors
  }, FOLDER);
  const of = (/** @type {string} */ phase) => seen.filter((progress) => progress.phase === phase);
  const weights = of('weights');
  const { progress: _, ...last } = weights.at(-1) ?? { progress: 0 };
  assert.deepEqual(last, { phase: 'weights', loaded: size, total: size });
  assert.ok(seen.every(({ progress }, i) => progress >= (seen[i - 1]?.progress ?? 0)), 'it never goes back');
  assert.ok(weights.every(({ loaded, total }, i) => total === size && (i === 0 || loaded > weights[i - 1].loaded)));
  assert.ok(of('wasm').length > 0 && of('config').length > 0);
  assert.deepEqual(seen.slice(-2), [{ phase: 'prepare', loaded: 0, total: 1, progress: 0.95 }, { phase: 'prepare', loaded: 1, total: 1, progress: 1 }]);
}));

test('calls are answered in order, and aborted ones leave the others alone', onApiPage(async ({ page }) => {
  const log = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    const running = new AbortController();
    const waiting = new AbortController();
    const reason = { any: 'value' };
    /** @type {string[]} */
    const log = [];
    const note = (/** @type {string} */ name, /** @type {Promise<unknown>} */ promise) =>
      promise.then(() => log.push(`${name} done`), (error) => log.push(`${name} ${error === reason ? 'rejected with the reason' : error}`));
    const all = [
      note('first', vit.trace(image, { signal: running.signal })),
      note('second', vit.classify(image, { signal: waiting.signal })),
      note('third', vit.classify(image)),
      note('fourth', vit.trace(image)),
      note('fifth', vit.classify(image, { signal: AbortSignal.abort(reason) })),
    ];
    setTimeout(() => {
      running.abort(reason);
      waiting.abort(reason);
    });
    await Promise.all(all);
    running.abort(reason); // after the end: nothing
    const { top } = await vit.classify(image, { topK: 1, signal: new AbortController().signal });
    log.push(`then ${top.length}`);
    vit.close();
    return log;
  }, FOLDER);
  assert.equal(log[0], 'fifth rejected with the reason');
  assert.deepEqual(log.slice(1, 3).sort(), ['first rejected with the reason', 'second rejected with the reason']);
  assert.deepEqual(log.slice(3), ['third done', 'fourth done', 'then 1']);
}));

test('several images are answered in order, the next one decoded meanwhile', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const blobs = await Promise.all(['coffee', 'chelsea', 'rocket', 'astronaut'].map(async (name) => (await fetch(`/www/samples/${name}.jpg`)).blob()));
    const images = [blobs[0], '/www/samples/chelsea.jpg', await createImageBitmap(blobs[2]), blobs[3]];
    const logits = async (/** @type {Promise<import('../../pkg/index.js').Classification>} */ answer) => (await answer).logits.join();
    /** @type {string[]} */
    const alone = [];
    for (const image of images) alone.push(await logits(vit.classify(image)));
    let decoded = 0;
    const real = createImageBitmap;
    globalThis.createImageBitmap = /** @type {any} */ (function (/** @type {any[]} */ ...args) {
      decoded++;
      return Reflect.apply(real, globalThis, args);
    });
    const together = await vit.classify(images, { topK: 2 });
    const failed = await vit.classify([blobs[0], new Blob(['no image']), ...Array(20).fill(blobs[1])]).catch((error) => error.code);
    await vit.classify(blobs[0]);
    const none = await vit.classify([]);
    vit.close();
    return { same: together.map(({ logits }, i) => logits.join() === alone[i]), top: together[1].top.length, failed, none, decoded, distinct: new Set(alone).size };
  }, FOLDER);
  assert.deepEqual(result.same, [true, true, true, true]);
  assert.equal(result.distinct, 4);
  assert.equal(result.top, 2);
  assert.equal(result.failed, 'decode-image');
  assert.deepEqual(result.none, []);
  assert.ok(result.decoded >= 4 && result.decoded < 10, `${result.decoded} decoded here: the files and the bitmap's copy, and none behind the one that failed`);
}));

test('a trace that is posted to another worker has its views there', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const trace = await vit.trace('/www/samples/coffee.jpg', { layers: [0, 1] });
    vit.close();
    const script = `
      import { Trace } from '${location.origin}/pkg/dist/index.js';
      onmessage = async ({ data }) => {
        const trace = await Trace.from(data);
        postMessage([trace.headMap({ layer: 1 }), trace.featureMap({ layer: 0 }), await trace.patchLens({ layer: 0 }).catch((error) => error.code)]);
      };
      postMessage('ready');`;
    const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' });
    const next = () => new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    await next();
    worker.postMessage(structuredClone(trace));
    const [head, features, code] = /** @type {any} */ (await next());
    worker.terminate();
    const here = await vitscope.Trace.from(structuredClone(trace));
    const same = (/** @type {unknown} */ a, /** @type {unknown} */ b) => JSON.stringify(a) === JSON.stringify(b);
    return { same: [same(head, trace.headMap({ layer: 1 })), same(features, trace.featureMap({ layer: 0 })), same(here.headMap({ layer: 0 }), trace.headMap({ layer: 0 }))], code };
  }, FOLDER);
  assert.deepEqual(result, { same: [true, true, true], code: 'invalid-argument' });
}));

test('a model is closed where its block ends', onApiPage(async ({ page }) => {
  // (As `using` and `await using` do it, which not every browser reads.)
  const codes = await page.evaluate(async (model) => {
    const codes = [];
    for (const symbol of /** @type {const} */ (['dispose', 'asyncDispose'])) {
      const vit = await vitscope.Vitscope.load(model);
      await /** @type {any} */ (vit)[Symbol[symbol]]?.();
      codes.push(Symbol[symbol] ? await vit.classify('/www/samples/coffee.jpg').then(() => 'answered', (error) => error.code) : 'closed');
      vit.close();
    }
    return codes;
  }, FOLDER);
  assert.deepEqual(codes, ['closed', 'closed']);
  await workersEnd(page);
}));

test('aborting a load ends its worker', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async (model) => {
    const reason = new Error('enough');
    const before = await vitscope.Vitscope.load(model, { signal: AbortSignal.abort(reason) }).catch((error) => error === reason);
    const abort = new AbortController();
    const during = await vitscope.Vitscope.load(model, { signal: abort.signal, onProgress: () => abort.abort(reason) }).catch((error) => error === reason);
    return { before, during };
  }, FOLDER);
  assert.deepEqual(result, { before: true, during: true });
  await workersEnd(page);
}));

test('after close, pending and later calls say so', onApiPage(async ({ page }) => {
  const codes = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const pending = [vit.classify('/www/samples/coffee.jpg'), vit.trace('/www/samples/coffee.jpg')];
    vit.close();
    vit.close();
    const code = (/** @type {Promise<unknown>} */ promise) => promise.then(() => 'answered', (error) => error instanceof vitscope.VitscopeError && error.code);
    return { codes: await Promise.all([...pending, vit.classify('/www/samples/coffee.jpg')].map(code)), layers: vit.config.layers };
  }, FOLDER);
  assert.deepEqual(codes.codes, ['closed', 'closed', 'closed']);
  assert.ok(codes.layers > 0);
}));

test('failures have a code and a sentence, and the instance goes on', onApiPage(async ({ page }) => {
  const foreign = await otherSite((path) => (path === '/cat.jpg' ? { body: readFileSync(join(ROOT, 'www/samples/chelsea.jpg')), type: 'image/jpeg' } : undefined));
  const results = await page.evaluate(async ({ model, foreign }) => {
    const vit = await vitscope.Vitscope.load(model);
    const any = (/** @type {any} */ value) => value;
    const closedBitmap = await createImageBitmap(new ImageData(2, 2));
    closedBitmap.close();
    const tainted = Object.assign(new Image(), { src: `${foreign}/cat.jpg` });
    await tainted.decode();
    const stained = Object.assign(document.createElement('canvas'), { width: 4, height: 4 });
    stained.getContext('2d')?.drawImage(tainted, 0, 0);
    const broken = Object.assign(new Image(), { src: '/www/style.css' });

    /** @type {Record<string, any>} */
    const images = {
      nothing: undefined, number: 7, array: [1, 2], object: { width: 2, height: 2 }, short: { width: 2, height: 2, data: new Uint8ClampedArray(3) },
      emptyCanvas: Object.assign(document.createElement('canvas'), { width: 0 }), closedBitmap, video: document.createElement('video'),
      text: new Blob(['not an image'], { type: 'text/plain' }), emptyFile: new File([], 'empty.png'), cut: (await (await fetch('/www/samples/coffee.jpg')).blob()).slice(0, 200),
      broken, tainted, stained, missing: '/www/samples/none.jpg', page: '/www/index.html', nowhere: 'http://127.0.0.1:1/x.png',
    };
    /** @type {Record<string, [string, string]>} */
    const errors = {};
    for (const [name, image] of Object.entries(images)) {
      const error = await vit.classify(image).then(() => ({ code: 'none', message: '' }), (error) => (error instanceof vitscope.VitscopeError ? error : { code: `no VitscopeError: ${error}`, message: '' }));
      errors[name] = [error.code, error.message];
    }
    errors.topK = any(await vit.classify(new ImageData(2, 2), { topK: 0 }).catch((error) => [error.code, error.message]));
    /** @type {Record<string, () => Promise<unknown>>} */
    const calls = {
      noOptions: () => vit.classify(new ImageData(2, 2), any(null)), unknownOption: () => vit.attribute(new ImageData(2, 2), any({ targets: 1 })),
      signal: () => vit.trace(new ImageData(2, 2), { signal: any({}) }), onProgress: () => vit.attribute(new ImageData(2, 2), { onProgress: any('often') }),
      steps: () => vit.curves(new ImageData(2, 2), map, { steps: any(null) }), count: () => vit.patchFilters(any({ counts: 3 })),
    };
    const map = { rows: 1, cols: 1, channels: /** @type {const} */ (1), data: new Float32Array(1), signed: false, text: '' };
    for (const [name, call] of Object.entries(calls)) errors[name] = any(await call().then(() => ['none', ''], (error) => [error.code, error.message]));
    const load = (/** @type {any} */ source, options = {}) => vitscope.Vitscope.load(source, options).catch((error) => [error.code, error.message]);
    errors.noModel = any(await load('/models/none/'));
    errors.pageAsModel = any(await load('/www/', any({})));
    errors.dtype = any(await load(model, { dtype: 'f64' }));
    errors.badSource = any(await load({ config: {} }));
    errors.badConfig = any(await load({ config: '{', weights: new ArrayBuffer(9) }));
    errors.badWeights = any(await load({ config: await (await fetch(`${model}config.json`)).json(), weights: new Blob(['x']) }));
    const after = await vit.classify('/www/samples/coffee.jpg');
    vit.close();
    return { errors, after: after.top[0].label };
  }, { model: FOLDER, foreign });
  const codes = Object.fromEntries(Object.entries(results.errors).map(([name, [code]]) => [name, code]));
  assert.deepEqual(codes, {
    nothing: 'invalid-image', number: 'invalid-image', array: 'invalid-image', object: 'invalid-image', short: 'invalid-image',
    emptyCanvas: 'invalid-image', closedBitmap: 'invalid-image', video: 'invalid-image',
    text: 'decode-image', emptyFile: 'decode-image', cut: 'decode-image', broken: 'decode-image', tainted: 'decode-image', stained: 'decode-image',
    missing: 'network', page: 'decode-image', nowhere: 'network', topK: 'invalid-argument',
    noModel: 'network', pageAsModel: 'network', dtype: 'invalid-argument', badSource: 'invalid-argument', badConfig: 'invalid-config', badWeights: 'invalid-weights',
    ...Object.fromEntries(['noOptions', 'unknownOption', 'signal', 'onProgress', 'steps', 'count'].map((name) => [name, 'invalid-argument'])),
  });
  const say = (/** @type {string} */ name) => results.errors[name][1];
  assert.match(say('missing'), /samples\/none\.jpg answered with HTTP status 404/);
  assert.match(say('noModel'), /models\/none\/(config\.json|model\.safetensors) answered with HTTP status 404/);
  assert.match(say('emptyFile'), /empty\.png/);
  assert.match(say('tainted'), /another site/);
  assert.match(say('page'), /www\/index\.html/);
  for (const [name, [, message]] of Object.entries(results.errors)) assert.match(message, /^[^\n]{15,260}\.$/, `${name}: ${message}`);
  assert.equal(shortName(results.after), first);
}));

test("a trace's views are the synchronous engine's, whatever the page's instance is", onApiPage(async ({ page, requests, warnings }) => {
  for (const threads of [1, 2]) {
    const differences = await page.evaluate(async ({ model, threads, label }) => {
      const vit = await vitscope.Vitscope.load(model, { threads });
      const engine = await vitscope.Engine.load(model);
      const image = new ImageData(Uint8ClampedArray.from({ length: 4 * 60 * 40 }, (_, i) => (i * i) % 256), 60, 40);
      const [a, b] = [await vit.trace(image), engine.trace(image)];
      /** @type {[string, unknown, unknown][]} */
      const pairs = [
        ['head', a.headMap({ layer: 2, head: 1, query: [3, 4], mass: 0.6, clip: 95 }), b.headMap({ layer: 2, head: 1, query: [3, 4], mass: 0.6, clip: 95 })],
        ['rollout', a.rollout({ fusion: 'max', discard: 0.5 }), b.rollout({ fusion: 'max', discard: 0.5 })],
        ['features', a.featureMap(), b.featureMap()],
        ['similarity', a.similarity({ query: [0, 0] }), b.similarity({ query: [0, 0] })],
        ['distance', a.attentionDistance(), b.attentionDistance()],
        ['entropy', a.attentionEntropy(), b.attentionEntropy()],
        ['logit lens', await a.logitLens(), b.logitLens()],
        ['patch lens', await a.patchLens({ layer: 3, target: label }), b.patchLens({ layer: 3, target: label })],
        ['positions', await vit.positionSimilarity(), engine.positionSimilarity()],
        ['filters', await vit.patchFilters({ count: 4 }), engine.patchFilters({ count: 4 })],
        ['occlusion', await vit.attribute(image, { method: 'occlusion', target: 3, window: 4 }), engine.attribute(image, { method: 'occlusion', target: 3, window: 4 })],
        ['chefer', await vit.attribute(image), engine.attribute(image)],
        ['grad-cam', await vit.attribute(image, { method: 'grad-cam', layer: 2 }), engine.attribute(image, { method: 'grad-cam', layer: 2 })],
        ['curves', await vit.curves(image, a.headMap(), { steps: 3 }), engine.curves(image, b.headMap(), { steps: 3 })],
        ['file', a.toSafetensors(), b.toSafetensors()],
      ];
      vit.close();
      const closed = await a.logitLens().catch((error) => error.code);
      const numbers = (/** @type {any} */ value) => JSON.stringify(value, (_, part) => (ArrayBuffer.isView(part) ? [.../** @type {any} */ (part)] : part));
      return [...pairs.filter(([, x, y]) => numbers(x) !== numbers(y)).map(([name]) => name), closed, a.rollout().rows, vit.backend.threads];
    }, { model: FOLDER, threads, label: first });
    assert.deepEqual(differences, ['closed', GRID, threads]);
  }
  assert.deepEqual(warnings, []);
  // The page's instance is of the module that was there already.
  const fetched = requests.filter((url) => url.endsWith('vitscope/relaxed-threads.wasm'));
  assert.equal(fetched.length, 1, requests.join('\n'));
}));

test('what takes many passes reports them, and can be stopped', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async (model) => {
    let passes = 0; // that the worker speaks of, whether anybody listens or not
    globalThis.Worker = class extends Worker {
      constructor(/** @type {string | URL} */ url, /** @type {WorkerOptions | undefined} */ options) {
        super(url, options);
        this.addEventListener('message', ({ data }) => (passes += data.progress?.done ? 1 : 0));
      }
    };
    const vit = await vitscope.Vitscope.load(model);
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    /** @type {import('../../pkg/index.js').Passes[]} */
    const seen = [];
    const whole = await vit.attribute(image, { method: 'occlusion', window: 2, onProgress: (passes) => seen.push(passes) });
    passes = 0;
    const abort = new AbortController();
    const reason = new Error('enough');
    /** @type {number[]} */
    const before = [];
    const stopped = await vit.curves(image, whole, {
      steps: 60, signal: abort.signal,
      onProgress: ({ done }) => before.push(done) === 3 && abort.abort(reason),
    }).then(() => 'ended', (error) => error === reason);
    const { top } = await vit.classify(image);
    vit.close();
    return { seen, target: whole.target, label: top[0].label, stopped, before, passes, text: whole.text, crop: whole.crop };
  }, FOLDER);
  const total = 1 + (GRID / 2) ** 2;
  assert.deepEqual(result.seen, Array.from({ length: total }, (_, i) => ({ done: i + 1, total })));
  assert.ok(result.passes < 20, `${result.passes} of 122 passes ran`);
  assert.equal(shortName(result.label), first);
  assert.equal(result.target.label, result.label);
  assert.ok(result.text.includes(first), result.text);
  assert.deepEqual([result.stopped, result.before], [true, [1, 2, 3]]);
  assert.deepEqual(result.crop, { x: 100, y: 0, width: 400, height: 400 });
}));

test('a download that breaks off, and a server that answers everything with its index page', async () => {
  const { page, context, close } = await openApi(browser, origin);
  await context.route('**/cut/model.safetensors', (route) => route.fulfill({ body: readFileSync(join(ROOT, FOLDER, 'model.safetensors')).subarray(0, 200_000) }));
  await context.route('**/cut/config.json', (route) => route.fulfill({ path: join(ROOT, FOLDER, 'config.json') }));
  await context.route('**/app/**', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>App</title>' }));
  const load = (/** @type {string} */ url) => page.evaluate((url) => vitscope.Vitscope.load(url).then(() => ['loaded', ''], (error) => [error.code, error.message]), url);
  const [cut, cutMessage] = await load('/cut/');
  assert.ok(['invalid-weights', 'network'].includes(cut), `${cut}: ${cutMessage}`);
  const [app, appMessage] = await load('/app/');
  assert.equal(app, 'network');
  assert.match(appMessage, /\/app\/(config\.json|model\.safetensors) answered with an HTML page/);
  await close();
});

test('a wasm trap rejects what is pending and whatever comes, and tells to load again', async () => {
  const { page, context, close } = await openApi(browser, origin);
  await trapInTrace(context);
  const result = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const settle = (/** @type {Promise<unknown>} */ promise) => promise.then(() => ['answered', '', ''], (error) => [error.code, error.message, error.cause?.name]);
    const image = '/www/samples/coffee.jpg';
    const before = await settle(vit.classify(image));
    const pending = await Promise.all([vit.trace(image), vit.classify(image)].map(settle));
    return { before, pending, later: await settle(vit.classify(image)) };
  }, FOLDER);
  assert.equal(result.before[0], 'answered');
  for (const [code, message, cause] of [...result.pending, result.later]) {
    assert.equal(code, 'crashed');
    assert.match(message, /unreachable.*Load the model again/);
    assert.equal(cause, 'RuntimeError');
  }
  await workersEnd(page);
  await close();
});

test('a package whose wasm is missing says so', async () => {
  const { page, context, close } = await openApi(browser, origin);
  await disturb(context, '**/pkg/dist/vitscope/*.wasm', (route) => route.fulfill({ status: 404, body: '' }));
  const load = () => page.evaluate((model) => vitscope.Vitscope.load(model).then(() => ['loaded', ''], (error) => [error.code, error.message]), FOLDER);
  const [code, message] = await load();
  assert.equal(code, 'network');
  assert.match(message, /vitscope\/[\w-]+\.wasm answered with HTTP status 404.*dist\/vitscope\/.*assets/);
  await recover(page);
  await context.route('**/pkg/dist/vitscope/worker.js', (route) => route.fulfill({ status: 404, body: '' }));
  const [workerCode, workerMessage] = await load();
  assert.equal(workerCode, 'network');
  assert.match(workerMessage, /worker\.js could not be started/);
  await close();
});

test('a config that can not be read is refused before its weights are there', onApiPage(async ({ page, context }) => {
  await context.route('**/models/odd/model.safetensors', () => {}); // nothing of them ever comes
  const codes = [];
  for (const config of ['{"model_type": "levit"}', '{"model_type": ', '[]']) {
    await context.route('**/models/odd/config.json', (route) => route.fulfill({ body: config }));
    codes.push(await page.evaluate(() => vitscope.Vitscope.load('/models/odd/').then(() => 'loaded', (error) => error.code)));
  }
  assert.deepEqual(codes, ['unsupported-architecture', 'invalid-config', 'invalid-config']);
  await workersEnd(page);
}));

test('names of classes that can not be fetched are missed once', async () => {
  const { page, context, warnings, close } = await openApi(browser, origin);
  await disturb(context, '**/imagenet-1k.txt', (route) => route.fulfill({ status: 404, body: '' }));
  const load = () => page.evaluate(async ({ config, weights }) => {
    const vit = await vitscope.Vitscope.load({ config, weights: Uint8Array.from(weights) });
    vit.close();
    return vit.config.labels[1];
  }, { config: TINY_TIMM, weights: [...tinyTimm(1000)] });
  assert.deepEqual([await load(), await load()], ['class 1', 'class 1']);
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0], /could not be fetched from http.*imagenet-1k\.txt/);
  await recover(page);
  assert.equal(await load(), 'goldfish, Carassius auratus');
  await close();
});

test('the package works from another site that allows it', async () => {
  const cdn = await otherSite((path) => ({ ...fromDisk(`/pkg${path}`), headers: { 'access-control-allow-origin': '*' } }));
  const { page, errors, warnings, close } = await openApi(browser, origin);
  const result = await page.evaluate(async ({ cdn, model }) => {
    const { Vitscope } = await import(`${cdn}/dist/index.js`);
    const vit = await Vitscope.load(model, { threads: 2 });
    const { top } = await vit.classify('/www/samples/coffee.jpg');
    vit.close();
    return [top[0].label, vit.backend.threads];
  }, { cdn, model: FOLDER });
  assert.deepEqual([shortName(result[0]), result[1]], [first, 2]);
  assert.deepEqual([...errors, ...warnings], []);
  await close();
});

test('a browser without SIMD is told so before anything is downloaded', async () => {
  const old = await startBrowser(['--js-flags=--no-enable-ssse3 --no-enable-sse4-1']);
  const { page, requests } = await openApi(old, origin);
  const known = requests.length;
  const [code, message] = await page.evaluate((model) => vitscope.Vitscope.load(model).then(() => ['loaded', ''], (error) => [error.code, error.message]), FOLDER);
  assert.equal(code, 'unsupported-browser', message);
  assert.match(message, /WebAssembly SIMD/);
  assert.equal(requests.length, known);
});
