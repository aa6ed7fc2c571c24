// What a document that opens from the disk has within: files, compressed, each in an element of its own, and a policy by which it reaches nothing else.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';
import { transform } from 'esbuild';
import { TARGET } from './bundle.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const WWW = `${ROOT}www/`;
const TYPES = /** @type {Record<string, string>} */ ({ '.js': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json', '.jpg': 'image/jpeg', '.png': 'image/png', '.txt': 'text/plain' });

/** @typedef {readonly [name: string, bytes: Uint8Array, type?: string]} File  type: by the name's ending unless told */

/** The engine for one thread, which is what a document from the disk has, and the names that go with it. @returns {File[]} */
export function engineFiles() {
  return ['worker.js', 'imagenet-1k.txt', 'relaxed.wasm', 'simd128.wasm'].map((name) => [name, readFileSync(`${ROOT}pkg/dist/vitscope/${name}`)]);
}

/**
 * An element with a file, which `www/single/unpack.js` reads.
 * @param {File} file
 */
export function block([name, bytes, type = TYPES[extname(name)] ?? 'application/octet-stream']) {
  return `<script type="text/plain" id="part:${name}" data-type="${type}">${gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }).toString('base64')}</script>`;
}

/**
 * A page as a document of its own: its script and styles within, and none of the addresses by which it names them.
 * @param {{html: string, texts: Map<string, string>}} page as `readPage` gives it
 * @param {string[]} blocks
 */
export async function enclose({ html, texts }, blocks) {
  const main = texts.get('./main.js') ?? '';
  const unpack = (await transform(readFileSync(`${WWW}single/unpack.js`, 'utf8'), { minify: true, target: TARGET })).code.trim();
  const page = [
    [/<script type="module" src="\.\/main\.js"><\/script>\s*/g, () => ''],
    [/<link rel="stylesheet" href="([^"]*)">/g, (/** @type {string} */ _, /** @type {string} */ address) => `<style>${texts.get(address)?.trim()}</style>`],
    [/<\/body>/g, () => `${[block(['main.js', Buffer.from(main)]), ...blocks].join('\n')}\n<script>${unpack}</script>\n</body>`],
  ].reduce((html, [from, to]) => html.replace(/** @type {RegExp} */ (from), /** @type {any} */ (to)), html);
  const named = / (?:src|href)="(?!data:|#|https:)[^"]*"/.exec(page);
  if (named) throw new Error(`the page names${named[0]}, which a document of its own has not`);
  return page.replace('<meta charset="utf-8">', `<meta charset="utf-8">\n  <meta http-equiv="Content-Security-Policy" content="${policy(page, main)}">`);
}

/**
 * What it may do: run its own scripts, by their sums, and read what it has within.
 * @param {string} page
 * @param {string} main the page's script, which unpacks as an inline one
 */
function policy(page, main) {
  const texts = (/** @type {RegExp} */ pattern) => [...page.matchAll(pattern)].map(([, text]) => text);
  const sums = (/** @type {string[]} */ texts) => texts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');
  return `default-src 'none'; script-src 'wasm-unsafe-eval' ${sums([...texts(/<script>(.*?)<\/script>/gs), main])}; style-src ${sums(texts(/<style>(.*?)<\/style>/gs))}; worker-src blob:; connect-src blob:; img-src blob: data:; media-src blob:; base-uri 'none'; form-action 'none'`;
}
