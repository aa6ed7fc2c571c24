/** What the npm package makes of a place that is against it: policies, service workers, too little memory, workers that end, callbacks that throw. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CONFIG, FOLDER, GRID, ROOT, TRAP, addToEngine, fromDisk, openApi, openTab, otherSite, startBrowser, startServer, workersEnd } from './harness.mjs';

const SMALL = '/tests/fixtures/hf_vit/';
const PHOTO = '/www/samples/coffee.jpg';
/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/**
 * The package's page from a server that sends other headers, or another script in the place of one.
 * @param {{headers?: Record<string, string>, of?: RegExp, scripts?: Record<string, (script: string) => string>}} changes headers: of the page, or of what `of` says
 */
async function openChanged({ headers, of = /\.html$/, scripts = {} }) {
  const site = await otherSite((path) => {
    const found = fromDisk(path);
    const edit = scripts[path];
    return { ...found, body: edit ? edit(found.body.toString()) : found.body, headers: of.test(path) ? headers : undefined };
  });
  return openApi(browser, site);
}

/**
 * What comes of a load.
 * @param {import('playwright-core').Page} page
 * @param {import('../../pkg/index.js').LoadOptions} [options]
 */
const load = (page, options, model = SMALL) =>
  page.evaluate(async ({ model, options }) => {
    try {
      const vit = await vitscope.Vitscope.load(model, options);
      vit.close();
      return ['loaded', String(vit.backend.threads)];
    } catch (error) {
      const { code, message } = /** @type {any} */ (error);
      return [code, message, error instanceof vitscope.VitscopeError];
    }
  }, { model, options });

const POLICY = "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; img-src data:";

test('a Content-Security-Policy in the way is named, with what to allow', async () => {
  for (const [policy, expected] of /** @type {[string, RegExp][]} */ ([
    [POLICY.replace(" 'wasm-unsafe-eval'", ''), /'wasm-unsafe-eval' to its script-src/],
    [`${POLICY}; worker-src 'none'`, /worker\.js may not be started.*worker-src/],
    [`${POLICY}; connect-src 'none'`, /hf_vit\/\S+ may not be fetched.*connect-src|\.wasm may not be fetched.*connect-src/],
  ])) {
    const { page, errors, close } = await openChanged({ headers: { 'content-security-policy': policy } });
    const [code, message, isOurs] = await load(page);
    assert.equal(code, 'csp', `${policy}: ${message}`);
    assert.match(String(message), expected);
    assert.equal(isOurs, true);
    assert.deepEqual(errors, []);
    await workersEnd(page);
    await close();
  }
  for (const of of [/\.html$/, /worker\.js$/]) {
    const { page, close } = await openChanged({ headers: { 'content-security-policy': POLICY }, of });
    assert.equal((await load(page))[0], 'loaded', 'that is all it needs');
    await close();
  }
  // The worker's own policy; one thread, as it needs no other module than the page has compiled.
  const { page, close } = await openChanged({ headers: { 'content-security-policy': "default-src 'self'" }, of: /worker\.js$/ });
  const [code, message] = await load(page, { threads: 1 });
  assert.ok(code === 'loaded' || (code === 'csp' && /worker\.js/.test(String(message))), `${code}: ${message}`);
  await close();
});

test("the package of another site is told what the page's policy lacks for it", async () => {
  const cdn = await otherSite((path) => ({ ...fromDisk(`/pkg${path}`), headers: { 'access-control-allow-origin': '*' } }));
  const site = (/** @type {string} */ workers) => openChanged({ headers: { 'content-security-policy': `script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' ${cdn}; worker-src ${workers}` } });
  for (const [workers, expected] of [["'self'", 'csp'], ["'self' blob:", 'network'], [`'self' blob: ${cdn}`, 'loaded']]) {
    const { page, close } = await site(workers);
    const [code, message] = await page.evaluate(async ({ cdn, model }) => {
      const { Vitscope } = await import(`${cdn}/dist/index.js`);
      return Vitscope.load(model).then((/** @type {any} */ vit) => ['loaded', vit.close()], (/** @type {any} */ error) => [error.code, error.message]);
    }, { cdn, model: SMALL });
    assert.equal(code, expected, message);
    if (expected === 'csp') assert.match(message, /worker-src.*blob:/);
    // What a worker's own imports are refused for, the page does not see.
    if (expected === 'network') assert.match(message, /worker\.js could not be started.*worker-src/);
    await close();
  }
});

test('a service worker is told that it is no place for a model', async () => {
  const script = `
    import { Engine } from '/pkg/dist/engine.js';
    self.onmessage = ({ source }) => Engine.load('${SMALL}').then(() => ['loaded', ''], ({ code, message }) => [code, message]).then((said) => source.postMessage(said));`;
  const site = await otherSite((path) => (path === '/worker.js' ? { body: script, type: 'text/javascript' } : fromDisk(path)));
  const { page, close } = await openApi(browser, site);
  const [code, message] = await page.evaluate(async () => {
    await navigator.serviceWorker.register('/worker.js', { type: 'module', scope: '/nowhere/' });
    const registration = /** @type {ServiceWorkerRegistration} */ (await navigator.serviceWorker.getRegistration('/nowhere/'));
    const worker = /** @type {ServiceWorker} */ (registration.installing ?? registration.waiting ?? registration.active);
    const said = new Promise((resolve) => navigator.serviceWorker.addEventListener('message', ({ data }) => resolve(data)));
    navigator.serviceWorker.startMessages();
    worker.postMessage('load');
    return said;
  });
  assert.equal(code, 'unsupported-environment', message);
  assert.match(message, /service worker.*in a page or in a worker/);
  await close();
});

test('where a page is called isolated and has no shared memory, one thread runs', async () => {
  const { page, warnings, close } = await openApi(browser, origin);
  await page.evaluate(() => Reflect.deleteProperty(globalThis, 'SharedArrayBuffer'));
  assert.deepEqual(await load(page, { threads: 3 }), ['loaded', '1']);
  assert.match(warnings.join(), /1 thread instead of 3: this browser has no WebAssembly threads/);
  await close();
});

test('a shared memory that the worker can not have, or not hand on, is done without', async () => {
  for (const break_ of ["WebAssembly.Memory = class { constructor() { throw new TypeError('no') } };", "WebAssembly.Memory = class { buffer = new ArrayBuffer(8) };", "Worker.prototype.postMessage = () => { throw new DOMException('no', 'DataCloneError') };", 'delete globalThis.Worker;']) {
    const { page, warnings, errors, close } = await openChanged({ scripts: { '/pkg/dist/vitscope/worker.js': (script) => break_ + script } });
    assert.deepEqual(await load(page, { threads: 2 }), ['loaded', '1'], break_);
    assert.equal(warnings.length, 1, warnings.join('\n'));
    assert.match(warnings[0], /1 thread instead of 2/);
    assert.deepEqual(errors, []);
    await workersEnd(page);
    await close();
  }
});

test("aborting in a callback and a callback's own error both end the load, in every phase", async () => {
  const { page, errors, close } = await openApi(browser, origin);
  for (const how of /** @type {const} */ (['abort', 'throw'])) {
    for (const phase of ['wasm', 'config', 'weights', 'prepare', 'prepared']) {
      const [message, same] = await page.evaluate(async ({ model, how, phase }) => {
        const abort = new AbortController();
        const own = new Error(`${how} in ${phase}`);
        const onProgress = (/** @type {import('../../pkg/index.js').Progress} */ progress) => {
          if (phase !== (progress.phase === 'prepare' && progress.loaded ? 'prepared' : progress.phase)) return;
          if (how === 'throw') throw own;
          abort.abort(own);
        };
        return vitscope.Vitscope.load(model, { signal: abort.signal, onProgress, threads: 2 }).then(() => ['loaded', false], (error) => [error.message, error === own]);
      }, { model: SMALL, how, phase });
      assert.deepEqual([message, same], [`${how} in ${phase}`, true]);
    }
  }
  assert.deepEqual(errors, []);
  await workersEnd(page);
  await close();
});

test("a callback's own error comes out of occlusion and curves, and the model goes on", async () => {
  const { page, errors, close } = await openApi(browser, origin);
  const said = await page.evaluate(async ({ model, photo }) => {
    const vit = await vitscope.Vitscope.load(model);
    const before = await vit.attribute(photo, { method: 'occlusion' });
    const own = new Error('mine');
    const onProgress = () => {
      throw own;
    };
    const failed = [vit.attribute(photo, { method: 'occlusion', onProgress }), vit.curves(photo, before, { steps: 4, onProgress })].map((answer) => answer.then(() => false, (error) => error === own));
    const results = await Promise.all(failed);
    const after = await vit.attribute(photo, { method: 'occlusion' });
    vit.close();
    return [...results, after.data.join() === before.data.join()];
  }, { model: SMALL, photo: PHOTO });
  assert.deepEqual(said, [true, true, true]);
  assert.deepEqual(errors, []);
  await close();
});

test('a worker that ends without a word ends its load, or its model', async () => {
  const ends = (/** @type {string} */ type) => ({ '/pkg/dist/vitscope/worker.js': (/** @type {string} */ script) => `self.addEventListener('message', (event) => [event.data.type, event.data.method].includes('${type}') && (event.stopImmediatePropagation(), self.close()));${script}` });
  const loading = await openChanged({ scripts: ends('block') });
  const [code, message] = await load(loading.page, { threads: 2 });
  assert.equal(code, 'crashed');
  assert.match(String(message), /its worker has ended/);
  await workersEnd(loading.page);
  await loading.close();

  const running = await openChanged({ scripts: ends('run') });
  const codes = await running.page.evaluate(async ({ model, photo }) => {
    const vit = await vitscope.Vitscope.load(model);
    const code = () => vit.classify(photo).then(() => 'answered', (error) => error.code);
    return [await code(), await code()];
  }, { model: SMALL, photo: PHOTO });
  assert.deepEqual(codes, ['crashed', 'crashed']);
  await running.close();
});

test('a worker that never starts, and a server that stalls, end in an error', async () => {
  for (const scripts of [{ '/pkg/dist/vitscope/worker.js': () => 'await new Promise(() => {});' }, { '/pkg/dist/vitscope/worker.js': () => 'self.close();' }]) {
    const { page, close } = await openChanged({ scripts });
    await page.clock.install();
    const loading = load(page);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await page.clock.runFor(70_000);
    const [code, message] = await loading;
    assert.equal(code, 'network');
    assert.match(String(message), /Nothing has arrived for 60 seconds/);
    await workersEnd(page);
    await close();
  }
});

test('JavaScript memory that can not be had for a trace leaves the model usable', async () => {
  const attentions = CONFIG.layers * CONFIG.heads * CONFIG.tokens ** 2;
  const edit = (/** @type {string} */ script) => `
    const Real = Float32Array;
    let left = 1;
    globalThis.Float32Array = new Proxy(Real, { construct(target, args, self) {
      if (args[0] === ${attentions} && left-- > 0) throw new RangeError('Array buffer allocation failed');
      return Reflect.construct(target, args, self);
    } });${script}`;
  const { page, close } = await openChanged({ scripts: { '/pkg/dist/vitscope/worker.js': edit } });
  const said = await page.evaluate(async ({ model, photo }) => {
    const vit = await vitscope.Vitscope.load(model);
    const { logits } = await vit.classify(photo);
    const [code, isOurs] = await vit.trace(photo).then(() => ['answered', false], (error) => [error.code, error instanceof vitscope.VitscopeError]);
    const trace = await vit.trace(photo);
    const again = await vit.classify(photo);
    vit.close();
    return { code, isOurs, same: [trace.logits.join() === logits.join(), again.logits.join() === logits.join()], rows: trace.headMap().rows };
  }, { model: FOLDER, photo: PHOTO });
  assert.deepEqual(said, { code: 'out-of-memory', isOurs: true, same: [true, true], rows: GRID });
  await close();
});

test('a second model that does not fit leaves the first, and neither worker nor threads behind', async () => {
  const codes = new Set();
  const file = statSync(join(ROOT, FOLDER, 'model.safetensors')).size / 65536;
  // In f32 an int8 file takes four times its size.
  for (const pages of [2, 4, 20].map((times) => Math.ceil(times * file))) {
    const small = await startBrowser([`--js-flags=--wasm-max-mem-pages=${pages}`]);
    const { page, errors, close } = await openApi(small, origin);
    const said = await page.evaluate(async ({ model, second, photo }) => {
      const first = await vitscope.Vitscope.load(model, { threads: 1 });
      const before = await first.classify(photo);
      const codes = [];
      for (const threads of [1, 2]) {
        for (const dtype of /** @type {const} */ (['f32', 'int8'])) {
          const load = async () => {
            const vit = await vitscope.Vitscope.load(second, { dtype, threads });
            await vit.trace(photo).finally(() => vit.close());
          };
          codes.push(await load().then(() => 'answered', (error) => error.code));
        }
      }
      const after = await first.classify(photo);
      first.close();
      return { codes, same: before.logits.join() === after.logits.join() };
    }, { model: SMALL, second: FOLDER, photo: PHOTO });
    assert.equal(said.same, true);
    for (const code of said.codes) {
      assert.match(code, /^(answered|out-of-memory)$/, `in ${pages} pages`);
      codes.add(code);
    }
    assert.deepEqual(errors, []);
    await workersEnd(page);
    await close();
    await small.close();
  }
  assert.deepEqual([...codes].sort(), ['answered', 'out-of-memory'], 'both happened');
});

test('an engine that dies of its memory says so, then and later', async () => {
  const small = await startBrowser(['--js-flags=--wasm-max-mem-pages=600']);
  for (const [fill, expected] of [['for (;;) wasm.memory.grow(1)', 'out-of-memory'], ['', 'crashed']]) {
    const { page, context, close } = await openApi(small, origin);
    await addToEngine(context, `Engine.prototype.record = () => { try { ${fill} } catch {} ${TRAP} }`);
    const codes = await page.evaluate(async ({ model, photo }) => {
      const vit = await vitscope.Vitscope.load(model);
      const code = (/** @type {Promise<unknown>} */ answer) => answer.then(() => 'answered', (error) => error.code);
      return [await code(vit.classify(photo)), await code(vit.trace(photo)), await code(vit.classify(photo))];
    }, { model: SMALL, photo: PHOTO });
    assert.deepEqual(codes, ['answered', expected, expected]);
    await workersEnd(page);
    await close();
  }
  await small.close();
});

test('bytes that go elsewhere while they are read are refused with a sentence', async () => {
  const { page, close } = await openApi(browser, origin);
  const said = await page.evaluate(async (model) => {
    const config = await (await fetch(`${model}config.json`)).text();
    const weights = await (await fetch(`${model}model.safetensors`)).arrayBuffer();
    const loading = vitscope.Vitscope.load({ config, weights }).then(() => ['loaded', ''], (error) => [error.code, error.message]);
    structuredClone(weights, { transfer: [weights] });
    return loading;
  }, SMALL);
  assert.equal(said[0], 'invalid-argument');
  assert.match(said[1], /model\.safetensors can't be read any more.*detached/);
  await workersEnd(page);
  await close();
});

test('an error is an instance of the class of every entry, whichever thread it comes from', async () => {
  const { page, close } = await openTab(browser).then(async (tab) => (await tab.page.goto(`${origin}/tests/page/api.html`), tab));
  await page.waitForSelector('html[data-ready=yes]');
  const said = await page.evaluate(async (model) => {
    const engine = await import(`${location.origin}/pkg/dist/engine.js`);
    const wrong = { config: '{}', weights: new Uint8Array(100) };
    const errors = [await vitscope.Vitscope.load(wrong).catch((error) => error), await engine.Engine.load(wrong).catch((/** @type {unknown} */ error) => error)];
    return [engine.VitscopeError === vitscope.VitscopeError, ...errors.flatMap((error) => [error instanceof vitscope.VitscopeError, error instanceof engine.VitscopeError])];
  }, SMALL);
  assert.deepEqual(said, [false, true, true, true, true]);
  await close();
});
