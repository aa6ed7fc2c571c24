import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { PAGES, pageScript, readPage } from './page.mjs';

const ENGINE = '../pkg/dist/index.js';

/** What the scripts may take over the wire, in kB; the lesson's is its text, too. */
const MOST = { '': 60, 'inside/': 100 };

for (const page of PAGES) {
  test(`the script of /${page} is one module, which imports the package alone and takes at most ${MOST[page]} kB over the wire`, async () => {
    const script = await pageScript({ page, engine: ENGINE });
    const { metafile } = await build({ stdin: { contents: script, sourcefile: 'page' }, bundle: true, external: ['*'], format: 'esm', write: false, metafile: true });
    assert.deepEqual([...new Set(metafile.inputs.page.imports.map(({ path }) => path))], [ENGINE]);
    const size = brotliCompressSync(script).length;
    assert.ok(size <= 1000 * MOST[page], `${size} bytes as brotli`);
  });

  test(`what the document of /${page} names of its own is there`, async () => {
    const { html, texts } = await readPage({ page, engine: ENGINE });
    assert.equal(html, readFileSync(new URL(`../www/${page}index.html`, import.meta.url), 'utf8'));
    assert.ok(texts.has('./main.js'));
    assert.equal(texts.size, 2, 'its script and its styles');
    for (const [address, text] of texts) assert.ok(text.length > 100, address);
  });
}

test('all pages are watched over alike, and have the same policy', async () => {
  const inline = PAGES.map((page) => [...readFileSync(new URL(`../www/${page}index.html`, import.meta.url), 'utf8').matchAll(/<script[^>]*>([^]+?)<\/script>/g)].map(([, text]) => text));
  assert.equal(inline[0].length, 2);
  for (const scripts of inline) assert.deepEqual(scripts, inline[0]);
});

test('where things are is said by modules of www/ itself, since there the script lies that has them all', () => {
  const folder = new URL('../www/', import.meta.url);
  const modules = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.js'));
  const saying = modules.filter((path) => readFileSync(new URL(path, folder), 'utf8').includes('import.meta'));
  assert.ok(saying.includes('offers.js'));
  assert.deepEqual(saying.filter((path) => /[\\/]/.test(path)), []);
});
