/** What a model takes of the engine's memory, which never shrinks. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Engine } from '../../pkg/dist/engine.node.js';
import { dinov2, write } from '../../xtask/bench/large_models.mjs';

test('what a model takes beside its weights does not grow with its layers', async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'vitscope-'));
  t.after(() => rmSync(scratch, { recursive: true }));
  const beside = [];
  for (const layers of [8, 48]) {
    const folder = join(scratch, `${layers}`);
    write(folder, dinov2({ width: 256, mlp: 688, layers, heads: 4, image: 56, patch: 14 }), 2 ** 16 - 1);
    const engine = await Engine.load(pathToFileURL(`${folder}/`), { threads: 1 });
    beside.push(engine.memory.wasm - engine.memory.weights);
    engine.close();
  }
  assert.ok(beside[1] - beside[0] < 2 ** 20, `${beside} bytes`);
});
