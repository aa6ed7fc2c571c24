/** Weights in many files: a browser has six connections for a server, so no more answers may wait to be read, whatever the server knows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Hub, seeded, split } from './hub.mjs';

const BROWSERS = 6;
const many = split(seeded('hf_vit'), 12, 1e6);
const hub = new Hub({});
/** @type {number[]} */
let expected;
before(async () => {
  await hub.start();
  expected = await answer(new URL('../fixtures/hf_vit/', import.meta.url));
});
beforeEach(() => {
  hub.reset();
  hub.repositories = { 'seeded/many': { files: many } };
});
after(() => hub.close());

const IMAGE = { width: 9, height: 7, data: Uint8ClampedArray.from({ length: 252 }, (_, i) => (7 * i) % 256) };

/** @param {any} source @param {import('../../pkg/index.js').LoadOptions} [options] */
async function answer(source, options) {
  const engine = await Engine.load(source, { hub: hub.url, cache: false, ...options });
  const { logits } = engine.classify(IMAGE);
  engine.close();
  return [...logits];
}
const places = () => ['hf:seeded/many', `${hub.url}folders/seeded/many/`];

/** A `fetch` that counts answers that have neither come to their end nor been given up. */
function counting() {
  let open = 0;
  const count = {
    most: 0,
    /** @type {typeof globalThis.fetch} */
    fetch: async (input, options) => {
      count.most = Math.max(count.most, ++open);
      const response = await fetch(input, options);
      const reader = response.body?.getReader();
      let announced = Number(response.headers.get('content-length'));
      let left = () => void (open--, (left = () => {}));
      options?.signal?.addEventListener('abort', () => left());
      const body = new ReadableStream({
        async pull(controller) {
          const { done, value } = (await reader?.read()) ?? { done: true };
          if (value) controller.enqueue(value);
          else controller.close();
          if (done || !(announced -= value.length)) left();
        },
        cancel: (reason) => (left(), reader?.cancel(reason)),
      }, { highWaterMark: 0 });
      return new Response(body, response);
    },
  };
  return count;
}

for (const ranges of [true, false]) {
  for (const validator of /** @type {const} */ (['etag', 'none'])) {
    test(`twelve files, ${ranges ? 'by ranges' : 'no ranges'}, validator: ${validator}`, async () => {
      Object.assign(hub.quirks, { ranges, validator });
      for (const source of places()) {
        const count = counting();
        assert.deepEqual(await answer(source, { fetch: count.fetch }), expected);
        assert.ok(count.most <= BROWSERS, `${count.most} at once of ${source}`);
      }
    });
  }
}

test('whether what was kept is still the same is asked few at a time', async (t) => {
  const cache = mkdtempSync(join(tmpdir(), 'vitscope-many-'));
  t.after(() => rmSync(cache, { recursive: true }));
  const [, folder] = places();
  await answer(folder, { cache });
  hub.log = [];
  const count = counting();
  assert.deepEqual(await answer(folder, { cache, fetch: count.fetch }), expected);
  assert.equal(hub.log.length, Object.keys(many).length);
  assert.ok(count.most <= BROWSERS, `${count.most} at once`);
});
