/** The scripts use nothing that the oldest browsers of package.json's `browserslist` lack, by MDN's data. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'acorn';
import { full } from 'acorn-walk';
import { ROOT } from '../page/browser.mjs';

const { api, javascript, webassembly } = createRequire(import.meta.url)('@mdn/browser-compat-data');
const NAMES = /** @type {Record<string, string>} */ ({ ios_saf: 'safari_ios' });
/** @type {[string, number][]} */
const OLDEST = JSON.parse(readFileSync(join(ROOT, 'pkg/package.json'), 'utf8')).browserslist.map((/** @type {string} */ line) => {
  const [name, , version] = line.split(' ');
  return [NAMES[name] ?? name, Number(version)];
});

/** What is used only where it is there, by `typeof`. */
const ASKED = new Set(['VideoFrame', 'copyTo']);

/** @param {any} data of a feature @returns {string[]} browsers that lack it */
function lacking(data) {
  const support = data?.__compat?.support;
  if (!support) return [];
  return OLDEST.filter(([name, version]) => {
    const [entry] = [support[name]].flat();
    return entry && !(parseFloat(String(entry.version_added).replace('≤', '')) <= version && !entry.flags);
  }).map(([name]) => name);
}

/** Whether a browser lacks it, by the names of members: those of every interface and built-in object that has one. @type {Map<string, string[][]>} */
const members = new Map();
for (const owner of [...Object.values(api), ...Object.values(javascript.builtins), ...Object.values(webassembly.api)]) {
  for (const [name, feature] of Object.entries(owner)) if (!name.startsWith('__')) members.set(name, [...(members.get(name) ?? []), lacking(feature)]);
}

/**
 * What some of the oldest browsers lack: classes that are made, functions of theirs, and methods by names that no object of these browsers has.
 * What comes before `?.` is asked for.
 * @param {string} code
 */
function missing(code) {
  const found = new Set();
  const own = new Set(); // methods of the script's objects
  const tree = parse(code, { ecmaVersion: 'latest', sourceType: 'module' });
  const say = (/** @type {string} */ name, /** @type {string[]} */ browsers) => browsers.length && !ASKED.has(name) && found.add(name);
  full(tree, (/** @type {any} */ node) => {
    if (['MethodDefinition', 'Property', 'PropertyDefinition'].includes(node.type)) own.add(node.key.name);
    if (node.type === 'AssignmentExpression' && node.left.type === 'MemberExpression') own.add(node.left.property.name);
  });
  full(tree, (/** @type {any} */ node) => {
    if (node.type === 'NewExpression' && node.callee.type === 'Identifier') say(node.callee.name, lacking(api[node.callee.name] ?? javascript.builtins[node.callee.name]));
    if (node.type !== 'CallExpression' || node.optional || node.callee.type !== 'MemberExpression' || node.callee.computed || node.callee.optional) return;
    const { object, property: { name } } = node.callee;
    const owner = object.type === 'Identifier' && (api[object.name] ?? javascript.builtins[object.name]);
    if (owner) say(name, lacking(owner[`${name}_static`] ?? owner[name]));
    else if (!own.has(name)) say(name, members.get(name)?.every((browsers) => browsers.length) ? members.get(name)?.[0] ?? [] : []);
  });
  return [...found].sort();
}

test('what is newer is seen', () => {
  assert.deepEqual(missing('AbortSignal.any([a])'), ['any']);
  assert.deepEqual(missing('URL.canParse(a); Promise.withResolvers(); a.toSorted()'), ['canParse', 'toSorted', 'withResolvers']);
  assert.deepEqual(missing('a.transfer?.(0); a.slice(); new Worker(b)'), []);
});

for (const file of ['index.js', 'engine.js', 'vitscope/worker.js']) {
  test(`dist/${file}`, () => assert.deepEqual(missing(readFileSync(join(ROOT, 'pkg/dist', file), 'utf8')), []));
}
