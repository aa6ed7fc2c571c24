// The page as one HTML file that opens by double click: engine, worker, photos and a model, compressed.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SAMPLES } from '../www/samples.js';
import { readPage } from './page.mjs';
import { WWW, block, enclose, engineFiles } from './parts.mjs';

/** Modules of the page that have others in their place here, which may import them. */
const REPLACED = ['engine_assets.js', 'offers.js', 'samples.js'];

/** @type {import('esbuild').Plugin} */
const inPlace = {
  name: 'single',
  setup({ onResolve }) {
    onResolve({ filter: /\.js$/ }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      const name = REPLACED.find((name) => file === WWW + name);
      return name && resolveDir !== `${WWW}single` ? { path: `${WWW}single/${name}` } : undefined;
    });
  },
};

/** What the page has for a server's sake, or another page's: its policy, the lesson's address, what is to be fetched beforehand. */
const ELSEWHERE = [/<script id="policy">.*?<\/script>\s*/gs, /<a [^>]*id="other".*?<\/a>\s*/g, /<link rel="modulepreload"[^>]*>\s*|<link id="worker"[^>]*>\s*/g];

/**
 * @param {string} model a folder with the model in 4 bits
 * @returns {Promise<{html: string, parts: {name: string, bytes: number, packed: number}[]}>} packed: characters, but the page's script
 */
export async function makeSingle(model) {
  const { html, texts } = await readPage({ plugins: [inPlace] });
  const files = /** @type {import('./parts.mjs').File[]} */ ([
    ...SAMPLES.map(({ file }) => [file, readFileSync(WWW + file)]),
    ...engineFiles(),
    ...['config.json', 'preprocessor_config.json', 'model.safetensors'].map((name) => [name, readFileSync(`${model}/${name}`)]),
  ]);
  const blocks = files.map(block);
  const page = ELSEWHERE.reduce((html, pattern) => html.replace(pattern, ''), html);
  return { html: await enclose({ html: page, texts }, blocks), parts: files.map(([name, bytes], i) => ({ name, bytes: bytes.length, packed: blocks[i].length })) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [model, target] = process.argv.slice(2);
  const { html, parts } = await makeSingle(model);
  mkdirSync(dirname(resolve(target)), { recursive: true });
  writeFileSync(target, html);
  for (const { name, bytes, packed } of parts) console.log(`${(packed / 1000).toFixed(1).padStart(8)} kB  ${name}, ${(bytes / 1000).toFixed(1)} kB unpacked`);
  console.log(`${(Buffer.byteLength(html) / 1000).toFixed(1).padStart(8)} kB  ${target}`);
}
