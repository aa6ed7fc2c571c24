/** Traces of models with stages and windows: what takes too much memory, and threads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine } from '../../pkg/dist/engine.node.js';
import { Vitscope } from '../../pkg/dist/index.node.js';
import { failure } from './failures.mjs';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const PICTURE = { width: 20, height: 20, data: Uint8ClampedArray.from({ length: 1600 }, (_, i) => (i * 7) % 256) };

test('what does not fit is refused with its size and what takes less, which runs', async () => {
  const engine = await Engine.load(new URL('timm_sam/', FIXTURES), { imageSize: 448 });
  const { tokens, stages } = engine.config;
  const layer = stages.findIndex(({ window }) => !window);
  const pixels = Float32Array.from({ length: 3 * 448 * 448 }, (_, i) => Math.sin(i * i));
  assert.ok(4 * stages[layer].heads * tokens ** 2 > 1e9, 'a block without windows has a gigabyte of attention');
  assert.throws(() => engine.trace(pixels), failure(/^out of memory: recorded attention \(`queries` or fewer `layers` take less\) needs \d{10} bytes\./, 'out-of-memory'));
  const trace = engine.trace(pixels, { layers: [layer], queries: [[3, 4]], hiddenStates: false });
  const { data } = trace.headMap({ layer, head: 1, query: [3, 4] });
  assert.ok(Math.abs(data.reduce((a, b) => a + b) - 1) < 1e-3 && new Set(data).size > tokens / 2);
  assert.ok(engine.memory.wasm < 4e8, `${engine.memory.wasm} bytes of memory`);
});

test('in a worker the same, on one thread and on two', async () => {
  for (const name of ['hf_swin', 'timm_sam']) {
    const folder = new URL(`${name}/`, FIXTURES);
    const options = [{}, { queries: [/** @type {const} */ ('mean'), /** @type {[number, number]} */ ([0, 1])] }];
    const engine = await Engine.load(folder);
    const expected = options.map((own) => /** @type {import('../../pkg/index.js').Recording} */ (engine.trace(PICTURE, own)));
    for (const threads of [1, 2]) {
      const vit = await Vitscope.load(folder, { threads });
      assert.equal(vit.backend.threads, threads);
      for (const [i, own] of options.entries()) {
        const { attentions, hiddenStates, logits, stages } = await vit.trace(PICTURE, own);
        assert.deepEqual({ attentions, hiddenStates, logits, stages }, { attentions: expected[i].attentions, hiddenStates: expected[i].hiddenStates, logits: expected[i].logits, stages: expected[i].stages });
      }
      vit.close();
    }
  }
});
