/** Several images at once: on several threads each makes whole passes, and nothing of what is answered is other than one by one. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Vitscope, VitscopeError } from '../../pkg/dist/index.node.js';
import { wrong } from './failures.mjs';

/** @typedef {Record<string, any>} Any */

const FIXTURES = new URL('../fixtures/', import.meta.url);
/** @type {Any[]} */
const opened = [];
afterEach(() => opened.splice(0).forEach((vit) => vit.close()));
/** @param {string} name @param {Any} options @returns {Promise<Any>} */
async function load(name, options) {
  const vit = await Vitscope.load(new URL(`${name}/`, FIXTURES), options);
  opened.push(vit);
  return vit;
}

/** No two alike. */
const picture = (/** @type {number} */ i) => ({ data: Uint8ClampedArray.from({ length: 4 * 30 * (20 + i) }, (_, j) => (j % 4 === 3 ? 255 : (j * (i + 3) * 37) % 251)), width: 30, height: 20 + i });
const PICTURES = Array.from({ length: 7 }, (_, i) => picture(i));
/** Without what no two runs share. @param {any} answer */
const lasting = ({ timing, ...rest }) => rest;

for (const threads of [1, 2, 3]) {
  test(`on ${threads} threads: as one by one, whatever their number`, async () => {
    for (const [name, dtype] of [['hf_vit', 'f32'], ['hf_beit', 'int8'], ['hf_swin', 'int8'], ['hf_mobilevit', 'f32'], ['hf_clip_zero_shot', 'int8']]) {
      const vit = await load(name, { threads, dtype });
      assert.equal(vit.backend.threads, threads);
      for (const told of [{}, { topK: 2, without: { heads: [[0, 0]] } }]) {
        const alone = [];
        for (const image of PICTURES) alone.push(lasting(await vit.classify(image, told)));
        for (const count of [0, 1, 2, 3, 4, 7]) {
          const answers = await vit.classify(PICTURES.slice(0, count), told);
          assert.deepEqual(answers.map(lasting), alone.slice(0, count), `${name}, ${count} images`);
          for (const { timing } of answers) assert.ok(timing.preprocess > 0 && timing.forward > 0 && timing.total >= timing.forward, name);
        }
      }
      const { memory } = vit;
      await vit.classify(PICTURES);
      assert.deepEqual(vit.memory, memory, 'the memory of their passes is used again');
    }
  });

  test(`on ${threads} threads: the one that can't be read is named, and the others are gone on with afterwards`, async () => {
    const vit = await load('hf_vit', { threads });
    const expected = (await vit.classify(PICTURES)).map(lasting);
    for (const place of [0, 1, 2, 6]) {
      const images = PICTURES.with(place, wrong({ data: new Uint8ClampedArray(7), width: 1, height: 1 }));
      await assert.rejects(vit.classify(images), (/** @type {any} */ error) => {
        assert.ok(error instanceof VitscopeError && error.code === 'invalid-image' && error.message.startsWith(`images[${place}]: `), error.message);
        return true;
      });
      assert.deepEqual((await vit.classify(PICTURES)).map(lasting), expected);
    }
    // Others that ask at the same time, of another size too, get their own.
    const before = vit.classify(PICTURES);
    const resized = vit.resize(40);
    const after = vit.classify(PICTURES);
    assert.deepEqual((await before).map(lasting), expected);
    await resized;
    const again = [];
    for (const image of PICTURES) again.push(lasting(await vit.classify(image)));
    assert.deepEqual((await after).map(lasting), again);
    assert.notDeepEqual(again, expected);
  });

  test(`on ${threads} threads: the signal ends all of them`, async () => {
    const vit = await load('hf_vit', { threads });
    const expected = (await vit.classify(PICTURES)).map(lasting);
    for (const wait of [0, 1, 2, 5]) {
      const abort = new AbortController();
      const asked = vit.classify([...PICTURES, ...PICTURES.slice(0, 3)], { signal: abort.signal });
      for (let i = 0; i < wait; i++) await new Promise((resolve) => setImmediate(resolve));
      abort.abort('enough');
      await assert.rejects(asked, (/** @type {any} */ error) => error === 'enough');
      assert.deepEqual((await vit.classify(PICTURES)).map(lasting), expected);
    }
  });
}

test('the synchronous engine does the same, of pixel values too', async () => {
  // An instance has as many threads as its first load says: a worker has one of its own.
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(async ({ Engine }) => {
      const engine = await Engine.load(new URL(workerData.model), { threads: 2 });
      const pixels = workerData.pictures.map((picture) => engine.preprocess(picture));
      const failure = (images) => { try { engine.classify(images); } catch (error) { return error.code + ' ' + error.message; } };
      const lasting = ({ timing, ...rest }) => rest;
      parentPort.postMessage({
        threads: engine.backend.threads,
        alone: workerData.pictures.map((picture) => lasting(engine.classify(picture))),
        together: engine.classify(workerData.pictures).map(lasting),
        values: engine.classify(pixels).map(lasting),
        failures: [failure([pixels[0], new Float32Array(3)]), failure([new Float32Array(3), pixels[0]]), failure([pixels[0], pixels[1], {}])],
        again: engine.classify(workerData.pictures).map(lasting),
      });
    });`;
  const workerData = { module: new URL('../../pkg/dist/engine.node.js', import.meta.url).href, model: new URL('hf_vit/', FIXTURES).href, pictures: PICTURES };
  const worker = new Worker(code, { eval: true, workerData });
  const { threads, alone, together, values, failures, again } = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  await worker.terminate();
  assert.equal(threads, 2);
  assert.deepEqual(together, alone);
  assert.deepEqual(values, alone.map((/** @type {any} */ { crop, ...rest }) => rest));
  assert.deepEqual(again, alone);
  assert.match(failures[0], /^invalid-argument images\[1\]: 3 pixel values/);
  assert.match(failures[1], /^invalid-argument images\[0\]: 3 pixel values/);
  assert.match(failures[2], /^invalid-image images\[2\]: /);
});
