/** Short names for what module and glue call each other's by: all builds share one glue. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (/** @type {string} */ file) => readFileSync(new URL(`../../pkg/wasm/${file}`, import.meta.url));
const BUILDS = ['simd128', 'relaxed', 'simd128-threads', 'relaxed-threads'];
const names = (/** @type {string} */ build) => JSON.parse(String(read(`${build}/vitscope.names.json`)));

test('the same in every build, but for what only those with threads have', () => {
  for (const build of BUILDS) {
    const [shared, threaded] = names(build);
    assert.ok(shared.length > 60, `${shared.length} names`);
    assert.deepEqual(shared, names(BUILDS[0])[0], build);
    assert.deepEqual(threaded, build.endsWith('threads') ? ['build_pool', 'engine_also', 'engine_answerBeside', 'run_thread', 'threads'] : []);
  }
});

test('module and glue agree on them, and the module has no others', () => {
  const module = new WebAssembly.Module(read('simd128/vitscope_bg.wasm'));
  const glue = String(read('simd128/vitscope.js'));
  const [given, asked] = [/^ +(\w+): function/gm, /\bwasm\.(\w+)/g].map((pattern) => new Set([...glue.matchAll(pattern)].map(([, name]) => name)));
  for (const { name } of WebAssembly.Module.imports(module)) assert.ok(given.has(name), name);
  assert.deepEqual(new Set(WebAssembly.Module.exports(module).map(({ name }) => name)), asked);
  for (const name of [...given, ...asked]) assert.ok(name.length < 3 || name === 'memory', name);
});
