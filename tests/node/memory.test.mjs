/** What a model takes of the engine's memory, which never shrinks: so here is one test, of the one model that is loaded in this process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Engine } from '../../pkg/dist/engine.node.js';
import { dinov2, write } from '../../xtask/bench/large_models.mjs';

test('reading the matrices of many layers leaves no holes between them', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vitscope-'));
  t.after(() => rmSync(folder, { recursive: true }));
  write(folder, dinov2({ width: 256, mlp: 688, layers: 48, heads: 4, image: 56, patch: 14 }), 2 ** 16 - 1);
  const { memory } = await Engine.load(pathToFileURL(`${folder}/`), { threads: 1 });
  // With holes it would be a fifth.
  assert.ok(memory.wasm / memory.weights < 1.15, `${memory.wasm} bytes for ${memory.weights}`);
});
