/** The four builds of the engine: which of them runs, that they agree, and what happens where threads can't be had. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { bundle } from '../../xtask/bundle.mjs';
import { FOLDER, ROOT, TRAP, firstAnswer, fromDisk, openApi, otherSite, shortName, startBrowser, startServer, workersEnd } from './harness.mjs';

/** @typedef {import('../../pkg/index.js').LoadOptions} LoadOptions */

/** @type {import('playwright-core').Browser} */
let browser;
let isolated = '';
let plain = '';
let first = '';
before(async () => {
  [browser, isolated, plain, first] = await Promise.all([startBrowser(), startServer(), startServer({ isolated: false }), firstAnswer()]);
});

/**
 * Loads the model with each of the options and traces the same image; the attention maps are returned as a digest.
 * @param {import('playwright-core').Page} page
 * @param {LoadOptions[]} options
 */
const run = (page, options) =>
  page.evaluate(async ({ model, options }) => {
    const results = [];
    for (const option of options) {
      const vit = await vitscope.Vitscope.load(model, option);
      const { logits, attentions } = await vit.trace('/www/samples/coffee.jpg');
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', attentions)).join();
      const answer = await vit.classify('/www/samples/coffee.jpg');
      results.push({ backend: vit.backend, memory: vit.memory, logits: [...logits], again: [...answer.logits], attentions: digest, top: answer.top[0].label });
      vit.close();
    }
    return results;
  }, { model: FOLDER, options });

/** The builds of the engine that were asked for. @param {string[]} requests */
const variants = (requests) => [...new Set(requests.flatMap((url) => url.match(/\/vitscope\/([\w-]+)\.wasm$/)?.[1] ?? []))].sort();

for (const simd of /** @type {const} */ (['simd128', 'relaxed'])) {
  test(`${simd}: any number of threads gives the very same numbers`, async () => {
    const { page, errors, warnings, close } = await openApi(browser, isolated);
    for (const dtype of /** @type {const} */ (['int8', 'f32'])) {
      const results = await run(page, [1, 2, 3].map((threads) => ({ simd, threads, dtype })));
      results.forEach(({ backend, logits, again, attentions, top }, i) => {
        assert.deepEqual(backend, { simd, threads: i + 1 });
        assert.deepEqual(logits, results[0].logits);
        assert.deepEqual(again, logits);
        assert.equal(attentions, results[0].attentions);
        assert.equal(shortName(top), first);
      });
    }
    assert.deepEqual([...errors, ...warnings], []);
    await workersEnd(page); // threads too
    await close();
  });
}

test('the best backend is chosen, and nothing of the others is fetched', async () => {
  for (const [origin, options, folder] of /** @type {[string, LoadOptions, string][]} */ ([
    [isolated, {}, 'relaxed-threads'], [isolated, { simd: 'simd128' }, 'simd128-threads'], [isolated, { threads: 1 }, 'relaxed'],
    [plain, {}, 'relaxed'], [plain, { simd: 'simd128' }, 'simd128'],
  ])) {
    const { page, requests, warnings, close } = await openApi(browser, origin);
    const [{ backend }] = await run(page, [options]);
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    const threads = origin === plain || options.threads === 1 ? 1 : Math.min(cores, 8);
    assert.deepEqual(backend, { simd: options.simd ?? 'relaxed', threads });
    assert.deepEqual(variants(requests), [threads === 1 ? folder.replace('-threads', '') : folder]);
    assert.deepEqual(warnings, []);
    await close();
  }
});

test('without isolation threads are missed once, and the answers are the same', async () => {
  const { page, warnings, requests, close } = await openApi(browser, plain);
  const results = await run(page, [{ threads: 4 }, { threads: 4 }, { threads: 1 }]);
  for (const { backend, logits } of results) {
    assert.equal(backend.threads, 1);
    assert.deepEqual(logits, results[0].logits);
  }
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0], /1 thread instead of 4.*Cross-Origin-Opener-Policy: same-origin.*Cross-Origin-Embedder-Policy: require-corp/);
  assert.deepEqual(variants(requests), ['relaxed']);
  await close();
});

/**
 * The page from a server that has a script of its own for threads. (Playwright's routes don't see the scripts of a worker's workers.)
 * @param {() => string | undefined} script undefined: the file is missing
 */
async function openWithThread(script) {
  const site = await otherSite((path) => {
    if (path !== '/thread.js') return fromDisk(path);
    const body = script();
    return body === undefined ? undefined : { body, type: 'text/javascript' };
  });
  return openApi(browser, site);
}
const assets = { thread: '/thread.js' };
const WORKER = readFileSync(join(ROOT, 'pkg/dist/vitscope/worker.js'), 'utf8');

test('threads that cannot be started are done without', async () => {
  /** @type {string | undefined} */
  let script;
  const { page, errors, warnings, requests, close } = await openWithThread(() => script);
  const [missing] = await run(page, [{ threads: 3, assets }]);
  assert.equal(missing.backend.threads, 1);
  assert.equal(shortName(missing.top), first);
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0], /1 thread instead of 3: the worker .*thread\.js could not be started/);
  assert.deepEqual(variants(requests), ['relaxed', 'relaxed-threads']);

  script = `WebAssembly.instantiate = () => { throw new Error('no'); }; ${WORKER}`;
  const [broken] = await run(page, [{ threads: 2, assets }]);
  assert.equal(broken.backend.threads, 1);
  assert.deepEqual(broken.logits, missing.logits);
  assert.match(warnings[1], /1 thread instead of 2: a thread could not be started/);

  script = 'this is no JavaScript';
  const [unreadable] = await run(page, [{ threads: 2, assets }]);
  assert.equal(unreadable.backend.threads, 1);
  assert.match(warnings[2], /1 thread instead of 2: the worker .*thread\.js could not be started/);

  script = WORKER;
  const [mended] = await run(page, [{ threads: 2, assets }]);
  assert.equal(mended.backend.threads, 2);
  assert.deepEqual(mended.logits, missing.logits);
  assert.equal(warnings.length, 3, warnings.join('\n'));
  assert.deepEqual(errors, []);
  await workersEnd(page);
  await close();
});

test('views run on what there is: as the engine does, and where the page has no room for a shared memory, without', async () => {
  /** @param {import('playwright-core').Page} page @param {number} most pages of a shared memory @param {import('../../pkg/index.js').AssetOptions} [assets] */
  const look = (page, most, assets) => page.evaluate(async ({ model, most, assets }) => {
    /** @type {(number | undefined)[]} */
    const tried = [];
    const Real = WebAssembly.Memory;
    WebAssembly.Memory = /** @type {any} */ (function (/** @type {WebAssembly.MemoryDescriptor} */ descriptor) {
      tried.push(descriptor.maximum);
      if (Number(descriptor.maximum) > most) throw new RangeError('could not allocate memory');
      return new Real(descriptor);
    });
    const maps = [];
    for (const threads of [2, 1]) {
      const vit = await vitscope.Vitscope.load(model, { threads, assets });
      maps.push({ threads: vit.backend.threads, map: (await vit.trace('/www/samples/coffee.jpg')).rollout().data.join() });
      vit.close();
    }
    return { tried, threads: maps[0].threads, same: maps[0].map === maps[1].map };
  }, { model: FOLDER, most, assets });

  const alone = await openWithThread(() => undefined);
  assert.deepEqual(await look(alone.page, Infinity, assets), { tried: [], threads: 1, same: true });
  await alone.close();

  for (const [most, tried] of /** @type {[number, number[]][]} */ ([[16384, [16384]], [8192, [16384, 8192]], [0, [16384, 8192]]])) {
    const small = await openApi(browser, isolated);
    assert.deepEqual(await look(small.page, most), { tried, threads: 2, same: true });
    assert.deepEqual([...small.errors, ...small.warnings], []);
    await workersEnd(small.page);
    await small.close();
  }
});

test('a thread that crashes takes the instance with it', async () => {
  const [{ text }] = await bundle('worker', { code: `run_thread = () => { ${TRAP} }` });
  const { page, close } = await openWithThread(() => text);
  const [code, message] = await page.evaluate(({ model, assets }) => vitscope.Vitscope.load(model, { threads: 2, assets }).then(() => [], (error) => [error.code, error.message]), { model: FOLDER, assets });
  assert.equal(code, 'crashed');
  assert.match(message, /unreachable/);
  await workersEnd(page);
  await close();
});

/**
 * Runs a script with `Engine` and `model` in a worker of its own, and returns what it returns.
 * @param {import('playwright-core').Page} page
 * @param {string} script
 */
const inWorker = (page, script) =>
  page.evaluate(async ({ model, script }) => {
    const source = `
      import { Engine } from '${location.origin}/pkg/dist/engine.js';
      const model = new URL('${model}', '${location.origin}').href;
      const work = async () => { ${script} };
      work().then((result) => postMessage({ result }), (error) => postMessage({ error: String(error.stack) }));`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), { type: 'module' });
    const { result, error } = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
    });
    worker.terminate();
    if (error) throw new Error(error);
    return result;
  }, { model: FOLDER, script });

const CLASSIFY = 'classify({ width: 2, height: 2, data: new Uint8Array(16).fill(99) })';

test('engines of one worker share its threads, and the first load says how many', async () => {
  const { page, warnings, close } = await openApi(browser, isolated);
  const result = await inWorker(page, `
    const engines = [];
    for (const threads of [2, 2, 3, 1]) engines.push(await Engine.load(model, { threads, simd: 'simd128' }));
    const answers = engines.map((engine) => engine.${CLASSIFY}.logits.join());
    engines[0].close();
    answers.push(engines[1].${CLASSIFY}.logits.join());
    return { threads: engines.map(({ backend }) => backend.threads), answers: new Set(answers).size, memory: engines.map(({ memory }) => memory.wasm) };`);
  assert.deepEqual(result.threads, [2, 2, 2, 1]);
  assert.equal(result.answers, 1);
  assert.equal(result.memory[0], result.memory[1], 'they live in one memory');
  assert.notEqual(result.memory[0], result.memory[3]);
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0], /2 threads instead of 3/);
  await workersEnd(page);
  await close();
});

test('an engine on the main thread of a page has one thread', async () => {
  const { page, warnings, close } = await openApi(browser, isolated);
  const threads = await page.evaluate(async (model) => {
    const engines = [await vitscope.Engine.load(model), await vitscope.Engine.load(model, { threads: 2 })];
    return engines.map(({ backend }) => backend.threads);
  }, FOLDER);
  assert.deepEqual(threads, [1, 1]);
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0], /main thread can't wait.*Use Vitscope/);
  await close();
});

test('where a large shared memory is refused, a smaller one will do', async () => {
  const { page, warnings, close } = await openApi(browser, isolated);
  const limited = (/** @type {number} */ pages) => `
    const tried = [];
    const Real = WebAssembly.Memory;
    WebAssembly.Memory = function ({ maximum, ...rest }) {
      tried.push(maximum);
      if (maximum > ${pages}) throw new RangeError('could not allocate memory');
      return new Real({ maximum, ...rest });
    };
    const engine = await Engine.load(model, { threads: 2 });
    engine.${CLASSIFY};
    return { tried, threads: engine.backend.threads };`;
  assert.deepEqual(await inWorker(page, limited(16384)), { tried: [65536, 32768, 16384], threads: 2 });
  assert.deepEqual(warnings, []);
  assert.deepEqual(await inWorker(page, limited(0)), { tried: [65536, 32768, 16384, 8192], threads: 1 });
  assert.match(warnings[0], /1 thread instead of 2: .*no room for a shared memory/);
  await close();
});

test("memory is told, and the file's bytes are given back once the weights are packed", async () => {
  const { page, close } = await openApi(browser, isolated);
  const [single, threaded] = await run(page, [{ threads: 1 }, { threads: 2 }]);
  for (const { memory } of [single, threaded]) assert.ok(memory.weights > 1e6 && memory.wasm > memory.weights && memory.wasm % 65536 === 0, JSON.stringify(memory));
  assert.equal(single.memory.weights, threaded.memory.weights);

  const file = readFileSync(join(ROOT, FOLDER, 'model.safetensors'));
  const [size, tensors] = [file.length, file.length - 8 - Number(file.readBigUInt64LE())];
  const result = await inWorker(page, `
    const released = [0];
    const { transfer } = ArrayBuffer.prototype;
    ArrayBuffer.prototype.transfer = function (length) {
      if (length === 0) released[released.length - 1] += this.byteLength;
      return transfer.call(this, length);
    };
    const file = (name) => fetch(model + name);
    const mine = await (await file('model.safetensors')).arrayBuffer();
    const config = await (await file('config.json')).json();
    await Engine.load(model);
    released.push(0);
    await Engine.load({ config, weights: new Blob([mine]) });
    released.push(0);
    await Engine.load({ config, weights: mine });
    return { released, mine: mine.byteLength };`);
  assert.deepEqual(result, { released: [tensors, tensors, 0], mine: size });
  await close();
});
