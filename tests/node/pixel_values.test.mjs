/** Pixel values in place of an image: everything that takes an image gets exactly what a processor made, and says where its maps lie on it. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Vitscope } from '../../pkg/dist/index.node.js';
import { failure, wrong } from './failures.mjs';
import { samples } from './pictures.mjs';
import { distance, readTensors } from './safetensors.mjs';

/** @typedef {Record<string, any>} Any */

const FIXTURES = new URL('../fixtures/', import.meta.url);
const folder = (/** @type {string} */ name) => new URL(`${name}/`, FIXTURES);
const expected = (/** @type {string} */ name) => readTensors(new URL(`${name}/expected.safetensors`, FIXTURES));
const PICTURES = [...samples()].slice(0, 5);
/** @type {Any[]} */
const opened = [];
afterEach(() => opened.splice(0).forEach((vit) => vit.close()));
/** @template {Any} T @param {T} vit */
const kept = (vit) => (opened.push(vit), vit);
/** Without what no two runs share, and what is of the picture. @param {any} answer */
const lasting = ({ timing, crop, ...rest }) => rest;

/** @type {[string, (source: URL, options?: any) => Promise<Any>][]} */
const KINDS = [['Engine', async (source, options) => kept(await Engine.load(source, options))], ['Vitscope', async (source, options) => kept(await Vitscope.load(source, options))]];

for (const [kind, load] of KINDS) {
  test(`${kind}: the library's own pixel values give its logits, as they lie in the fixtures`, async () => {
    for (const name of ['hf_vit', 'hf_beit', 'timm_vit', 'hf_dinov2_reg', 'hf_clip_zero_shot', 'hf_swin', 'hf_mobilevit', 'hf_siglip']) {
      const { pixel_values, logits } = expected(name);
      const image = { pixelValues: pixel_values.data, shape: /** @type {any} */ (pixel_values.shape) };
      const answer = await (await load(folder(name))).classify(image);
      assert.ok(distance(answer.logits, logits.data) < 1e-5, `${name}: ${distance(answer.logits, logits.data)}`);
    }
  });

  test(`${kind}: every answer is that of the image which they were made of, to the bit`, async () => {
    for (const [name, dtype] of /** @type {const} */ ([['hf_vit', 'f32'], ['hf_siglip_zero_shot', 'int8'], ['hf_swin', 'f32']])) {
      const vit = await load(folder(name), { dtype });
      const engine = kept(await Engine.load(folder(name), { dtype }));
      const { imageSize: [height, width], stages } = vit.config;
      const valuesOf = (/** @type {any} */ picture) => ({ pixelValues: engine.preprocess(picture), shape: [3, height, width] });
      const [picture] = PICTURES;
      const values = valuesOf(picture);
      const plain = stages.every((/** @type {any} */ layer) => layer.stage === 0);
      const all = async (/** @type {any} */ image) => {
        const map = await vit.attribute(image, { target: 1 });
        const trace = await vit.trace(image);
        return {
          answer: lasting(await vit.classify(image)), map: lasting(map), curves: await vit.curves(image, map, { steps: 3 }),
          occlusion: lasting(await vit.attribute(image, { method: 'occlusion', target: 1 })), patch: await vit.patchEmbedding(image, { patch: [1, 0] }),
          trace: lasting({ ...trace }), head: lasting(trace.headMap({ layer: 0 })), rollout: plain && lasting(trace.rollout()),
        };
      };
      assert.deepEqual(await all(values), await all(picture), name);
      const taught = (/** @type {any} */ make) => vit.teach({ a: [make(PICTURES[0]), make(PICTURES[1])], b: [make(PICTURES[2])] });
      const [byValues, byPictures] = [kept(await taught(valuesOf)), kept(await taught((/** @type {any} */ picture) => picture))];
      assert.deepEqual(byValues.saveClasses(), byPictures.saveClasses(), name);
    }
  });

  test(`${kind}: maps lie on the pixel values themselves`, async () => {
    const vit = await load(folder('hf_vit'));
    const image = { pixelValues: new Float32Array(3 * 24 * 24).fill(0.25), shape: [3, 24, 24] };
    const whole = { x: 0, y: 0, width: 24, height: 24 };
    assert.deepEqual((await vit.classify(image)).crop, whole);
    assert.deepEqual((await vit.trace(image)).headMap().crop, whole);
    assert.deepEqual((await vit.attribute(image)).crop, whole);
    // 31 × 26 pixels are 5 × 4 whole patches of 6.
    await vit.resize([31, 26]);
    const odd = { pixelValues: new Float32Array(3 * 31 * 26), shape: [3, 31, 26] };
    for (const { crop } of [await vit.classify(odd), await vit.attribute(odd)]) assert.deepEqual(crop, { x: 0, y: 0, width: 24, height: 30 });
    // A grid of 13 × 13 is merged to one that reaches past it.
    const swin = await load(folder('hf_swin'), { imageSize: 26 });
    const padded = { pixelValues: new Float32Array(3 * 26 * 26), shape: [3, 26, 26] };
    assert.deepEqual((await swin.classify(padded)).crop, { x: 0, y: 0, width: 26, height: 26 });
    const { grid: [rows], patchSize: [edge] } = swin.config.stages.at(-1);
    assert.ok(rows * edge > 26);
    assert.equal((await swin.attribute(padded)).crop.width, rows * edge);
  });

  test(`${kind}: what is no pixel values of this model is refused, with both shapes`, async () => {
    const vit = await load(folder('hf_vit'));
    const good = new Float32Array(3 * 24 * 24);
    /** @type {[any, RegExp][]} */
    const cases = [
      [{ pixelValues: good, shape: [3, 24, 25] }, /\[3, 24, 25\] are 1800.*1728/],
      [{ pixelValues: good, shape: [1, 3, 24, 24] }, /\[3, height, width\], not \[1, 3, 24, 24\]/],
      [{ pixelValues: good, shape: [24, 24, 3] }, /not \[24, 24, 3\].*channels first/],
      [{ pixelValues: good }, /shape.*undefined/],
      [{ pixelValues: good, shape: [3, 0, 24] }, /not \[3, 0, 24\]/],
      [{ pixelValues: new Float64Array(1728), shape: [3, 24, 24] }, /Float32Array, not \[object Float64Array\]/],
      [{ pixelValues: new Float32Array(300), shape: [3, 10, 10] }, /\[3, 10, 10\].*\[3, 24, 24\].*resize/],
      [{ pixelValues: good.with(70, NaN), shape: [3, 24, 24] }, /70.*NaN/],
      [{ pixelValues: good.with(1727, -Infinity), shape: [3, 24, 24] }, /1727.*-Infinity/],
    ];
    for (const [image, message] of cases) {
      for (const ask of [() => vit.classify(image), () => vit.trace(image), () => vit.attribute(image), () => vit.patchEmbedding(image, { patch: [0, 0] })]) {
        await assert.rejects(async () => ask(), failure(message, 'invalid-image'));
      }
      await assert.rejects(async () => vit.classify([PICTURES[0], image]), failure(/^images\[1\]: /, 'invalid-image'));
      await assert.rejects(async () => vit.teach({ a: [image], b: [PICTURES[0]] }), failure(message, 'invalid-image'));
    }
    await assert.rejects(async () => vit.classify(wrong({ pixelValues: null, shape: [3, 24, 24] })), failure(/Float32Array, not null/, 'invalid-image'));
    assert.deepEqual(lasting(await vit.classify({ pixelValues: good, shape: [3, 24, 24] })), lasting(await vit.classify({ pixelValues: good, shape: [3, 24, 24] })), 'it goes on');
  });
}

for (const threads of [1, 2]) {
  test(`among several images, on ${threads} threads, each gets its own answer`, async () => {
    const vit = kept(await Vitscope.load(folder('hf_vit'), { threads }));
    const engine = kept(await Engine.load(folder('hf_vit')));
    const mixed = PICTURES.map((picture, i) => (i % 2 ? picture : { pixelValues: engine.preprocess(picture), shape: /** @type {const} */ ([3, 24, 24]) }));
    assert.deepEqual((await vit.classify(mixed)).map(lasting), PICTURES.map((picture) => lasting(engine.classify(picture))));
  });
}

test('they are read at the time of the call and stay the caller\'s, also a view of memory that is shared', async () => {
  const vit = kept(await Vitscope.load(folder('hf_vit'), { threads: 1 }));
  const { pixel_values, logits } = expected('hf_vit');
  const shared = new Float32Array(new SharedArrayBuffer(4 * pixel_values.data.length + 8), 4, pixel_values.data.length);
  for (const pixelValues of [pixel_values.data.slice(), shared]) {
    pixelValues.set(pixel_values.data);
    const answer = vit.classify({ pixelValues, shape: [3, 24, 24] });
    assert.equal(pixelValues.length, 1728);
    pixelValues.fill(0);
    assert.ok(distance((await answer).logits, logits.data) < 1e-5);
  }
});

test('the size that counts is the one at their turn', async () => {
  const vit = kept(await Vitscope.load(folder('hf_vit'), { threads: 1 }));
  const [small, large] = [24, 30].map((edge) => ({ pixelValues: new Float32Array(3 * edge * edge), shape: /** @type {[3, number, number]} */ ([3, edge, edge]) }));
  const before = vit.classify(small);
  const resized = vit.resize(30);
  const late = assert.rejects(vit.classify(small), failure(/\[3, 24, 24\].*\[3, 30, 30\]/, 'invalid-image'));
  const after = vit.classify(large);
  await Promise.all([before, resized, late, after]);
});
