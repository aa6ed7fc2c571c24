/** The entries export what their declarations say, under the names that these use. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as engine from '../../pkg/dist/engine.node.js';
import * as client from '../../pkg/dist/index.node.js';

const PACKAGE = new URL('../../pkg/', import.meta.url);

/** What declarations say is there at run time: classes, functions, constants, and what they pass on. @param {string} file */
function declaredValues(file) {
  const text = readFileSync(new URL(file, PACKAGE), 'utf8');
  const own = [...text.matchAll(/^export (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
  const passed = [...text.matchAll(/^export \{([^}]+)\}/gm)].flatMap(([, names]) => names.split(',').map((name) => name.trim()).filter(Boolean));
  return [...own, ...passed].sort();
}

test('what is declared as a value is one, and nothing else is there', () => {
  assert.deepEqual(Object.keys(client).sort(), declaredValues('index.d.ts'));
  assert.deepEqual(Object.keys(engine).sort(), declaredValues('engine.d.ts'));
});

test('classes are called as they are exported, whatever the bundle calls them', async () => {
  for (const entry of [client, engine]) {
    for (const [name, value] of Object.entries(entry)) if (/^[A-Z][a-z]/.test(name)) assert.equal(/** @type {Function} */ (value).name, name);
  }
  const model = new URL('../fixtures/hf_vit/', import.meta.url);
  const loaded = await engine.Engine.load(model);
  const trace = loaded.trace({ width: 2, height: 2, data: new Uint8Array(16) });
  assert.match(inspect(loaded), /^Engine \{/);
  assert.match(inspect(trace), /^Trace \{/);
  for (const { VitscopeError } of [client, engine]) {
    const error = new VitscopeError('closed', 'gone');
    assert.deepEqual([error.name, String(error), Object.keys(error)], ['VitscopeError', 'VitscopeError: gone', ['code']]);
    assert.match(/** @type {string} */ (error.stack), /^VitscopeError: gone\n/);
    class Own extends VitscopeError {}
    assert.equal(Own.name, 'Own');
  }
});

test('what browsers get has nothing that only Node and its like can do, and these get it', () => {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8'));
  const code = (/** @type {string} */ file) => readFileSync(new URL(file, PACKAGE), 'utf8');
  const NODE = /getBuiltinModule|worker_threads|worker\.node|createRequire|rename\(/;
  const parts = ['worker_threads', 'worker.node.js', 'rename('];
  for (const [entry, own] of [[exports['.'], [...parts, 'createRequire']], [exports['./engine'], parts]]) {
    assert.doesNotMatch(code(entry.default), NODE);
    for (const kind of ['node', 'deno', 'bun']) for (const part of own) assert.ok(code(entry[kind]).includes(part), `${kind}: ${part}`);
  }
  assert.doesNotMatch(code(exports['./worker.js'].default), NODE);
  assert.match(code(exports['./worker.node.js'].default), /worker_threads/);
});

test('every entry of the package has a file, and types where it is JavaScript', () => {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8'));
  for (const [name, entry] of Object.entries(exports)) {
    if (typeof entry === 'string') {
      assert.ok(existsSync(new URL(entry, PACKAGE)), name);
      continue;
    }
    for (const kind of new Set(['types', 'default', ...Object.keys(entry)])) assert.ok(existsSync(new URL(entry[kind], PACKAGE)), `${name}: ${kind}`);
  }
  for (const name of ['.', './engine', './worker.js', './worker.node.js']) assert.equal(typeof exports[name], 'object', name);
});
