/** Weights that arrive in parts, from whatever they come: the same model, and nothing read that it doesn't need. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { normaliseSource } from '../../pkg/lib/source/source.js';
import { walk } from '../../pkg/lib/source/walk.js';
import { readTensors } from './safetensors.mjs';
import { newWalker } from './walker.mjs';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const file = (/** @type {string} */ path) => new Uint8Array(readFileSync(new URL(path, FIXTURES)));
const headerLength = (/** @type {Uint8Array} */ bytes) => 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));

/** A model whose text tower takes much of its file, and one in three files. */
const CLIP = { config: file('hf_clip_zero_shot/config.json'), weights: file('hf_clip_zero_shot/model.safetensors') };
const SHARDS = { config: file('hf_vit_sharded/config.json'), weights: [1, 2, 3].map((i) => file(`hf_vit_sharded/model-0000${i}-of-00003.safetensors`)) };
const inputs = { clip: readTensors(new URL('hf_clip_zero_shot/expected.safetensors', FIXTURES)).pixel_values.data, shards: readTensors(new URL('hf_vit_sharded/expected.safetensors', FIXTURES)).pixel_values.data };

/**
 * A stream of pieces of so many bytes.
 * @param {Uint8Array} bytes
 * @param {() => number} size
 * @param {{cancelled?: boolean}} [seen]
 */
const stream = (bytes, size, seen = {}) => {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = bytes.slice(at, (at += size()));
      if (piece.length) controller.enqueue(piece);
      else controller.close();
    },
    cancel: () => void (seen.cancelled = true),
  });
};

/** @type {[string, (bytes: Uint8Array) => any][]} */
const KINDS = [
  ['a Uint8Array', (bytes) => bytes],
  ['part of a larger buffer', (bytes) => new Uint8Array([9, 9, 9, ...bytes, 9]).subarray(3, 3 + bytes.length)],
  ['an ArrayBuffer', (bytes) => bytes.slice().buffer],
  ['a Blob', (bytes) => new Blob([bytes.slice()])],
  ['a File', (bytes) => new File([bytes.slice()], 'a.safetensors')],
  ['a Response', (bytes) => new Response(bytes.slice())],
  ['a Response that says its length', (bytes) => new Response(bytes.slice(), { headers: { 'content-length': `${bytes.length}` } })],
  ['a stream of single bytes', (bytes) => stream(bytes, () => 1)],
  ['a stream of odd pieces', (bytes) => {
    let i = 0;
    return stream(bytes, () => 1 + ((i += 7919) % 641));
  }],
  ['a stream in one piece', (bytes) => stream(bytes, () => bytes.length)],
];

for (const [kind, make] of KINDS) {
  test(`weights as ${kind}`, async () => {
    for (const [parts, input] of /** @type {const} */ ([[CLIP, inputs.clip], [SHARDS, inputs.shards]])) {
      const weights = [parts.weights].flat();
      const whole = await Engine.load(/** @type {any} */ (parts));
      for (const dtype of /** @type {const} */ (['f32', 'int8'])) {
        /** @type {import('../../pkg/index.js').Progress[]} */
        const seen = [];
        const engine = await Engine.load({ ...parts, weights: weights.map(make) }, { dtype, onProgress: (progress) => seen.push(progress) });
        const expected = dtype === 'f32' ? whole : await Engine.load(/** @type {any} */ (parts), { dtype });
        assert.deepEqual(engine.classify(input).features, expected.classify(input).features);
        const progress = seen.filter(({ phase }) => phase === 'weights');
        const tensors = weights.reduce((sum, bytes) => sum + bytes.length - headerLength(bytes), 0);
        assert.ok(progress.every(({ loaded, total }, i) => total === progress[0].total && (i === 0 || loaded > progress[i - 1].loaded)), 'it only grows, and its end is known from the beginning');
        assert.deepEqual([progress[0].loaded, progress.at(-1)?.loaded], [0, progress[0].total]);
        if (parts === CLIP) assert.ok(progress[0].total < tensors * 0.9, `${progress[0].total} of ${tensors} bytes are read`);
        else assert.equal(progress[0].total, tensors);
      }
    }
  });
}

test('bytes that are given stay as they were, and their owner keeps them', async () => {
  const weights = CLIP.weights.slice();
  await Engine.load({ config: CLIP.config, weights });
  assert.deepEqual(weights, CLIP.weights);
});

test('bytes that are transferred while they are read are missed', async () => {
  for (const make of [(/** @type {ArrayBuffer} */ buffer) => buffer, (/** @type {ArrayBuffer} */ buffer) => new Uint8Array(buffer)]) {
    for (const late of [false, true]) {
      const buffer = CLIP.weights.slice().buffer;
      const gone = () => void (buffer.byteLength && structuredClone(buffer, { transfer: [buffer] }));
      const loading = Engine.load({ config: CLIP.config, weights: make(buffer) }, { onProgress: ({ phase, loaded }) => void (late && phase === 'weights' && loaded > 3000 && gone()) });
      if (!late) gone();
      await assert.rejects(loading, { code: 'invalid-argument', message: /model\.safetensors can't be read any more.*detached/ });
    }
  }
});

test('a stream is left where the last tensor ends, and can be read once', async () => {
  const header = JSON.parse(new TextDecoder().decode(CLIP.weights.subarray(8, headerLength(CLIP.weights))));
  const data = CLIP.weights.length - headerLength(CLIP.weights);
  header['text_model.behind'] = { dtype: 'U8', shape: [1e6], data_offsets: [data, data + 1e6] };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const first = new Uint8Array(8);
  new DataView(first.buffer).setBigUint64(0, BigInt(text.length), true);
  const bytes = new Uint8Array([...first, ...text, ...CLIP.weights.subarray(headerLength(CLIP.weights)), ...new Uint8Array(1e6)]);
  /** @type {{cancelled?: boolean}} */
  const seen = {};
  const weights = stream(bytes, () => 1000, seen);
  await Engine.load({ config: CLIP.config, weights });
  assert.equal(seen.cancelled, true);
  await assert.rejects(Engine.load({ config: CLIP.config, weights }), { code: 'invalid-argument', message: /read once/ });
});

test('what is no weights, and what breaks off', async () => {
  const load = (/** @type {any} */ weights) => Engine.load({ config: CLIP.config, weights });
  const html = new TextEncoder().encode('<!doctype html><title>404</title>');
  for (const make of [(/** @type {Uint8Array} */ bytes) => bytes, (/** @type {Uint8Array} */ bytes) => new Blob([bytes.slice()]), (/** @type {Uint8Array} */ bytes) => stream(bytes, () => 5)]) {
    await assert.rejects(load(make(html)), { code: 'invalid-weights', message: /HTML page/ });
    await assert.rejects(load(make(new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\n'))), { code: 'invalid-weights', message: /git lfs pull/ });
    await assert.rejects(load(make(new Uint8Array(3))), { code: 'invalid-weights', message: /3 bytes long/ });
    await assert.rejects(load(make(CLIP.weights.subarray(0, 100))), { code: 'invalid-weights', message: /truncated/ });
  }
  await assert.rejects(load(CLIP.weights.subarray(0, -1)), { code: 'invalid-weights', message: /truncated/ });
  await assert.rejects(load(stream(CLIP.weights.subarray(0, headerLength(CLIP.weights) + 2000), () => 999)), { code: 'network', message: /model\.safetensors broke off after/ });
  await assert.rejects(load(new Response(CLIP.weights.slice(), { status: 404 })), { code: 'network', message: /HTTP status 404/ });
  await assert.rejects(load(new ReadableStream({ pull: (controller) => controller.enqueue('text') })), { code: 'invalid-argument', message: /Uint8Array/ });
  const failing = new ReadableStream({ pull: (controller) => controller.error(new Error('unplugged')) });
  await assert.rejects(load(failing), (/** @type {any} */ error) => error.code === 'network' && error.cause.message === 'unplugged');
});

test('a text tower that is skipped on a slow line is no server that has stalled', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const slow = () => {
    let sent = 0;
    return stream(CLIP.weights, () => {
      if ((sent += 999) > headerLength(CLIP.weights)) t.mock.timers.tick(20_000);
      return 999;
    });
  };
  const files = { 'config.json': () => CLIP.config, 'model.safetensors': slow };
  const fetch = async (/** @type {string | URL | Request} */ url) => {
    const body = Object.entries(files).find(([name]) => String(url).endsWith(`/${name}`))?.[1]();
    return new Response(body, { status: body ? 200 : 404 });
  };
  (await Engine.load('http://slow.example/', { fetch })).close();
});

test('abort ends a stream that never comes, at its header and behind it', async () => {
  for (const length of [4, headerLength(CLIP.weights) + 100]) {
    /** @type {{cancelled?: boolean}} */
    const seen = {};
    let sent = false;
    const weights = new ReadableStream({
      pull: (controller) => (sent ? new Promise(() => {}) : void ((sent = true), controller.enqueue(CLIP.weights.slice(0, length)))),
      cancel: () => void (seen.cancelled = true),
    });
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await assert.rejects(Engine.load({ config: CLIP.config, weights }, { signal: abort.signal }), /^Error: enough$/);
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(seen.cancelled, true);
  }
});

test('of files over HTTP only as many connections wait as there are files at once', async (t) => {
  const files = Object.fromEntries(['config.json', 'model.safetensors.index.json', ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`)].map((name) => [`/${name}`, file(`hf_vit_sharded/${name}`)]));
  const server = createServer((request, response) => {
    const body = files[request.url ?? ''];
    response.writeHead(body ? 200 : 404).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const engine = await Engine.load(`http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`);
  assert.deepEqual(engine.classify(inputs.shards).logits, (await Engine.load(/** @type {any} */ (SHARDS))).classify(inputs.shards).logits);
});

// The portable form

/**
 * @param {any} parts
 * @param {'f32' | 'int8' | undefined} dtype
 * @param {any} [keep]
 */
const walked = async (parts, dtype, keep) => walk(normaliseSource(parts), newWalker({ dtype }), { signal: new AbortController().signal, onProgress() {}, keeper: keep && { keep, finish() {}, drop: async () => {} } });

/**
 * A safetensors file.
 * @param {import('../../pkg/lib/source/walk.js').Kept[]} tensors
 * @param {string | undefined} format
 */
function written(tensors, format) {
  let at = 0;
  const header = Object.fromEntries(tensors.map(({ name, dtype, shape, bytes }) => [name, { dtype, shape, data_offsets: [at, (at += bytes.length)] }]));
  const text = new TextEncoder().encode(JSON.stringify(format ? { __metadata__: { format }, ...header } : header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return new Uint8Array([length, text, ...tensors.map(({ bytes }) => bytes)].flatMap((bytes) => [...bytes]));
}

for (const [name, parts, input] of /** @type {[string, any, Float32Array][]} */ ([['a zero-shot model', CLIP, inputs.clip], ['split weights', SHARDS, inputs.shards]])) {
  for (const dtype of /** @type {const} */ (['int8', 'f32'])) {
    test(`the portable form of ${name} in ${dtype} is the same model again`, async () => {
      /** @type {import('../../pkg/lib/source/walk.js').Kept[]} */
      const kept = [];
      /** @type {import('../../pkg/lib/source/walk.js').Plan | undefined} */
      let plan;
      const core = await walked(parts, dtype, (/** @type {import('../../pkg/lib/source/walk.js').Kept[]} */ tensors, /** @type {any} */ of) => {
        plan = of;
        kept.push(...tensors.map(({ bytes, ...tensor }) => ({ ...tensor, bytes: bytes.slice() })));
      });
      assert.deepEqual([plan?.quantises, plan?.format], dtype === 'int8' ? [true, 'vitscope-int8/1'] : [false, 'pt']);
      const portable = written(kept, plan?.format);
      assert.ok(!kept.some(({ name }) => name.startsWith('text_model.')));
      if (dtype === 'int8') assert.ok(kept.some(({ dtype }) => dtype === 'I8'));
      const again = await walked({ ...parts, weights: portable }, undefined);
      assert.equal(again.config.dtype, dtype);
      assert.deepEqual(again.classify(input, 3).next().value.features, core.classify(input, 3).next().value.features);
      // What is cached already is cached as it is.
      /** @type {import('../../pkg/lib/source/walk.js').Kept[]} */
      const twice = [];
      await walked({ ...parts, weights: portable }, dtype, (/** @type {any} */ tensors, /** @type {any} */ of) => {
        assert.equal(of.quantises, false);
        twice.push(...tensors.map((/** @type {any} */ { bytes, ...tensor }) => ({ ...tensor, bytes: bytes.slice() })));
      });
      const byName = (/** @type {any[]} */ tensors) => tensors.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      assert.deepEqual(byName(twice), byName(kept));
    });
  }
}
