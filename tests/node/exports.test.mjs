/** The entries export what their declarations say, under the names that these use. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as engine from '../../pkg/dist/engine.js';
import * as client from '../../pkg/dist/index.js';

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

test('every entry of the package has a file, and types where it is JavaScript', () => {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8'));
  for (const [name, entry] of Object.entries(exports)) {
    if (typeof entry === 'string') continue;
    for (const kind of ['types', 'default']) assert.ok(existsSync(new URL(entry[kind], PACKAGE)), `${name}: ${kind}`);
  }
  for (const name of ['.', './engine', './worker', './thread']) assert.equal(typeof exports[name], 'object', name);
});
