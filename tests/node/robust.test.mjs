/** Nothing costs the loaded model: memory that JavaScript or the engine can't have, callbacks that throw, files that stall. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Engine, VitscopeError } from '../../pkg/dist/engine.node.js';
import * as client from '../../pkg/dist/index.node.js';
import { FOLDER as MODEL } from './model.mjs';

const FOLDER = new URL('../fixtures/hf_vit/', import.meta.url);
const IMAGE = { width: 9, height: 7, data: Uint8ClampedArray.from({ length: 252 }, (_, i) => (7 * i) % 256) };

/** @param {string} code */
const failure = (code, message = /./) => (/** @type {any} */ error) => {
  assert.ok(error instanceof VitscopeError, `${error?.stack}`);
  assert.equal(error.code, code, error.stack);
  assert.match(error.message, message);
  return true;
};

/**
 * Has a function of JavaScript's throw, at its use number `count` from now, what a browser throws that has no memory.
 * @param {any} owner
 * @param {string} name
 */
function breakable(owner, name) {
  const real = owner[name];
  let left = 0;
  let armed = false;
  const use = () => {
    if (left && --left === 0) throw new RangeError('Array buffer allocation failed');
  };
  owner[name] = new Proxy(real, {
    construct: (target, args, newTarget) => (use(), Reflect.construct(target, args, newTarget)),
    apply: (target, self, args) => (use(), Reflect.apply(target, self, args)),
  });
  return {
    /** @param {number} count */
    arm(count) {
      left = count;
      armed = true;
    },
    /** @returns {boolean} whether it has thrown */
    disarm() {
      const fired = armed && left === 0;
      left = 0;
      armed = false;
      return fired;
    },
    restore: () => void (owner[name] = real),
  };
}

test('whatever JavaScript throws below the engine is out-of-memory, and the next call answers right', async (t) => {
  const engine = await Engine.load(FOLDER);
  const pixels = engine.preprocess(IMAGE);
  const trace = engine.trace(pixels);
  const map = trace.rollout();
  const rows = () => engine.trace(pixels, { layers: [0], queries: ['cls', 'mean'], rollout: {} });
  const kept = rows();
  const own = engine.config.imageSize;
  /** @type {Record<string, () => unknown>} */
  const calls = {
    preprocess: () => engine.preprocess(IMAGE),
    crop: () => engine.crop(30, 20),
    classify: () => engine.classify(pixels).top,
    trace: () => [engine.trace(pixels).attentions, engine.trace(pixels).hiddenStates],
    rows: () => [rows().attentions, rows().rollouts],
    attribute: () => engine.attribute(pixels).data,
    occlusion: () => engine.attribute(pixels, { method: 'occlusion', window: 2 }).data,
    curves: () => engine.curves(pixels, map, { steps: 2 }).deletion,
    positions: () => engine.positionSimilarity().data,
    filters: () => engine.patchFilters({ count: 1 }).map(({ data }) => data),
    resize: () => [own.map((edge) => 2 * edge), own].map((size) => (engine.resize(/** @type {[number, number]} */ (size)), engine.config)),
    logitLens: () => trace.logitLens().data,
    patchLens: () => trace.patchLens().data,
    headMap: () => trace.headMap().data,
    rollout: () => trace.rollout().data,
    keptRow: () => kept.headMap({ layer: 0 }).data,
    rolled: () => kept.rollout().data,
    features: () => trace.featureMap().data,
    similarity: () => trace.similarity().data,
    distance: () => trace.attentionDistance().data,
    entropy: () => trace.attentionEntropy().data,
    // What is refused with a sentence has one to make.
    refusal: () => assert.throws(() => engine.classify(pixels.subarray(1)), failure('invalid-argument')),
  };
  const names = ['Float32Array', 'Uint8Array', 'Error'].map((name) => [globalThis, name]);
  const methods = [[JSON, 'parse'], [Reflect, 'set'], [Object, 'assign'], [Float32Array.prototype, 'set'], [Float32Array.prototype, 'subarray'], [Uint8Array.prototype, 'set'], [Uint8Array.prototype, 'subarray']];
  let thrown = 0;
  for (const [owner, name] of [...names, ...methods]) {
    for (const [call, run] of Object.entries(calls)) {
      const expected = run();
      for (let count = 1, fired = true; fired; count++) {
        const broken = breakable(owner, String(name));
        /** @type {any} */
        let error;
        try {
          broken.arm(count);
          run();
        } catch (caught) {
          error = caught;
        } finally {
          fired = broken.disarm();
          broken.restore();
        }
        // (The package's own JavaScript assigns too, which takes no memory to speak of.)
        if (fired && name !== 'assign' && error?.code !== 'ERR_ASSERTION') failure('out-of-memory')(error);
        assert.deepEqual(run(), expected, `${call} after ${String(name)} threw`);
        thrown += Number(fired);
      }
    }
  }
  assert.ok(thrown > 100, `${thrown}`);
  t.diagnostic(`${thrown} exceptions`);
});

test('an array that is gone is refused, and the engine goes on', async () => {
  const engine = await Engine.load(FOLDER);
  const pixels = engine.preprocess(IMAGE);
  const expected = engine.classify(pixels);
  const trace = engine.trace(pixels);
  const gone = pixels.slice();
  structuredClone(gone, { transfer: [gone.buffer] });
  assert.throws(() => engine.classify(gone), failure('invalid-argument'));
  const view = trace.headMap();
  trace.attentions = /** @type {any} */ (null);
  assert.throws(() => trace.headMap(), failure('invalid-argument'));
  assert.deepEqual(engine.classify(pixels).logits, expected.logits);
  assert.deepEqual(engine.trace(pixels).headMap(), view);
});

test('a load whose files can not be read is out-of-memory, and the next one loads', async () => {
  for (const name of ['Uint8Array', 'Float32Array']) {
    for (const count of [1, 2, 5, 20]) {
      const weights = new Uint8Array(readFileSync(new URL('model.safetensors', FOLDER)));
      const config = readFileSync(new URL('config.json', FOLDER), 'utf8');
      const broken = breakable(globalThis, name);
      try {
        const loading = Engine.load({ config, weights });
        broken.arm(count);
        await loading.catch(failure('out-of-memory'));
      } finally {
        broken.disarm();
        broken.restore();
      }
      (await Engine.load(FOLDER)).close();
    }
  }
});

test('memory that the engine can not have is out-of-memory, never a crash', async () => {
  const script = `
    import { Engine } from ${JSON.stringify(new URL('../../pkg/dist/engine.node.js', import.meta.url).href)};
    const image = { width: 2, height: 2, data: new Uint8Array(16).fill(99) };
    try {
      const engine = await Engine.load(new URL(${JSON.stringify(MODEL.href)}), { dtype: process.argv[1] });
      const map = engine.trace(image).rollout();
      engine.attribute(image, { method: 'chefer' });
      engine.attribute(image, { method: 'occlusion', window: 8, stride: 8 });
      engine.curves(image, map, { steps: 2 });
      console.log('answered');
    } catch (error) {
      console.log(error.code, error.message);
    }`;
  const run = async (/** @type {string} */ dtype, /** @type {number} */ pages) => {
    const { stdout } = await promisify(execFile)(process.execPath, [`--wasm-max-mem-pages=${pages}`, '--input-type=module', '--eval', script, dtype]);
    return [pages, stdout.trim()];
  };
  const codes = new Set();
  const file = statSync(new URL('model.safetensors', MODEL)).size / 65536;
  const limits = [0.5, 0.6, 0.9, 1.2, 1.8, 2.4, 3.3, 4.1, 5, 6.3, 7.4, 8.7, 15].map((times) => Math.ceil(times * file));
  for (const dtype of ['f32', 'int8']) {
    for (const [pages, said] of await Promise.all(limits.map((pages) => run(dtype, pages)))) {
      assert.match(String(said), /^(answered|out-of-memory .+\.)$/, `${dtype} in ${pages} pages`);
      codes.add(String(said).split(' ')[0]);
    }
  }
  assert.deepEqual([...codes].sort(), ['answered', 'out-of-memory'], 'both happened');
});

test("what a caller's callback throws is what comes out", async () => {
  const own = new Error('mine');
  for (const phase of ['config', 'weights', 'prepare']) {
    const onProgress = (/** @type {any} */ progress) => {
      if (progress.phase === phase) throw own;
    };
    await assert.rejects(Engine.load(FOLDER, { onProgress }), (error) => error === own, phase);
  }
  const engine = await Engine.load(FOLDER);
  const map = engine.trace(IMAGE).rollout();
  const before = engine.attribute(IMAGE, { method: 'occlusion' });
  const onProgress = () => {
    throw own;
  };
  assert.throws(() => engine.attribute(IMAGE, { method: 'occlusion', onProgress }), (error) => error === own);
  assert.throws(() => engine.curves(IMAGE, map, { steps: 3, onProgress }), (error) => error === own);
  assert.deepEqual(engine.attribute(IMAGE, { method: 'occlusion' }), before);
});

test('aborting in a callback is the end of the load', async () => {
  for (const phase of ['config', 'weights', 'prepare']) {
    const abort = new AbortController();
    const load = Engine.load(FOLDER, { signal: abort.signal, onProgress: (progress) => void (progress.phase === phase && abort.abort(new Error(`no ${phase}`))) });
    await assert.rejects(load, new RegExp(`^Error: no ${phase}$`));
  }
});

test('a server that stalls ends in an error, one that is slow does not', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const files = ['config.json', 'model.safetensors', 'preprocessor_config.json'].map((name) => [`/${name}`, readFileSync(new URL(name, FOLDER))]);
  const bodies = Object.fromEntries(files);
  const tensors = 8 + Number(bodies['/model.safetensors'].readBigUInt64LE());
  /** @type {import('node:http').ServerResponse | undefined} */
  let waiting;
  const server = createServer((request, response) => {
    const body = bodies[request.url ?? ''];
    if (!body) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': body.length });
    if (request.url !== '/model.safetensors') return void response.end(body);
    response.write(body.subarray(0, tensors + 100));
    waiting = response;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const address = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`;

  /** @param {(bytes: number) => void} arrived */
  const load = (arrived) => Engine.load(address, { onProgress: ({ phase, loaded }) => void (phase === 'weights' && loaded && arrived(loaded)) });
  await assert.rejects(load((loaded) => void (loaded === 100 && setImmediate(() => t.mock.timers.tick(70_000)))), failure('network', /Nothing has arrived for 60 seconds/));

  const whole = bodies['/model.safetensors'];
  let sent = tensors + 100;
  const engine = await load((loaded) => {
    if (tensors + loaded < sent) return; // what came at once is told in parts
    t.mock.timers.tick(50_000);
    const more = whole.subarray(sent, (sent += Math.ceil(whole.length / 3)));
    if (more.length) waiting?.write(more);
    if (sent >= whole.length) waiting?.end();
  });
  assert.equal(engine.config.layers, 3);
});

test('a config that can not be read is refused before its weights are there', async (t) => {
  const own = readFileSync(new URL('config.json', FOLDER), 'utf8');
  const weights = readFileSync(new URL('model.safetensors', FOLDER));
  let config = '';
  /** @type {import('node:http').ServerResponse | undefined} */
  let waiting;
  const server = createServer((request, response) => {
    if (request.url === '/config.json') return void response.writeHead(200, { 'content-length': Buffer.byteLength(config) }).end(config);
    if (request.url !== '/model.safetensors') return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': weights.length });
    response.write(weights.subarray(0, 100));
    waiting = response;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const address = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`;

  for (const [text, code, message] of /** @type {[string, string, RegExp][]} */ ([
    ['', 'invalid-config', /config\.json.*JSON/],
    [own.slice(0, -9), 'invalid-config', /config\.json.*JSON/],
    ['[]', 'invalid-config', /config\.json.*object/],
    [own.replace('"vit"', '"levit"'), 'unsupported-architecture', /`levit`.*Supported: /],
    ['{"architecture": "resnet50", "num_classes": 1000}', 'unsupported-architecture', /`resnet50`/],
  ])) {
    config = text;
    waiting = undefined;
    await assert.rejects(Engine.load(address), failure(code, message));
    // (Nobody may have asked for them yet.)
    const asked = /** @type {import('node:http').ServerResponse | undefined} */ (waiting);
    if (asked && !asked.closed) await once(asked, 'close');
  }

  /** @param {string} text */
  const loadWhole = (text) => {
    config = text;
    return Engine.load(address, { onProgress: ({ phase, loaded, total }) => void (phase === 'config' && loaded && loaded === total && setTimeout(() => waiting?.end(weights.subarray(100)), 50)) });
  };
  assert.equal((await loadWhole(own)).config.layers, 3);
  // Where a config says nothing the weights tell what it is.
  await assert.rejects(loadWhole('{"id2label": {}}'), failure('unsupported-architecture', /called like `vit\./));
});

test('an error of one entry is an instance of the class of another', async () => {
  assert.notEqual(VitscopeError, client.VitscopeError, 'each entry is one file');
  const error = await Engine.load(/** @type {any} */ (3)).catch((error) => error);
  assert.ok(error instanceof VitscopeError && error instanceof client.VitscopeError && error instanceof Error);
  const other = await client.Vitscope.load(/** @type {any} */ (3)).catch((error) => error);
  assert.ok(other instanceof VitscopeError && other instanceof client.VitscopeError);
  for (const value of [new Error('x'), null, undefined, 1, 'x', {}, { code: 'network' }]) assert.equal(/** @type {any} */ (value) instanceof VitscopeError, false);
  class Own extends VitscopeError {}
  assert.equal(other instanceof Own, false);
  assert.ok(new Own('network', 'x') instanceof Own && new Own('network', 'x') instanceof client.VitscopeError);
});
