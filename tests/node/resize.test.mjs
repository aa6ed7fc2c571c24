/** The size of a loaded model: what follows it, what stays, and in which order. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { promisify } from 'node:util';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Vitscope } from '../../pkg/dist/index.node.js';
import { failure, wrong } from './failures.mjs';
import { samples } from './pictures.mjs';

/** @typedef {Record<string, any>} Any */

const FIXTURES = new URL('../fixtures/', import.meta.url);
const folder = (/** @type {string} */ name) => new URL(`${name}/`, FIXTURES);
const [PICTURE, OTHER] = samples();
/** What is to be closed, as a worker would wait for more. @type {Any[]} */
const opened = [];
afterEach(() => opened.splice(0).forEach((vit) => vit.close()));
/** @template {Any} T @param {T} vit */
const kept = (vit) => (opened.push(vit), vit);
const open = async (/** @type {URL} */ source, /** @type {import('../../pkg/index.js').LoadOptions} */ options = {}) => kept(await Vitscope.load(source, options));
/** Without what no two runs share. @param {any} answer */
const lasting = ({ timing, ...rest }) => rest;

/** Everything that an instance of either kind shows of a picture. @param {Any} vit @param {any} picture */
async function answers(vit, picture) {
  const trace = await vit.trace(picture);
  const map = await vit.attribute(picture, { target: 1 });
  return {
    config: vit.config, trace: lasting({ ...trace }), head: trace.headMap(), rollout: trace.rollout(), lens: await trace.logitLens(), patches: await trace.patchLens({ layer: 0 }), map,
    occlusion: await vit.attribute(picture, { method: 'occlusion' }), curves: await vit.curves(picture, map, { steps: 3 }),
    similarity: await (async () => vit.positionSimilarity())().catch((error) => error.message),
  };
}

/** Another size of whole patches, not square. @param {import('../../pkg/index.js').ModelConfig} config @returns {[number, number]} */
const wider = ({ imageSize: [height, width], patchSize: [ph, pw] }) => [height + ph, width + 3 * pw];

for (const [kind, load] of /** @type {[string, (source: URL, options?: any) => Promise<Any>][]} */ ([['Engine', async (source, options) => kept(await Engine.load(source, options))], ['Vitscope', open]])) {
  test(`${kind}: every answer at a size, there and back, is that of a model that was loaded for it`, async () => {
    for (const [name, dtype] of [['hf_vit', 'f32'], ['hf_beit', 'int8'], ['timm_rope_mixed_ape', 'f32'], ['timm_flexivit', 'int8'], ['hf_siglip_zero_shot', 'f32']]) {
      const vit = await load(folder(name), { dtype });
      const own = await answers(vit, PICTURE);
      const size = wider(vit.config);
      const loaded = await load(folder(name), { dtype, imageSize: size });
      assert.equal(await vit.resize(size), undefined);
      assert.deepEqual(await answers(vit, PICTURE), await answers(loaded, PICTURE), `${name} ${size}`);
      assert.deepEqual(vit.memory.weights, loaded.memory.weights, name);
      await vit.resize(own.config.imageSize);
      assert.deepEqual(await answers(vit, PICTURE), own, `${name}, back`);
    }
  });

  test(`${kind}: a trace keeps its shape and all its views; the config is another object`, async () => {
    for (const name of ['hf_vit', 'hf_siglip_zero_shot']) {
      const vit = await load(folder(name));
      const { config } = vit;
      const trace = await vit.trace(PICTURE);
      const views = async () => ({
        head: trace.headMap({ query: [0, 0] }), rollout: trace.rollout(), features: trace.featureMap(), similarity: trace.similarity(), distance: trace.attentionDistance(), entropy: trace.attentionEntropy(),
        lens: await trace.logitLens(), patches: await trace.patchLens({ layer: 1, target: 1 }), file: trace.toSafetensors(),
      });
      const before = await views();
      const [rows, cols] = config.grid;
      await vit.resize(wider(config));
      const grid = [rows + 1, cols + 3];
      assert.deepEqual(vit.config, { ...config, imageSize: wider(config), grid, tokens: config.prefixTokens + grid[0] * grid[1], stages: config.stages.map((layer) => ({ ...layer, grid })) });
      assert.deepEqual(await views(), before, name);
      assert.deepEqual([trace.grid, config.grid], [[rows, cols], [rows, cols]]);
      assert.ok(Object.isFrozen(vit.config));
      const { tokens, patchSize } = vit.config;
      await vit.resize(patchSize); // fewer tokens than the trace has
      assert.deepEqual(await views(), before, name);
      assert.ok(vit.config.tokens < tokens);
    }
  });

  test(`${kind}: a size that can't be had leaves the one before, and says why`, async () => {
    const vit = await load(folder('hf_vit'));
    const own = await answers(vit, PICTURE);
    const at = async (/** @type {any} */ size) => vit.resize(size);
    for (const size of [undefined, null, '224', 0, -16, 1.5, NaN, [224], [1, 2, 3], {}]) await assert.rejects(at(size), failure(/^imageSize must be a whole number of pixels or \[height, width\]; not /), String(size));
    const [ph] = own.config.patchSize;
    await assert.rejects(at(ph - 1), failure(/image size of \d+ × \d+ can't be run: .* smaller than a patch/));
    await assert.rejects(at(16384), failure(/tokens are too many/));
    await assert.rejects(at([8 * ph, 4_000_000_000]), failure(/width/));
    assert.deepEqual(await answers(vit, PICTURE), own);
    const fixed = await load(folder('hf_aimv2_headless'));
    await assert.rejects(async () => fixed.resize(wider(fixed.config)), failure(/positions for its own \d+ × \d+ patches alone/));
    vit.close();
    await assert.rejects(at(own.config.imageSize), failure(/closed/, 'closed'));
  });

  test(`${kind}: classes that were given have a size of their own over the same weights`, async () => {
    const vit = await load(folder('timm_vit'));
    const classes = { labels: ['a', 'b'], embeddings: Float32Array.from({ length: 2 * vit.config.numFeatures }, (_, i) => Math.sin(i)) };
    const given = kept(await vit.withClasses(classes));
    const [mine, theirs] = [await answers(vit, PICTURE), await answers(given, PICTURE)];
    const size = wider(vit.config);
    await given.resize(size);
    assert.deepEqual(await answers(vit, PICTURE), mine);
    const loaded = kept(await (await load(folder('timm_vit'), { imageSize: size })).withClasses(classes));
    assert.deepEqual(await answers(given, PICTURE), await answers(loaded, PICTURE));
    const heir = kept(await given.withClasses(classes));
    assert.deepEqual(heir.config.imageSize, size, 'one that is made of it begins at its size');
    vit.close();
    await given.resize(mine.config.imageSize);
    assert.deepEqual(await answers(given, PICTURE), theirs);
    assert.deepEqual(heir.config.imageSize, size);
  });

  test(`${kind}: memory that a larger size took serves the next`, async () => {
    const vit = await load(new URL('../../models/vitscope-tiny/', import.meta.url), { dtype: 'int8' });
    const [small, large] = [vit.config.imageSize, vit.config.imageSize.map((/** @type {number} */ edge) => 2 * edge)];
    const round = async () => {
      for (const size of [large, small]) {
        await vit.resize(size);
        await vit.trace(PICTURE);
      }
      return vit.memory;
    };
    const { weights, wasm } = vit.memory;
    const first = await round();
    assert.equal(first.weights, weights);
    for (let i = 0; i < 8; i++) await round();
    // Now and then a gap between others' memory is too small, so that it is taken once again; not with every round.
    const [most, now] = [first.wasm + (first.wasm - wasm) + 4 * 2 ** 20, (await round()).wasm];
    assert.ok(now <= most, `${wasm} → ${first.wasm} → ${now}`);
  });
}

test('calls run at the size they were made at, in the order they were made', async () => {
  const vit = await open(folder('hf_vit'));
  const { imageSize } = vit.config;
  const sizes = [imageSize, wider(vit.config), vit.config.patchSize, imageSize];
  const alone = await Promise.all(sizes.map(async (imageSize) => {
    const loaded = await open(folder('hf_vit'), { imageSize });
    const all = { classes: await loaded.classify([PICTURE, OTHER]), trace: await loaded.trace(OTHER), map: await loaded.attribute(PICTURE), similarity: await loaded.positionSimilarity() };
    return { ...all, config: loaded.config, patches: await all.trace.patchLens() };
  }));
  // All at once: nothing is waited for but the last.
  const asked = sizes.map((size, i) => {
    const resized = i ? vit.resize(size) : undefined;
    return { resized, classes: vit.classify([PICTURE, OTHER]), trace: vit.trace(OTHER), map: vit.attribute(PICTURE), similarity: vit.positionSimilarity() };
  });
  assert.deepEqual(vit.config.imageSize, imageSize, 'the config changes when the size does');
  for (const [i, { resized, classes, trace, map, similarity }] of asked.entries()) {
    const expected = alone[i];
    await resized;
    assert.deepEqual((await classes).map(lasting), expected.classes.map(lasting));
    assert.deepEqual(lasting({ ...(await trace) }), lasting({ ...expected.trace }));
    assert.deepEqual([await map, await similarity], [expected.map, expected.similarity]);
    assert.deepEqual(await (await trace).patchLens(), expected.patches);
  }
});

test('a size that fails in the queue leaves the calls behind it at the one before', async () => {
  const vit = await open(folder('hf_vit'));
  const own = await vit.classify(PICTURE);
  const failed = assert.rejects(vit.resize(1), failure(/smaller than a patch/));
  const behind = vit.classify(PICTURE);
  await failed;
  assert.deepEqual(lasting(await behind), lasting(own));
});

test('pictures and the classes of them are of one size, whatever comes behind', async () => {
  const vit = await open(folder('hf_vit'));
  const { imageSize } = vit.config;
  const examples = { a: [PICTURE], b: [OTHER] };
  const expected = await kept(await vit.teach(examples)).classify(PICTURE);
  const asked = vit.teach(examples);
  const resized = vit.resize(wider(vit.config));
  const taught = kept(await asked);
  assert.deepEqual(taught.config.imageSize, imageSize);
  assert.deepEqual(lasting(await taught.classify(PICTURE)), lasting(expected));
  await resized;
  assert.deepEqual(kept(await vit.teach(examples)).config.imageSize, vit.config.imageSize);
});

test('a size that is called off before its turn changes nothing; one that has begun is said by the config', async () => {
  const vit = await open(folder('hf_vit'));
  const { config } = vit;
  const stop = new AbortController();
  const before = vit.classify(PICTURE);
  const called = vit.resize(wider(config), { signal: stop.signal });
  stop.abort(new Error('enough'));
  await assert.rejects(called, /enough/);
  await before;
  assert.equal(vit.config, config);
  const late = new AbortController();
  const begun = vit.resize(wider(config), { signal: late.signal });
  await Promise.resolve().then(() => {}).then(() => {}).then(() => {});
  late.abort(new Error('too late'));
  await begun.catch(() => {});
  const { crop } = await vit.classify(PICTURE);
  const same = await open(folder('hf_vit'), { imageSize: vit.config.imageSize });
  assert.deepEqual((await same.classify(PICTURE)).crop, crop);
  await assert.rejects(vit.resize(32, wrong({ size: 3 })), failure(/There is no option 'size'/));
});

test('memory that a size can not have is out-of-memory, and the size before goes on', async () => {
  const script = `
    import { Engine } from ${JSON.stringify(new URL('../../pkg/dist/engine.node.js', import.meta.url).href)};
    const engine = await Engine.load(new URL(${JSON.stringify(new URL('../../models/vitscope-tiny/', import.meta.url).href)}), { threads: 1 });
    const image = { width: 2, height: 2, data: new Uint8Array(16).fill(99) };
    const { config } = engine;
    const before = String(engine.trace(image).logits);
    try {
      engine.resize(config.patchSize.map((edge) => 100 * edge));
      console.log('resized', engine.config.tokens > 10_000);
    } catch (error) {
      console.log(error.code, engine.config === config && String(engine.trace(image).logits) === before);
    }`;
  const run = async (/** @type {number} */ pages) => (await promisify(execFile)(process.execPath, [`--wasm-max-mem-pages=${pages}`, '--input-type=module', '--eval', script])).stdout.trim();
  const said = await Promise.all([400, 600, 800, 1100, 1500, 2000, 3000, 16384].map(run));
  assert.deepEqual([...new Set(said)].sort(), ['out-of-memory true', 'resized true'], String(said));
});
