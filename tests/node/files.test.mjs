/** What files given to the page are: a photo, a model, or what is missing of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { understand } from '../../www/explorer/files.js';

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
  // Weights that are not read are named, with what to do, whether a config came or not.
  for (const [name, remedy] of /** @type {[string, RegExp][]} */ ([
    ['pytorch_model.bin', /save_pretrained/], ['pytorch_model.bin.index.json', /save_pretrained/], ['best.pt', /save_pretrained/], ['tf_model.h5', /from_tf/],
    ['flax_model.msgpack', /from_flax/], ['vit.npz', /timm/], ['model.onnx', /made from/], ['model.gguf', /made from/],
    ['adapter_model.safetensors', /merge_and_unload/], ['adapter_model.bin', /LoRA/], ['open_clip_pytorch_model.bin', /open_clip/],
  ])) {
    for (const files of [[file(name)], [file(name), file('config.json')]]) {
      if (name.endsWith('.safetensors') && files.length > 1) continue; // the loader says so
      assert.equal(kind(...files), 'nothing');
      assert.ok(say(...files).message.startsWith(name) && remedy.test(say(...files).message), say(...files).message);
    }
  }
  assert.match(say(file('config.json'), file('training_args.bin')).message, /without its model\.safetensors/);
  assert.equal(kind(file('config.json'), file('model.safetensors'), file('pytorch_model.bin')), 'model');
  const pair = ['open_clip_config.json', 'open_clip_model.safetensors'].map((name) => file(name));
  for (const files of [pair, [file('config.json'), ...pair], [file('open_clip_pytorch_model.bin'), ...pair]]) {
    const { kind, parts } = say(...files);
    assert.deepEqual([kind, parts.config, ...parts.weights], ['model', ...pair]);
  }
  assert.equal(say(file('config.json'), file('model.safetensors'), ...pair).parts.weights[0].name, 'model.safetensors');
  assert.match(say(pair[0]).message, /^open_clip_config\.json is half of/);
  const shards = [1, 2].map((i) => file(`model-0000${i}-of-00002.safetensors`));
  assert.match(say(file('config.json'), shards[0]).message, /split over 2 files, of which 1 came/);
  const split = say(file('config.json'), ...shards, file('text_embeddings.safetensors'));
  assert.deepEqual(split.parts.weights, shards);
  assert.equal(split.parts.textEmbeddings.name, 'text_embeddings.safetensors');
  const given = say(file('README.md'), file('preprocessor_config.json'), file('config.json'), file('processor_config.json'), file('model.safetensors'));
  assert.equal(given.kind, 'model');
  assert.deepEqual(Object.values(given.parts).flat().filter(Boolean).map((/** @type {any} */ part) => part.name), ['config.json', 'preprocessor_config.json', 'processor_config.json', 'model.safetensors']);
});
