/** Scores are what the model was trained for, as transformers' pipeline for image classification has them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { distance, readTensors } from './safetensors.mjs';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const load = (/** @type {string} */ name) => Engine.load(new URL(`${name}/`, FIXTURES));
const expected = (/** @type {string} */ name) => readTensors(new URL(`${name}/expected.safetensors`, FIXTURES));

for (const [name, scores] of [['hf_vit_multi_label', 'sigmoid'], ['timm_vit_single', 'sigmoid'], ['hf_vit_regression', 'none'], ['hf_vit', 'softmax'], ['hf_clip_zero_shot', 'softmax']]) {
  test(`${name} answers by ${scores}`, async () => {
    const engine = await load(name);
    const { pixel_values: image, scores: theirs } = expected(name);
    assert.equal(engine.config.scores, scores);
    const trace = engine.trace(image.data, { topK: 9 });
    for (const answer of [engine.classify(image.data, { topK: 9 }), trace]) {
      assert.equal(answer.scores, scores);
      const ours = answer.top.map(({ score }) => score);
      assert.ok(ours.every((score, i) => i === 0 || score <= ours[i - 1]), 'best first');
      if (theirs) for (const { index, score } of answer.top) assert.ok(Math.abs(score - theirs.data[index]) < 1e-5, `${score}, not ${theirs.data[index]}`);
    }
    const { deletion } = engine.curves(image.data, trace.headMap(), { steps: 2 });
    assert.ok(Math.abs(deletion.probabilities[0] - trace.top[0].score) < 1e-5, 'curves are of the scores');
    assert.equal(typeof deletion.area, scores === 'none' ? 'undefined' : 'number');
    const occlusion = engine.attribute(image.data, { method: 'occlusion' });
    assert.match(occlusion.text, scores === 'none' ? /how much lower/ : /how much less likely/);
  });
}

/** A window as large as the picture leaves nothing: what is lost is the whole score. */
test('occlusion of a regression is the change of its value', async () => {
  const engine = await load('hf_vit_regression');
  const image = expected('hf_vit_regression').pixel_values.data;
  const { data } = engine.attribute(image, { method: 'occlusion', window: 4 });
  const { insertion } = engine.curves(image, engine.trace(image).headMap(), { steps: 1 });
  const [none, all] = insertion.probabilities;
  assert.ok(distance(data, new Float32Array(data.length).fill(all - none)) < 1e-5);
});

test('a problem type that the library does not know is refused by its name', async () => {
  const config = JSON.parse(readFileSync(new URL('hf_vit/config.json', FIXTURES), 'utf8'));
  const weights = readFileSync(new URL('hf_vit/model.safetensors', FIXTURES));
  await assert.rejects(Engine.load({ config: { ...config, problem_type: 'ranking' }, weights }), { code: 'invalid-config', message: /`problem_type` should be .*`regression`, not "ranking"/ });
});
