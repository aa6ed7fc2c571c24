// The page as one HTML file that opens by double click: engine, worker, photos and a model, compressed, and a policy by which it reaches nothing else.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';
import { transform } from 'esbuild';
import { SAMPLES } from '../www/samples.js';
import { TARGET } from './bundle.mjs';
import { readPage } from './page.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WWW = `${ROOT}www/`;
const TYPES = /** @type {Record<string, string>} */ ({ '.js': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json', '.jpg': 'image/jpeg', '.txt': 'text/plain' });

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

/**
 * @param {string} model a folder with the model in 4 bits
 * @returns {Promise<{html: string, parts: {name: string, bytes: number, packed: number}[]}>} packed: characters
 */
export async function makeSingle(model) {
  const { html, texts } = await readPage({ plugins: [inPlace] });
  const dist = (/** @type {string} */ name) => /** @type {const} */ ([name, readFileSync(`${ROOT}pkg/dist/vitscope/${name}`)]);
  const main = texts.get('./main.js') ?? '';
  const files = [
    /** @type {const} */ (['main.js', Buffer.from(main)]),
    ...SAMPLES.map(({ file }) => /** @type {const} */ ([file, readFileSync(WWW + file)])),
    ...['worker.js', 'imagenet-1k.txt', 'relaxed.wasm', 'simd128.wasm'].map(dist),
    ...['config.json', 'preprocessor_config.json', 'model.safetensors'].map((name) => /** @type {const} */ ([name, readFileSync(`${model}/${name}`)])),
  ];
  const packed = files.map(([name, bytes]) => ({ name, bytes: bytes.length, text: gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }).toString('base64') }));
  const unpack = (await transform(readFileSync(`${WWW}single/unpack.js`, 'utf8'), { minify: true, target: TARGET })).code.trim();
  const blocks = packed.map(({ name, text }) => `<script type="text/plain" id="part:${name}" data-type="${TYPES[extname(name)] ?? 'application/octet-stream'}">${text}</script>`);
  const page = [
    [/<script id="policy">.*?<\/script>\s*/gs, () => ''],
    [/<a [^>]*id="other".*?<\/a>\s*/g, () => ''], // the lesson is a page of its own
    [/<link rel="modulepreload"[^>]*>\s*|<link id="worker"[^>]*>\s*|<script type="module" src="\.\/main\.js"><\/script>\s*/g, () => ''],
    [/<link rel="stylesheet" href="([^"]*)">/g, (/** @type {string} */ _, /** @type {string} */ address) => `<style>${texts.get(address)?.trim()}</style>`],
    [/<\/body>/g, () => `${blocks.join('\n')}\n<script>${unpack}</script>\n</body>`],
  ].reduce((html, [from, to]) => html.replace(/** @type {RegExp} */ (from), /** @type {any} */ (to)), html);
  const named = / (?:src|href)="(?!data:|#|https:)[^"]*"/.exec(page);
  if (named) throw new Error(`www/index.html names${named[0]}, which the single file has not`);
  return { html: page.replace('<meta charset="utf-8">', `<meta charset="utf-8">\n  <meta http-equiv="Content-Security-Policy" content="${policy(page, main)}">`), parts: packed.map(({ name, bytes, text }) => ({ name, bytes, packed: text.length })) };
}

/**
 * What the file may do: run its own scripts, by their sums, and read what it has within.
 * @param {string} page
 * @param {string} main the page's script, which unpacks as an inline one
 */
function policy(page, main) {
  const texts = (/** @type {RegExp} */ pattern) => [...page.matchAll(pattern)].map(([, text]) => text);
  const sums = (/** @type {string[]} */ texts) => texts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');
  return `default-src 'none'; script-src 'wasm-unsafe-eval' ${sums([...texts(/<script>(.*?)<\/script>/gs), main])}; style-src ${sums(texts(/<style>(.*?)<\/style>/gs))}; worker-src blob:; connect-src blob:; img-src blob: data:; media-src blob:; base-uri 'none'; form-action 'none'`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [model, target] = process.argv.slice(2);
  const { html, parts } = await makeSingle(model);
  mkdirSync(dirname(resolve(target)), { recursive: true });
  writeFileSync(target, html);
  for (const { name, bytes, packed } of parts) console.log(`${(packed / 1000).toFixed(1).padStart(8)} kB  ${name}, ${(bytes / 1000).toFixed(1)} kB unpacked`);
  console.log(`${(Buffer.byteLength(html) / 1000).toFixed(1).padStart(8)} kB  ${target}`);
}
