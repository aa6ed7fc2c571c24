/** Where there is little room a class is called by the first name of its synset, as long as that says which one it is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OFFERS } from '../../www/offers.js';
import { classNames } from '../../www/explorer/names.js';
import { ROOT } from './browser.mjs';

test('first names, where they tell classes apart', () => {
  for (const [labels, names] of [
    [['tabby, tabby cat', 'espresso', 'goose'], ['tabby', 'espresso', 'goose']],
    // ImageNet-1k has a bird and a machine of that name.
    [['crane', 'crane, hoist', 'goose, gander'], ['crane', 'crane, hoist', 'goose']],
    [['cat, indoor', 'cat, outdoor', 'dog, outdoor'], ['cat, indoor', 'cat, outdoor', 'dog']],
    [['Cat, indoor', 'cat, outdoor', ' dog , any'], ['Cat, indoor', 'cat, outdoor', 'dog']],
    [[', none', '', 'a,b'], [', none', '', 'a']],
    [['same', 'same'], ['same', 'same']],
    [[], []],
  ]) assert.deepEqual(classNames(labels), names);
});

test('no two classes of a model are called the same', () => {
  for (const { name } of OFFERS) {
    const labels = /** @type {string[]} */ (Object.values(JSON.parse(readFileSync(join(ROOT, `models/${name}/config.json`), 'utf8')).id2label));
    const names = classNames(labels);
    assert.equal(new Set(names).size, labels.length);
    assert.equal(names.length, labels.length);
  }
});
