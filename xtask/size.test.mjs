// What `cargo xtask size` reads of a module and its functions' names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { above, path, read } from './size.mjs';

test('functions are known by their first path', () => {
  assert.equal(path('vitscope[2470de3114cdd40f]::kernels::gemm_i8::multiply'), 'vitscope::kernels::gemm_i8::multiply');
  assert.equal(path('<vitscope[2470de3114cdd40f]::model::vit::Vit>::advance'), 'vitscope::model::vit::Vit::advance');
  assert.equal(path('core[60f9b07b6f06fbb]::ptr::drop_in_place::<vitscope[2470de3114cdd40f]::model::linear::Linear>'), 'core::ptr::drop_in_place');
  assert.equal(path('walk_new'), 'walk_new');
});

test('bodies and sections are found, and make up the module', () => {
  // (module (func (export "f") (result i32) i32.const 7) (func))
  const module = Buffer.from('0061736d010000000108026000017f600000030302000107050101660000' + '0a0902040041070b02000b', 'hex');
  assert.ok(WebAssembly.validate(module));
  const { sections, bodies } = read(module);
  assert.deepEqual(sections.map(({ id }) => id), [1, 3, 7, 10]);
  assert.equal(sections.reduce((sum, { start, end }) => sum + end - start, 8), module.length);
  assert.deepEqual(bodies.map(({ start, end }) => end - start), [5, 3]);
});

test('what is above its budget is named', () => {
  const budgets = { kernels: 50_000, models: 70_000 };
  assert.deepEqual(above({ kernels: 50_900, models: 1 }, budgets), []);
  assert.deepEqual(above({ kernels: 52_000, models: 70_000, more: 400 }, budgets).map((fail) => fail.split(':')[0]), ['kernels', 'more']);
});
