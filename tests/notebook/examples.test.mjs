/** The example notebooks, cell by cell as their readers run them, in JupyterLab. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ROOT, startBrowser } from '../page/harness.mjs';
import { PYTHON, TORCH, openFile, startJupyter } from './jupyter.mjs';
import { answered, lacking } from './lab.mjs';

const EXAMPLES = join(ROOT, 'notebook/examples');

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('./jupyter.mjs').Jupyter} */
let jupyter;
before(async () => {
  if (!lacking) [browser, jupyter] = await Promise.all([startBrowser(), startJupyter({ python3: TORCH || PYTHON })]);
});

for (const name of readdirSync(EXAMPLES).filter((name) => name.endsWith('.ipynb'))) {
  const { cells } = JSON.parse(readFileSync(join(EXAMPLES, name), 'utf8'));
  const needsTorch = /^import torch$/m.test(cells.flatMap((/** @type {{source: string[]}} */ { source }) => source).join(''));
  const skip = lacking || (needsTorch && !TORCH ? 'VITSCOPE_TORCH names no Python with torch, timm and transformers' : false);

  test(name, { skip, timeout: 240_000 }, async () => {
    // A copy, since they write files beside them and are saved; with what of the repository they read.
    const folder = join(jupyter.root, 'notebook/examples');
    mkdirSync(folder, { recursive: true });
    for (const read of ['models', 'www']) if (!existsSync(join(jupyter.root, read))) symlinkSync(join(ROOT, read), join(jupyter.root, read));
    copyFileSync(join(EXAMPLES, name), join(folder, name));
    const notebook = await openFile(browser, jupyter, join(folder, name));
    for (const [index, { cell_type: type }] of cells.entries()) {
      if (type !== 'code') continue;
      const { outputs, text, at } = await notebook.runCell(index);
      assert.ok(outputs.every(({ output_type: type }) => type !== 'error'), `cell ${index}: ${text}`);
      if (text.includes('<vitscope: ')) {
        const models = await notebook.value('len(widget._models)');
        for (let i = 0; i < models; i++) await answered(at.locator('.models > div').nth(i));
        await notebook.becomes('len(widget._shown) == len(widget._models) and all(widget._shown)', true);
      }
      if (await notebook.value('"widget" in globals()')) await notebook.becomes('[each.message["method"] for each in widget._asked.values()]', []);
    }
    await notebook.close();
  });
}
