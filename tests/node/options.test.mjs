/** Options that are not known, or not what they should be, are refused by a sentence that names them, and harm nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, VitscopeError, colourise, drawOverlay, toPNG, upsample } from '../../pkg/dist/engine.node.js';
import { Vitscope } from '../../pkg/dist/index.node.js';

const FOLDER = new URL('../fixtures/hf_vit/', import.meta.url);
const IMAGE = { width: 9, height: 7, data: Uint8ClampedArray.from({ length: 252 }, (_, i) => (7 * i) % 256) };

const engine = await Engine.load(FOLDER);
const trace = engine.trace(IMAGE);
const map = trace.headMap();

// A picture's size is checked before there is one.
globalThis.OffscreenCanvas ??= /** @type {any} */ (class {});

/** Every call that takes options. @type {Record<string, (options: any) => unknown>} */
const CALLS = {
  'Engine.load': (options) => Engine.load(FOLDER, options),
  'Vitscope.load': (options) => Vitscope.load(FOLDER, options),
  classify: (options) => engine.classify(IMAGE, options),
  trace: (options) => engine.trace(IMAGE, options),
  attribute: (options) => engine.attribute(IMAGE, options),
  curves: (options) => engine.curves(IMAGE, map, options),
  patchFilters: (options) => engine.patchFilters(options),
  headMap: (options) => trace.headMap(options),
  rollout: (options) => trace.rollout(options),
  featureMap: (options) => trace.featureMap(options),
  similarity: (options) => trace.similarity(options),
  patchLens: (options) => trace.patchLens(options),
  colourise: (options) => colourise(map, options),
  drawOverlay: (options) => drawOverlay(/** @type {any} */ ({}), null, map, options),
  toPNG: (options) => toPNG(map, options),
};

/**
 * @param {string} call
 * @param {unknown} options
 * @param {RegExp} message
 */
async function refuses(call, options, message) {
  /** @type {any} */
  const error = await (async () => CALLS[call](options))().then(() => undefined, (error) => error);
  const what = `${call}: ${error?.stack}`;
  assert.ok(error instanceof VitscopeError, what);
  assert.equal(error.code, 'invalid-argument', what);
  assert.match(error.message, message, what);
  assert.match(error.message, /^[^\n]{15,260}\.$/);
}

test('options that are no object, and names that are not known', async () => {
  for (const call of Object.keys(CALLS)) {
    for (const options of [null, 3, 'int8', true, Symbol('x')]) await refuses(call, options, /^The options must be an object, not /);
    for (const name of ['treshold', 'Layer', 'toString', '']) await refuses(call, { [name]: 1 }, new RegExp(`^There is no option '${name}' here\\. What there is: \\w+`));
    await refuses(call, { whatever: null }, /'whatever'/);
  }
});

test('what belongs to another call', async () => {
  await refuses('classify', { signal: AbortSignal.abort() }, /There is no option 'signal' here. What there is: topK, without, order\./);
  await refuses('attribute', { fusion: 'mean' }, /'fusion'.* method, target, layer, query, discard, window, stride, onProgress\./);
  await refuses('rollout', { layer: 1 }, /'layer'/);
  await refuses('colourise', { opacity: 1 }, /'opacity'/);
});

/** @type {Record<string, string[]>} */
const OPTIONS = {
  'Engine.load': ['dtype', 'imageSize', 'simd', 'threads', 'signal', 'onProgress'],
  'Vitscope.load': ['dtype', 'imageSize', 'simd', 'threads', 'signal', 'onProgress'],
  classify: ['topK', 'order'],
  trace: ['topK', 'layers'],
  attribute: ['method', 'target', 'layer', 'query', 'discard', 'window', 'stride', 'onProgress'],
  curves: ['target', 'steps', 'onProgress'],
  patchFilters: ['count'],
  headMap: ['layer', 'head', 'query', 'mass', 'clip'],
  rollout: ['fusion', 'discard', 'query'],
  featureMap: ['layer'],
  similarity: ['layer', 'query'],
  patchLens: ['layer', 'target'],
  colourise: ['colormap', 'range', 'faintest'],
  drawOverlay: ['colormap', 'range', 'faintest', 'style', 'opacity', 'crop'],
  toPNG: ['width', 'height'],
};

for (const [call, names] of Object.entries(OPTIONS)) {
  test(`${call}: null and other things than values`, async () => {
    for (const name of names) {
      // (A boundary that only counts bytes would take some of these for text or numbers.)
      for (const value of [null, {}, true, Symbol('x'), 1n, NaN]) {
        await refuses(call, { [name]: value }, new RegExp(`^(${name}|[Qq]uery)\\b`));
      }
      // Left out is left out.
      if (call !== 'Vitscope.load' && !/drawOverlay|toPNG/.test(call)) await CALLS[call]({ ...(call === 'curves' && { steps: 4 }), ...(name !== 'steps' && { [name]: undefined }), another: undefined });
    }
  });
}

test('files that are not known', async () => {
  for (const load of [Vitscope.load, Engine.load]) {
    await assert.rejects(load(/** @type {any} */ ({ config: {}, weights: new ArrayBuffer(8), processors: {} })), { code: 'invalid-argument', message: /^There is no file 'processors' here\. What there is: config, preprocessor, processor, weights, textEmbeddings\.$/ });
  }
});

test('sizes of an enlarged map, and nothing to draw on', () => {
  for (const size of [null, 1.5, -1, '4', NaN]) assert.throws(() => upsample(map, /** @type {any} */ (size), 4), { code: 'invalid-argument', message: /^width/ });
  for (const canvas of [null, undefined, {}, { getContext: () => null }]) assert.throws(() => drawOverlay(/** @type {any} */ (canvas), null, map), { code: 'invalid-argument', message: /canvas/ });
  assert.throws(() => drawOverlay(/** @type {any} */ ({}), null, /** @type {any} */ (null)), { code: 'invalid-argument', message: /^The map/ });
});

test('and the engine still answers', () => {
  assert.deepEqual(engine.trace(IMAGE).logits, trace.logits);
  assert.deepEqual(trace.headMap(), map);
});
