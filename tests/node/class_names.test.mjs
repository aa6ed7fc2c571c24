/** One rule finds a class by its name, and `tests/class_names.json` holds the package and the command line to it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { classNamed } from '../../pkg/lib/views/target.js';
import { readTensors } from './safetensors.mjs';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const bytes = (/** @type {string} */ path) => readFileSync(new URL(path, FIXTURES));
/** @type {{labels: string[], names: Record<string, number | null | (number | string)[]>}[]} */
const table = JSON.parse(readFileSync(new URL('../class_names.json', import.meta.url), 'utf8'));

test('names mean what the table says', () => {
  for (const { labels, names } of table) {
    for (const [name, expected] of Object.entries(names)) {
      if (Array.isArray(expected)) assert.throws(() => classNamed(name, labels), { code: 'invalid-argument', message: `'${name}' fits several classes: ${expected.join(', ')}. Give the index of the one that is meant.` });
      else assert.equal(classNamed(name, labels) ?? null, expected, `'${name}' among ${labels}`);
    }
  }
});

test('wherever a class can be named, a string is a name and a number an index', async () => {
  const config = { ...JSON.parse(bytes('hf_vit_sizes/config.json').toString()), id2label: { 0: 'crane', 1: '3', 2: 'tabby, tabby cat', 3: 'Crane' } };
  const engine = await Engine.load({ config, preprocessor: bytes('hf_vit_sizes/preprocessor_config.json').toString(), weights: bytes('hf_vit_sizes/model.safetensors') });
  const image = readTensors(new URL('hf_vit_sizes/expected.safetensors', FIXTURES)).pixel_values.data;
  const trace = engine.trace(image);
  const map = trace.headMap();
  for (const [target, index] of /** @type {const} */ ([['crane', 0], ['Crane', 3], ['3', 1], [3, 3], ['2', 2], ['Tabby Cat', 2], [undefined, trace.top[0].index]])) {
    assert.deepEqual(engine.attribute(image, { target }).target, { index, label: config.id2label[index] });
    assert.equal(engine.curves(image, map, { target, steps: 1 }).target.index, index);
    assert.deepEqual(trace.patchLens({ target }).data, trace.patchLens({ target: index }).data);
  }
  for (const call of [() => engine.attribute(image, { target: 'CRANE' }), () => engine.curves(image, map, { target: 'CRANE' }), () => trace.patchLens({ target: 'CRANE' })]) {
    assert.throws(call, { code: 'invalid-argument', message: /'CRANE' fits several classes: 0, 3\. Give the index/ });
  }
  assert.throws(() => engine.attribute(image, { target: '4' }), { message: /There is no class '4'/ });
});
