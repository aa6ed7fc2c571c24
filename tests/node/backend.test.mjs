/** Which build of the engine runs in Node, and what it says of itself. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { Engine, VitscopeError } from '../../pkg/dist/engine.node.js';
import { Vitscope } from '../../pkg/dist/index.node.js';
import { chooseBackend } from '../../pkg/lib/engine/backend.js';
import { wrong } from './failures.mjs';

const FOLDER = new URL('../fixtures/hf_vit/', import.meta.url);
const image = { width: 8, height: 8, data: new Uint8Array(256).fill(200) };
// i8x16.relaxed_swizzle, another instruction than the one the package asks for.
const RELAXED = WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11]));


/**
 * What is said in the console meanwhile.
 * @param {import('node:test').TestContext} t
 */
function warnings(t) {
  const { mock } = t.mock.method(console, 'warn', () => {});
  return () => mock.calls.map((call) => String(call.arguments[0]));
}

/**
 * Pretends that the globals of another place are here.
 * @param {import('node:test').TestContext} t
 * @param {Record<string, unknown>} globals
 */
function pretend(t, globals) {
  for (const [name, value] of Object.entries(globals)) {
    const old = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true });
    t.after(() => (old ? Object.defineProperty(globalThis, name, old) : Reflect.deleteProperty(globalThis, name)));
  }
}

test('the best SIMD that Node has, on one thread in that of the program, and on one for each core in a worker', async (t) => {
  const said = warnings(t);
  const engine = await Engine.load(FOLDER);
  assert.deepEqual(engine.backend, { simd: RELAXED ? 'relaxed' : 'simd128', threads: 1 });
  const vit = await Vitscope.load(FOLDER);
  assert.deepEqual(vit.backend, { ...engine.backend, threads: Math.min(availableParallelism(), 8) });
  vit.close();
  assert.ok(Object.isFrozen(engine.backend));
  assert.deepEqual(said(), []);
});

test('the baseline can be forced; relaxed SIMD only where there is some', async () => {
  const engine = await Engine.load(FOLDER, { simd: 'simd128' });
  assert.equal(engine.backend.simd, 'simd128');
  const relaxed = Engine.load(FOLDER, { simd: 'relaxed' });
  if (RELAXED) {
    assert.equal((await relaxed).backend.simd, 'relaxed');
  } else {
    await assert.rejects(relaxed, (error) => error instanceof VitscopeError && error.code === 'unsupported-browser' && /Leave it out/.test(error.message));
  }
});

test('what is no backend is refused', async () => {
  for (const simd of ['avx', '', null, 1]) {
    await assert.rejects(Engine.load(FOLDER, { simd: wrong(simd) }), (error) => error instanceof VitscopeError && error.code === 'invalid-argument' && /simd must/.test(error.message));
  }
  for (const threads of [0, -1, 1.5, 256, NaN, Infinity, '2', null]) {
    await assert.rejects(Engine.load(FOLDER, { threads: wrong(threads) }), (error) => error instanceof VitscopeError && error.code === 'invalid-argument' && /threads must/.test(error.message));
  }
});

test('any number of threads gives the same answers, in a worker and without one', async (t) => {
  const said = warnings(t);
  const engine = await Engine.load(FOLDER, { threads: 1 });
  const { logits } = engine.classify(image);
  for (const threads of [1, 2, 3]) {
    const vit = await Vitscope.load(FOLDER, { threads });
    assert.equal(vit.backend.threads, threads);
    assert.deepEqual((await vit.classify(image)).logits, logits);
    vit.close();
  }
  assert.deepEqual(said(), []);
});

test('as many threads as cores, up to 8, in a worker of an isolated page', (t) => {
  const said = warnings(t);
  pretend(t, { Worker: class {}, crossOriginIsolated: true, navigator: { hardwareConcurrency: 16 } });
  assert.equal(chooseBackend(undefined, undefined).threads, 8);
  assert.equal(chooseBackend(undefined, 12).threads, 12);
  pretend(t, { navigator: { hardwareConcurrency: 4 } });
  assert.equal(chooseBackend(undefined, undefined).threads, 4);
  pretend(t, { navigator: {} }); // some browsers keep it to themselves
  assert.equal(chooseBackend(undefined, undefined).threads, 1);
  assert.deepEqual(said(), []);
});

test('elsewhere one, with the remedy for who asked for more', (t) => {
  const said = warnings(t);
  pretend(t, { Worker: class {}, crossOriginIsolated: false, navigator: { hardwareConcurrency: 4 } });
  assert.equal(chooseBackend(undefined, undefined).threads, 1);
  assert.equal(chooseBackend(undefined, 1).threads, 1);
  assert.deepEqual(said(), []);
  assert.equal(chooseBackend(undefined, 3).threads, 1);
  assert.match(said()[0], /1 thread instead of 3: .*Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp/);
  pretend(t, { crossOriginIsolated: true, document: {} });
  assert.equal(chooseBackend(undefined, undefined).threads, 1);
  assert.equal(said().length, 1);
  assert.equal(chooseBackend(undefined, 3).threads, 1);
  assert.match(said()[1], /main thread/);
  assert.equal(chooseBackend(undefined, 3, true).threads, 3, 'the page may ask for what its worker can do');
});

test('threads are chosen by what is there, not by what is promised', (t) => {
  const said = warnings(t);
  pretend(t, { Worker: class {}, crossOriginIsolated: true, navigator: { hardwareConcurrency: 6 } });
  assert.equal(chooseBackend(undefined, undefined).threads, 6);
  // WebKitGTK calls a page isolated that has no shared memory.
  pretend(t, { SharedArrayBuffer: undefined });
  assert.equal(chooseBackend(undefined, undefined).threads, 1);
  assert.equal(chooseBackend(undefined, 4).threads, 1);
  assert.equal(chooseBackend(undefined, 4).threads, 1);
  assert.equal(chooseBackend(undefined, 1).threads, 1);
  assert.deepEqual(said().map((text) => text.match(/instead of \d: this browser has no WebAssembly threads/)?.[0]), [6, 4].map((n) => `instead of ${n}: this browser has no WebAssembly threads`), 'once for each number');
});

test('places that can not run it are told so before anything is downloaded', async (t) => {
  const fetched = t.mock.method(globalThis, 'fetch');
  /** @param {Promise<unknown>} load */
  const said = async (load, /** @type {string} */ code, /** @type {RegExp} */ message) =>
    assert.rejects(load, (error) => error instanceof VitscopeError && error.code === code && message.test(error.message));
  const old = t.mock.method(process, 'getBuiltinModule', () => undefined);
  await said(Vitscope.load('http://127.0.0.1:1/'), 'unsupported-environment', /no workers here.*vitscope\/engine/);
  old.mock.restore();

  const { Module } = WebAssembly;
  t.after(() => void (WebAssembly.Module = Module));
  WebAssembly.Module = /** @type {any} */ (class {
    constructor() {
      throw new WebAssembly.CompileError('Refused to compile or instantiate WebAssembly module because \'unsafe-eval\' is not allowed');
    }
  });
  await said(Engine.load('http://127.0.0.1:1/'), 'csp', /Content-Security-Policy.*'wasm-unsafe-eval' to its script-src/);
  WebAssembly.Module = Module;

  class ServiceWorkerGlobalScope {
    static [Symbol.hasInstance](/** @type {unknown} */ scope) {
      return scope === globalThis;
    }
  }
  pretend(t, { ServiceWorkerGlobalScope });
  await said(Engine.load('http://127.0.0.1:1/'), 'unsupported-environment', /service worker/);
  assert.equal(fetched.mock.callCount(), 0);
});

test('memory is told in bytes', async () => {
  const engine = await Engine.load(FOLDER, { dtype: 'f32' });
  const { wasm, weights } = engine.memory;
  const file = readFileSync(new URL('model.safetensors', FOLDER)).length;
  assert.ok(weights > 0.8 * file && weights < 1.3 * file, `${weights} for a file of ${file}`);
  assert.ok(wasm >= weights && wasm % 65536 === 0);
  const before = engine.memory.wasm;
  const others = [];
  for (let i = 0; i < 40; i++) others.push(await Engine.load(FOLDER));
  assert.ok(engine.memory.wasm > before, 'it is the memory of all engines here');
  assert.equal(engine.memory.weights, weights);
  for (const other of others) other.close();
  for (let i = 0; i < 3; i++) engine.classify(image);
  const after = engine.memory.wasm;
  for (let i = 0; i < 20; i++) engine.classify(image);
  assert.equal(engine.memory.wasm, after, 'nothing grows with use');
});
