/** The example notebooks and the READMEs' examples in JupyterLab, all cells at once. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
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

  test(name, { skip, timeout: 480_000 }, async () => {
    // A copy, since they write files beside them and are saved; with what of the repository they read.
    const folder = join(jupyter.root, 'notebook/examples');
    mkdirSync(folder, { recursive: true });
    for (const read of ['models', 'www']) if (!existsSync(join(jupyter.root, read))) symlinkSync(join(ROOT, read), join(jupyter.root, read));
    copyFileSync(join(EXAMPLES, name), join(folder, name));
    const notebook = await openFile(browser, jupyter, join(folder, name));
    for (const { index, outputs, text, at } of await notebook.runAll()) {
      assert.ok(outputs.every(({ output_type: type }) => type !== 'error'), `cell ${index}: ${text}`);
      if (!text.includes('<vitscope: ')) continue;
      const models = await notebook.value('len(widget._models)');
      for (let i = 0; i < models; i++) await answered(at.locator('.models > div').nth(i));
    }
    await notebook.becomes('len(widget._asked)', 0);
    await notebook.close();
  });
}

test("the READMEs' own", { skip: lacking, timeout: 300_000 }, async () => {
  const folder = join(jupyter.root, 'readme');
  mkdirSync(folder);
  copyFileSync(join(ROOT, 'www/samples/chelsea.jpg'), join(folder, 'cat.jpg'));
  for (const readme of ['README.md', 'notebook/README.md']) {
    const blocks = [...readFileSync(join(ROOT, readme), 'utf8').matchAll(/^```python\n(.*?)^```$/gms)].map(([, block]) => block);
    assert.ok(blocks.some((block) => block.includes('vitscope.explore(model')), readme);
    // What the reader has: a model.
    const cells = [`model = ${JSON.stringify(join(ROOT, 'models/vitscope-tiny'))}`, ...blocks].map((source, i) => ({ cell_type: 'code', id: `cell-${i}`, source, metadata: {}, outputs: [], execution_count: null }));
    const file = join(folder, `${readme.replace(/\W/g, '-')}.ipynb`);
    writeFileSync(file, JSON.stringify({ cells, metadata: { kernelspec: { name: 'python3', display_name: 'python3' } }, nbformat: 4, nbformat_minor: 5 }));
    const notebook = await openFile(browser, jupyter, file);
    for (const { index, outputs, text } of await notebook.runAll()) assert.ok(outputs.every(({ output_type: type }) => type !== 'error'), `${readme}, cell ${index}: ${text}`);
    await notebook.becomes('widget.top[0][1] > 0', true);
    await notebook.close();
  }
});
