/** Classes that a page gives a loaded model: instances beside each other in one worker. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { FOLDER, onApi, openApi, startBrowser, startServer, trapInTrace, workersEnd } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** @param {(tab: Awaited<ReturnType<typeof openApi>>) => Promise<void>} body */
const onApiPage = (body) => onApi(() => ({ browser, origin }), body);

test('a page teaches classes by its pictures, and both instances answer', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const names = ['astronaut', 'chelsea', 'coffee', 'rocket'];
    const photos = await Promise.all(names.map(async (name) => createImageBitmap(await (await fetch(`/www/samples/${name}.jpg`)).blob())));
    /** A part of a photo, which is overwritten at once by the next. */
    const canvas = new OffscreenCanvas(1, 1);
    const part = (/** @type {ImageBitmap} */ { width, height }, /** @type {number} */ photo, /** @type {number} */ x, /** @type {number} */ y) => {
      Object.assign(canvas, { width: 0.8 * width, height: 0.8 * height });
      canvas.getContext('2d')?.drawImage(photos[photo], -x * 0.2 * width, -y * 0.2 * height);
      return canvas;
    };
    const { config } = vit;
    const trace = await vit.trace(photos[1]);
    const lens = (await trace.logitLens()).data.join();
    /** @type {import('../../pkg/index.js').Passes[]} */
    const progress = [];
    const blob = async (/** @type {OffscreenCanvas} */ drawn) => drawn.convertToBlob();
    const examples = Object.fromEntries(await Promise.all(names.map(async (name, i) => [name, [await blob(part(photos[i], i, 0, 0)), `/www/samples/${name}.jpg`, await blob(part(photos[i], i, 1, 1))]])));
    const taught = await vit.teach(examples, { onProgress: (passes) => progress.push(passes) });
    const shown = part(photos[1], 1, 0.5, 0.5).transferToImageBitmap();
    const [own, given] = await Promise.all([vit.classify(shown), taught.classify(shown, { topK: 9 })]);
    const taughtTrace = await taught.trace(shown);
    const [map, occlusion, lenses] = await Promise.all([taught.attribute(shown), taught.attribute(shown, { method: 'occlusion', target: 'coffee', window: 4 }), taughtTrace.logitLens()]);
    const answers = await Promise.all(photos.map((photo) => taught.classify(photo)));

    const file = new Blob([taught.saveClasses()]);
    let started = 0;
    const Real = Worker;
    globalThis.Worker = class extends Real {
      /** @param {ConstructorParameters<typeof Worker>} args */
      constructor(...args) {
        super(...args);
        started++;
      }
    };
    const restored = await vit.withClasses(file);
    globalThis.Worker = Real;
    const again = await restored.classify(shown);
    const code = (/** @type {Promise<unknown>} */ promise) => promise.then(() => 'answered', (error) => error.code);
    taught.close();
    taught.close();
    const closed = [await code(taught.classify(shown)), await code(taughtTrace.logitLens()), await code(taught.withClasses(file))];
    const after = await vit.classify(shown);
    const lensAfter = (await trace.logitLens()).data.join();
    const workers = vit.memory;
    vit.close();
    const last = [await code(vit.classify(shown)), await code(restored.classify(shown))];
    const nested = await restored.teach({ person: [photos[0]], cup: [photos[2]] });
    restored.close();
    const end = (await nested.classify(shown)).top.length;
    nested.close();
    return {
      same: config === vit.config && lens === lensAfter && own.logits.join() === after.logits.join(), classes: [own.logits.length, config.numClasses, given.logits.length, taught.config.numClasses, lenses.cols],
      progress, top: given.top.map(({ label }) => label), labels: answers.map(({ top }) => top[0].label), map: map.target.label, text: occlusion.text,
      off: Math.max(...given.logits.map((x, i) => Math.abs(x - again.logits[i]))), started, closed, last, end, memory: [workers.weights, taught.memory.weights, taught.memory.wasm],
    };
  }, FOLDER);
  assert.ok(result.same, 'the first is as it was');
  const [own, config, ...given] = result.classes;
  assert.equal(own, config);
  assert.deepEqual(given, [4, 4, 4]);
  assert.deepEqual(result.progress.at(-1), { done: 12, total: 12 });
  assert.deepEqual(result.labels, ['astronaut', 'chelsea', 'coffee', 'rocket']);
  assert.deepEqual([...result.top].sort(), ['astronaut', 'chelsea', 'coffee', 'rocket']);
  assert.equal(result.map, result.top[0]);
  assert.match(result.text, /coffee/);
  assert.ok(result.off < 1e-4, `restored: ${result.off}`);
  assert.equal(result.started, 0, 'by the engine that is there');
  assert.deepEqual(result.closed, ['closed', 'closed', 'closed']);
  assert.deepEqual(result.last, ['closed', 'answered']);
  assert.equal(result.end, 2);
  assert.ok(result.memory[1] - result.memory[0] < 100_000, result.memory.join());
  await workersEnd(page);
}));

test('what is under way in one goes with it, and not in the others', onApiPage(async ({ page }) => {
  const result = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const { numFeatures } = vit.config;
    const classes = { labels: ['a', 'b'], embeddings: Float32Array.from({ length: 2 * numFeatures }, (_, i) => Math.sin(i)), scale: 9 };
    const given = await vit.withClasses(classes);
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    const code = (/** @type {Promise<unknown>} */ promise) => promise.then(() => 'answered', (error) => error.code ?? error.message);
    const expected = await vit.classify(image);
    let running = () => {};
    /** @type {Promise<void>} */
    const runs = new Promise((resolve) => (running = resolve));
    const work = code(given.attribute(image, { method: 'occlusion', window: 1, onProgress: running }));
    await runs;
    const behind = vit.classify(image);
    const made = code(given.withClasses(classes));
    given.close();
    const ends = [await work, await made, (await behind).logits.join() === expected.logits.join()];

    const abort = new AbortController();
    const reason = new Error('enough');
    const aborted = [
      await vit.teach({ a: [image, image], b: [image] }, { signal: abort.signal, onProgress: () => abort.abort(reason) }).catch((error) => error === reason),
      await vit.teach({ a: [image], b: [image] }, { signal: abort.signal }).catch((error) => error === reason),
      await vit.withClasses(classes, { signal: abort.signal }).catch((error) => error === reason),
      await vit.teach({ a: [image, image], b: [image] }, { onProgress: () => { throw reason; } }).catch((error) => error === reason),
    ];
    const refused = await Promise.all([
      code(vit.teach({ a: [image] })), code(vit.teach({ a: [image], b: ['/www/samples/none.jpg', image] })), code(vit.withClasses({ ...classes, labels: ['a', 'a'] })), code(vit.withClasses(new Blob(['no file']))),
      code(vit.withClasses(/** @type {any} */ (undefined))),
    ]);
    const after = await vit.classify(image);
    vit.close();
    return { ends, aborted, refused, same: after.logits.join() === expected.logits.join() };
  }, FOLDER);
  assert.deepEqual(result.ends, ['closed', 'closed', true]);
  assert.deepEqual(result.aborted, [true, true, true, true]);
  assert.deepEqual(result.refused, ['invalid-argument', 'network', 'invalid-argument', 'invalid-weights', 'invalid-argument']);
  assert.ok(result.same);
  await workersEnd(page);
}));

test('a crash of the one worker is all instances\'', onApiPage(async ({ page, context }) => {
  await trapInTrace(context);
  const codes = await page.evaluate(async (model) => {
    const vit = await vitscope.Vitscope.load(model);
    const given = await vit.withClasses({ labels: ['a', 'b'], embeddings: Float32Array.from({ length: 2 * vit.config.numFeatures }, (_, i) => Math.sin(i)) });
    const code = (/** @type {Promise<unknown>} */ promise) => promise.then(() => 'answered', (error) => error.code);
    const image = '/www/samples/coffee.jpg';
    const codes = await Promise.all([given.trace(image), vit.classify(image)].map(code));
    codes.push(await code(vit.classify(image)), await code(given.classify(image)), await code(vit.withClasses({ labels: ['a'], embeddings: new Float32Array(1) })));
    given.close();
    vit.close();
    return codes;
  }, FOLDER);
  assert.deepEqual(codes, ['crashed', 'crashed', 'crashed', 'crashed', 'crashed']);
  await workersEnd(page);
}));
