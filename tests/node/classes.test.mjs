/** Classes that are given to a loaded model: by embeddings, by a file, by pictures. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { chooseScale, prototypes } from '../../pkg/lib/classes/teach.js';
import { failure, wrong } from './failures.mjs';
import { samples } from './pictures.mjs';
import { distance, parseTensors, readTensors } from './safetensors.mjs';

/** @typedef {import('../../pkg/index.js').Classes} Classes */

const FIXTURES = new URL('../fixtures/', import.meta.url);
const TINY = new URL('../../models/vitscope-tiny/', import.meta.url);
const bytes = (/** @type {string} */ path) => new Uint8Array(readFileSync(new URL(path, FIXTURES)));
const text = (/** @type {string} */ path) => readFileSync(new URL(path, FIXTURES), 'utf8');
const load = (/** @type {string} */ name) => Engine.load(new URL(`${name}/`, FIXTURES));
const pixels = (/** @type {string} */ name) => readTensors(new URL(`${name}/expected.safetensors`, FIXTURES)).pixel_values.data;
const parts = (/** @type {string} */ name) => ({ config: text(`${name}/config.json`), preprocessor: text(`${name}/preprocessor_config.json`), weights: bytes(`${name}/model.safetensors`) });

const LABELS = ['crème brûlée', '"quoted", \\ 茶', 'cup'];
/** Directions that no two classes share. @type {(features: number) => Float32Array<ArrayBuffer>} */
const directions = (features) => Float32Array.from({ length: 3 * features }, (_, i) => Math.sin(1.7 * i + i / features));
/** @type {(a: ArrayLike<number>, b: ArrayLike<number>) => number} */
const dot = (a, b) => Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);
const cosine = (/** @type {ArrayLike<number>} */ a, /** @type {ArrayLike<number>} */ b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** Everything that depends on the head. @param {Engine} engine @param {Float32Array} input */
function answers(engine, input) {
  const trace = engine.trace(input, { topK: 2 });
  const map = engine.attribute(input, { target: 1 });
  return {
    top: trace.top, scores: trace.scores, logits: trace.logits, features: trace.features, lens: trace.logitLens(), patches: trace.patchLens({ layer: 0, target: 1 }), map,
    cam: engine.attribute(input, { method: 'grad-cam', target: 2 }), occlusion: engine.attribute(input, { method: 'occlusion', target: 0 }), curves: engine.curves(input, map, { target: 1, steps: 3 }),
  };
}

test('a file of classes does later what it does at load, and so do its numbers', async () => {
  for (const name of ['hf_clip_zero_shot', 'hf_siglip_zero_shot', 'hf_aimv2_zero_shot']) {
    const file = bytes(`${name}/text_embeddings.safetensors`);
    const loaded = await load(name);
    const encoder = await Engine.load(parts(name));
    const expected = answers(loaded, pixels(name));
    const { text_embeddings: { shape: [, features], data } } = parseTensors(file);
    const { labels } = loaded.config;
    /** @type {Record<string, Classes | Uint8Array | ArrayBuffer>} */
    const forms = { file, buffer: file.buffer, flat: { labels, embeddings: data }, rows: { labels, embeddings: labels.map((_, i) => data.subarray(i * features, (i + 1) * features)) }, lists: { labels, embeddings: labels.map((_, i) => [...data.subarray(i * features, (i + 1) * features)]) } };
    for (const [form, classes] of Object.entries(forms)) {
      const given = encoder.withClasses(classes);
      assert.deepEqual(given.config, loaded.config, `${name}, ${form}`);
      assert.deepEqual(answers(given, pixels(name)), expected, `${name}, ${form}`);
      given.close();
    }
  }
});

test('any model answers by cosines, its own head set aside', async () => {
  for (const name of ['hf_vit', 'hf_dinov2_model', 'timm_deit_distilled', 'timm_map', 'hf_clip_zero_shot']) {
    const engine = await load(name);
    const embeddings = directions(engine.config.numFeatures);
    const given = engine.withClasses({ labels: LABELS, embeddings, scale: 5, bias: 0.25 });
    const { logits, features, top } = given.classify(pixels(name));
    assert.deepEqual(features, engine.classify(pixels(name)).features);
    const expected = LABELS.map((_, i) => 5 * cosine(embeddings.subarray(i * features.length, (i + 1) * features.length), features) + 0.25);
    assert.ok(distance(logits, expected) < 1e-5, `${name}: ${logits} instead of ${expected}`);
    assert.equal(top[0].label, LABELS[expected.indexOf(Math.max(...expected))]);
    const { labels, numClasses, numFeatures, zeroShot, similarity, scores } = given.config;
    assert.deepEqual({ labels, numClasses, numFeatures, zeroShot, similarity, scores }, { labels: LABELS, numClasses: 3, numFeatures: engine.config.numFeatures, zeroShot: true, similarity: { scale: 5, bias: 0.25 }, scores: 'softmax' });
  }
  const plain = await load('hf_vit');
  const classes = { labels: LABELS, embeddings: directions(plain.config.numFeatures) };
  assert.equal(plain.config.similarity, null);
  assert.deepEqual(plain.withClasses(classes).config.similarity, { scale: 1, bias: 0 });
  assert.equal(plain.withClasses({ ...classes, scale: wrong(null) }).config.similarity?.scale, 1);
});

test('two instances share the weights, and each goes on without the other', async () => {
  const input = pixels('hf_vit');
  const [first, second] = [await load('hf_vit'), await load('hf_vit')].map((engine) => ({ engine, config: engine.config, trace: engine.trace(input), answers: answers(engine, input) }));
  const classes = { labels: LABELS, embeddings: directions(first.config.numFeatures), scale: 3 };
  const before = first.engine.memory;
  const given = first.engine.withClasses(classes);
  const own = given.memory.weights - before.weights;
  assert.ok(own > 0 && own < 32 * given.config.numFeatures * 4, `${own} bytes`);
  const expected = answers(given, input);

  assert.equal(first.engine.config, first.config);
  assert.deepEqual(answers(first.engine, input), first.answers);
  assert.deepEqual(first.trace.logitLens(), first.answers.lens, 'its traces too');
  given.close();
  given.close();
  assert.throws(() => given.classify(input), failure(/closed/, 'closed'));
  assert.deepEqual(answers(first.engine, input), first.answers);

  const other = second.engine.withClasses(classes);
  const nested = other.withClasses({ ...classes, labels: ['a', 'b', 'c'] });
  const trace = other.trace(input);
  second.engine.close();
  assert.throws(() => second.engine.withClasses(classes), failure(/closed/, 'closed'));
  assert.throws(() => second.trace.logitLens(), failure(/closed/, 'closed'));
  assert.deepEqual(trace.logitLens(), expected.lens);
  other.close();
  assert.deepEqual(nested.classify(input).logits, expected.logits);
  assert.equal(nested.classify(input, { topK: 3 }).top.map(({ label }) => label).sort().join(), 'a,b,c');
});

test('memory of given classes is given back', async () => {
  const engine = await load('hf_vit');
  const classes = { labels: LABELS, embeddings: directions(engine.config.numFeatures) };
  const use = () => {
    const given = engine.withClasses(classes);
    given.trace(pixels('hf_vit'));
    const work = given.attribute(pixels('hf_vit'), { method: 'occlusion' });
    given.close();
    return work;
  };
  use();
  const { wasm } = engine.memory;
  for (let i = 0; i < 200; i++) use();
  assert.equal(engine.memory.wasm, wasm);
});

test('what is saved is restored: by another instance, at load, as the file that it is', async () => {
  const engine = await load('hf_vit');
  const embeddings = directions(engine.config.numFeatures);
  const given = engine.withClasses({ labels: LABELS, embeddings, scale: 20, bias: -3 });
  const { logits } = given.classify(pixels('hf_vit'));
  embeddings.fill(0); // the caller's again
  const file = given.saveClasses();
  const tensors = parseTensors(file);
  assert.deepEqual(tensors.text_embeddings.shape, [3, engine.config.numFeatures]);
  assert.deepEqual(Object.keys(tensors).sort(), ['logit_bias', 'logit_scale', 'text_embeddings']);
  for (const restored of [engine.withClasses(file), await Engine.load({ ...parts('hf_vit'), textEmbeddings: file })]) {
    assert.deepEqual(restored.config.labels, LABELS);
    assert.ok(distance(restored.classify(pixels('hf_vit')).logits, logits) < 1e-5);
  }
  // A scale of the file's goes before the model's.
  const clip = await Engine.load(parts('hf_clip_zero_shot'));
  const taught = clip.withClasses({ labels: LABELS, embeddings: directions(clip.config.numFeatures), scale: 2 });
  const again = await Engine.load({ ...parts('hf_clip_zero_shot'), textEmbeddings: taught.saveClasses() });
  assert.ok(Math.abs(Number(again.config.similarity?.scale) - 2) < 1e-5);
  const bytesAgain = clip.withClasses(taught.saveClasses()).saveClasses();
  assert.deepEqual(bytesAgain, taught.saveClasses());
  assert.throws(() => engine.saveClasses(), failure(/came with the model/));
  assert.throws(() => again.saveClasses(), failure(/came with the model/));
});

test('classes that make no sense are refused by a sentence, and cost nothing', async () => {
  const engine = await load('hf_vit');
  const { numFeatures } = engine.config;
  const good = { labels: LABELS, embeddings: directions(numFeatures) };
  /** @type {(change: (embeddings: Float32Array<ArrayBuffer>) => unknown) => {labels: string[], embeddings: Float32Array<ArrayBuffer>}} */
  const changed = (change) => {
    const embeddings = directions(numFeatures);
    change(embeddings);
    return { labels: LABELS, embeddings };
  };
  /** @type {[any, RegExp, string?][]} */
  const cases = [
    [undefined, /Classes must be/], [null, /Classes must be/], ['cat', /Classes must be/], [{}, /Classes must be/],
    [{ ...good, labels: 'abc' }, /Classes must be/], [{ ...good, labels: [1, 2, 3] }, /Classes must be/],
    [{ labels: LABELS }, /embeddings must be/], [{ ...good, embeddings: [1, 2, 3] }, /embeddings must be/], [{ ...good, embeddings: [[1, 2], [1], [1, 2]] }, /embeddings must be/],
    [{ ...good, embeddings: [null, [1], [1]] }, /embeddings must be/], [{ ...good, embeddings: new Float64Array(3) }, /embeddings must be/],
    [{ ...good, embeddings: LABELS.map(() => [1n]) }, /can't be read/],
    [{ ...good, embeddings: LABELS.map(() => Array(numFeatures).fill('x')) }, /contains NaN/],
    [{ labels: [], embeddings: [] }, /there are 0 classes/],
    [{ ...good, embeddings: new Float32Array(7) }, new RegExp(`7 values, where 3 classes of ${numFeatures} features`)],
    [changed((embeddings) => embeddings.fill(0, numFeatures, 2 * numFeatures)), /茶` is all zeros/],
    [changed((embeddings) => (embeddings[2 * numFeatures] = NaN)), /`cup` contains NaN/],
    [changed((embeddings) => (embeddings[0] = -Infinity)), /`crème brûlée` contains -inf/],
    [{ ...good, labels: ['a', 'b', 'a'] }, /two classes are called `a`/], [{ ...good, labels: ['a', ' ', 'b'] }, /class 1 has no name/],
    [{ ...good, scale: 0 }, /scale is 0/], [{ ...good, scale: -1 }, /scale is -1/], [{ ...good, scale: Infinity }, /scale is inf/], [{ ...good, scale: '5' }, /scale must be a number/], [{ ...good, scale: NaN }, /scale must be a number/],
    [{ ...good, bias: Infinity }, /bias is inf/], [{ ...good, bias: {} }, /bias must be a number/],
    [new Uint8Array(3), /3 bytes long/, 'invalid-weights'], [bytes('hf_vit/model.safetensors'), /`text_embeddings` is missing/, 'missing-tensor'],
    [bytes('hf_clip_zero_shot/text_embeddings.safetensors'), /`text_embeddings` has shape \[5, 10\]/, 'tensor-shape'],
  ];
  for (const [classes, message, code] of cases) assert.throws(() => engine.withClasses(classes), failure(message, code));
  const many = { labels: Array.from({ length: 131_072 }, (_, i) => `class ${i}`), embeddings: new Float32Array(0) };
  assert.throws(() => engine.withClasses(many), failure(/there are 131072 classes; there must be 1 to 131071/));
  assert.equal(engine.withClasses(good).config.numClasses, 3);
});

test('pictures teach: crops of four photos are told apart by crops of the same', async () => {
  const engine = await Engine.load(TINY);
  const names = ['astronaut', 'chelsea', 'coffee', 'rocket'];
  const crops = [...samples()];
  const of = (/** @type {number} */ photo, /** @type {number} */ from, /** @type {number} */ to) => crops.slice(6 * photo + from, 6 * photo + to);
  const examples = Object.fromEntries(names.map((name, i) => [name, of(i, 0, 4)]));
  /** @type {import('../../pkg/index.js').Passes[]} */
  const progress = [];
  const taught = engine.teach(examples, { onProgress: (passes) => progress.push(passes) });
  assert.deepEqual(progress, Array.from({ length: 16 }, (_, i) => ({ done: i + 1, total: 16 })));
  assert.deepEqual(taught.config.labels, names);

  const asked = names.flatMap((name, i) => of(i, 4, 6).map((crop) => ({ name, top: taught.classify(crop, { topK: 4 }).top })));
  const right = asked.filter(({ name, top }) => top[0].label === name);
  assert.ok(right.length >= 7, `${right.length} of ${asked.length}`);
  const sure = asked.reduce((sum, { name, top }) => sum + (top.find(({ label }) => label === name)?.score ?? 0), 0) / asked.length;
  assert.ok(sure > 0.6, `scores of ${sure} on average`);

  // Views are of what was taught.
  const cat = of(1, 5, 6)[0];
  assert.equal(taught.attribute(cat, { target: 'chelsea' }).target.label, 'chelsea');
  assert.deepEqual(engine.teach(examples).saveClasses(), taught.saveClasses(), 'the same again');
  const { logits } = taught.classify(cat);
  taught.close();
  const restored = engine.withClasses(taught.saveClasses());
  assert.ok(distance(restored.classify(cat).logits, logits) < 1e-5);
  assert.equal(engine.config.numClasses, 42);
});

test('teach: prototypes are means of what has length 1, and a picture alone says nothing of the scale', async () => {
  const engine = await load('hf_vit');
  const a = pixels('hf_vit');
  const inputs = [a, a.map((x) => -x), a.map((x, i) => x * Math.sin(i))];
  const [f0, f1, f2] = inputs.map((input) => engine.classify(input).features);
  const taught = engine.teach({ one: [inputs[0]], two: [inputs[1], inputs[2]] });
  const mean = Array.from(f1, (_, i) => f1[i] / Math.sqrt(dot(f1, f1)) + f2[i] / Math.sqrt(dot(f2, f2)));
  const { data } = parseTensors(taught.saveClasses()).text_embeddings;
  assert.ok(Math.abs(cosine(data.subarray(0, f0.length), f0) - 1) < 1e-6);
  assert.ok(Math.abs(cosine(data.subarray(f0.length), mean) - 1) < 1e-6);
  assert.deepEqual(engine.teach({ one: [inputs[0]], two: [inputs[1]] }).config.similarity, { scale: 1, bias: 0 });
  // Where a model has a scale, it is that one.
  const clip = await load('hf_clip_zero_shot');
  const input = pixels('hf_clip_zero_shot');
  assert.deepEqual(clip.teach({ one: [input], two: [input.map((x) => -x)] }).config.similarity, clip.config.similarity);

  for (const examples of [undefined, null, 5, {}, { a: [a] }, { a: [a], b: [] }, { a: [a], b: a }, [], [[a]]]) {
    assert.throws(() => engine.teach(wrong(examples)), failure(/teach takes \{label: \[images\], …\}/));
  }
  assert.throws(() => engine.teach({ a: [a], b: [wrong('picture')] }), failure(/image/i, 'invalid-image'));
  assert.throws(() => engine.teach({ a: [a], '': [a] }), failure(/has no name/));
  const stop = new Error('enough');
  assert.throws(() => engine.teach({ a: [a], b: [a] }, { onProgress: () => { throw stop; } }), (error) => error === stop);
});

test('teach: what is known of a picture is not asked again', async () => {
  for (const name of ['hf_vit', 'hf_dinov2_model']) {
    const engine = await load(name);
    const a = pixels(name);
    const [b, c] = [a.map((x) => -x), a.map((x, i) => x * Math.sin(i))];
    const expected = engine.teach({ one: [a, b], two: [c] }).saveClasses();
    /** @type {import('../../pkg/index.js').Passes[]} */
    const progress = [];
    const known = engine.classify(a);
    const mixed = engine.teach({ one: [known, b], two: [{ features: engine.trace(c).features }] }, { onProgress: (passes) => progress.push(passes) });
    assert.deepEqual(mixed.saveClasses(), expected);
    assert.deepEqual(progress, [{ done: 1, total: 1 }]);
    assert.deepEqual(engine.teach({ one: [known, engine.classify(b)], two: [mixed.classify(c)] }, { onProgress: () => assert.fail() }).saveClasses(), expected);
    for (const features of [undefined, [...known.features], known.features.subarray(1), known.features.map(() => NaN)]) {
      assert.throws(() => engine.teach({ one: [known], two: [wrong({ features })] }), failure(/examples of 'two' has no \d+ features of this model; give the picture itself/));
    }
  }
});

test('the scale is the likeliest for pictures that were left out', () => {
  // Two classes in the plane, some of whose pictures lie on the wrong side.
  const angle = (/** @type {number} */ degrees) => Float32Array.of(Math.cos(degrees * Math.PI / 180), Math.sin(degrees * Math.PI / 180));
  const spread = [[0, 5, 12, 40], [45, 52, 60, 20]].map((own) => own.map(angle));
  const classes = (/** @type {Float32Array[][]} */ features) => features.map((own, i) => /** @type {[string, {features: Float32Array}[]]} */ (['ab'[i], own.map((features) => ({ features }))]));
  const { scale } = prototypes(classes(spread));
  const tries = spread.flatMap((own, label) => own.map((picture, left) => {
    const mean = (/** @type {Float32Array[]} */ pictures) => [0, 1].map((i) => pictures.reduce((sum, vector) => sum + vector[i], 0));
    return { label, cosines: spread.map((pictures, i) => cosine(picture, mean(i === label ? pictures.filter((_, j) => j !== left) : pictures))) };
  }));
  const score = (/** @type {number} */ s) => tries.reduce((sum, { label, cosines }) => {
    const all = cosines.map((c) => Math.exp(s * c)).reduce((a, b) => a + b);
    return sum + cosines.reduce((own, c, i) => own + ((i === label ? 9 : 1) / 10) * Math.log(Math.exp(s * c) / all), 0);
  }, 0);
  const best = Array.from({ length: 2000 }, (_, i) => 1 + i / 20).reduce((a, b) => (score(b) > score(a) ? b : a));
  assert.ok(Math.abs(Number(scale) - best) < 0.06, `${scale} instead of ${best}`);
  assert.ok(best > 2 && best < 90, `${best} is no end of the range`);

  // Told apart without a mistake, a few pictures still make nobody certain; more make it more so.
  const apart = (/** @type {number} */ count) => Array.from({ length: count }, (_, i) => ({ label: i % 2, cosines: i % 2 ? [0.2, 0.8] : [0.8, 0.2] }));
  const certainty = (/** @type {number} */ count) => 1 / (1 + Math.exp(-0.6 * Number(chooseScale(apart(count)))));
  assert.ok(Math.abs(certainty(8) - 0.9) < 1e-3 && Math.abs(certainty(98) - 0.99) < 1e-3);
  // Where they are told apart no better than by chance, nothing is made of the cosines; where all are alike, neither fails.
  assert.ok(Math.abs(Number(chooseScale(apart(4).map(({ label, cosines }) => ({ label: 1 - label, cosines })))) - 1) < 1e-3);
  assert.ok(Number.isFinite(prototypes(classes([[angle(0), angle(0)], [angle(0), angle(0)]])).scale));
  assert.equal(chooseScale([]), undefined);
});
