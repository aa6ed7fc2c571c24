/** The page's arithmetic: attention maps, enlargement, colours, given files, requested models. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attentionMap, enlarge } from '../../www/maps.js';
import { understand } from '../../www/files.js';

/** Two layers, two heads, a class token and 1 × 2 patches; every entry tells where it stands. */
function trace(/** @type {number} */ prefixTokens) {
  const [layers, heads, tokens] = [2, 2, prefixTokens + 2];
  const attentions = new Float32Array(layers * heads * tokens * tokens);
  for (let i = 0; i < attentions.length; i++) attentions[i] = (1 + (i % 7)) / 100;
  const at = (/** @type {number} */ l, /** @type {number} */ h, /** @type {number} */ q, /** @type {number} */ k) => attentions[((l * heads + h) * tokens + q) * tokens + k];
  // Only what the maps read.
  return { trace: /** @type {import('../../pkg/index.js').Trace} */ (/** @type {unknown} */ ({ layers, heads, tokens, prefixTokens, prefix: ['class', 'register', 'register'].slice(0, prefixTokens), grid: [1, 2], attentions })), at };
}
/** @type {(actual: number[], expected: number[]) => void} */
const close = (actual, expected) => actual.forEach((x, i) => assert.ok(Math.abs(x - expected[i]) < 1e-6, `${actual} instead of ${expected}`));

test("the class token's row, and a patch's", () => {
  const { trace: t, at } = trace(1);
  const map = attentionMap(t, { layer: 1, head: 0, query: null });
  close([...map.data], [at(1, 0, 0, 1), at(1, 0, 0, 2)]);
  assert.ok(Math.abs(map.rest - (1 - map.data[0] - map.data[1])) < 1e-6);
  assert.equal(map.max, Math.max(...map.data));
  close([...attentionMap(t, { layer: 0, head: 1, query: 1 }).data], [at(0, 1, 2, 1), at(0, 1, 2, 2)]);
});

test('the mean of heads, and of queries where there is no class token', () => {
  const { trace: t, at } = trace(1);
  const mean = (/** @type {number} */ k) => (at(1, 0, 0, k) + at(1, 1, 0, k)) / 2;
  close([...attentionMap(t, { layer: 1, head: 'mean', query: null }).data], [mean(1), mean(2)]);
  const { trace: bare, at: entry } = trace(0);
  const map = attentionMap(bare, { layer: 1, head: 1, query: null });
  close([...map.data], [0, 1].map((k) => (entry(1, 1, 0, k) + entry(1, 1, 1, k)) / 2));
});

test('several prefix tokens: the first is asked, none is shown', () => {
  const { trace: t, at } = trace(3);
  close([...attentionMap(t, { layer: 0, head: 0, query: null }).data], [at(0, 0, 0, 3), at(0, 0, 0, 4)]);
  close([...attentionMap(t, { layer: 0, head: 0, query: 0 }).data], [at(0, 0, 3, 3), at(0, 0, 3, 4)]);
});

test('enlarging keeps values at patch centres and never leaves their range', () => {
  const map = { rows: 2, cols: 3, data: Float32Array.of(0, 1, 2, 3, 4, 5), max: 5, rest: 0 };
  const big = enlarge(map, 9, 6);
  close([big[1 * 9 + 1], big[1 * 9 + 4], big[4 * 9 + 7], (big[2 * 9 + 4] + big[3 * 9 + 4]) / 2], [0, 1, 5, 2.5]);
  assert.equal(big[0], 0);
  assert.equal(big[53], 5);
  assert.deepEqual([...enlarge(map, 3, 2)], [...map.data], 'same size, same values');
});

test('what given files are', () => {
  const file = (/** @type {string} */ name, type = '') => new File(['x'], name, { type });
  /** @returns {any} one of several shapes */
  const say = (/** @type {File[]} */ ...files) => understand(files);
  const kind = (/** @type {File[]} */ ...files) => understand(files).kind;
  assert.equal(kind(file('notes.txt', 'text/plain'), file('cat.jpg', 'image/jpeg')), 'photo');
  assert.equal(say(file('notes.txt', 'text/plain'), file('cat.jpg', 'image/jpeg')).file.name, 'cat.jpg');
  assert.equal(kind(), 'nothing');
  assert.match(say(file('model.safetensors')).message, /without its config\.json/);
  assert.match(say(file('config.json')).message, /without its model\.safetensors/);
  assert.match(say(file('config.json'), file('model-1.safetensors'), file('model-2.safetensors')).message, /none is called model\.safetensors/);
  const shards = [1, 2].map((i) => file(`model-0000${i}-of-00002.safetensors`));
  assert.match(say(file('config.json'), shards[0]).message, /split over 2 files, of which 1 came/);
  const split = say(file('config.json'), ...shards, file('text_embeddings.safetensors'));
  assert.deepEqual(split.parts.weights, shards);
  assert.equal(split.parts.textEmbeddings.name, 'text_embeddings.safetensors');
  const given = say(file('README.md'), file('preprocessor_config.json'), file('config.json'), file('model.safetensors'));
  assert.equal(given.kind, 'model');
  assert.deepEqual(Object.values(given.parts).flat().filter(Boolean).map((/** @type {any} */ part) => part.name), ['config.json', 'preprocessor_config.json', 'model.safetensors']);
});
