// The scripts of a page as one, for the site and the single file: what its document names, made small.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { TARGET, smaller } from './bundle.mjs';

const WWW = fileURLToPath(new URL('../www/', import.meta.url));
/** The pages' folders in `www/`: the explorer's, and the lesson's. @type {readonly ['', 'inside/']} */
export const PAGES = ['', 'inside/'];
/** The package, as the page's modules import it. */
const ENGINE = /\/pkg\/dist\/index\.js$/;

/**
 * @typedef {object} PageOptions
 * @property {typeof PAGES[number] | 'export/'} [page] the explorer's unless told
 * @property {string} [engine] by which address the script imports the package; none: it is within
 * @property {import('esbuild').Plugin[]} [plugins] which may put other modules in the place of some
 * @property {string} [code] more of it, for tests
 */

/**
 * A script and all that it imports: one ES module, made small.
 * @param {string} entry
 * @param {import('esbuild').BuildOptions} [options]
 * @returns {Promise<string>}
 */
export async function scriptOf(entry, options) {
  const { outputFiles = [] } = await build({ ...options, entryPoints: [entry], bundle: true, minify: true, format: 'esm', target: TARGET, charset: 'utf8', logLevel: 'warning', write: false });
  return (await smaller('main.js', outputFiles[0].text))[0].text;
}

/**
 * A page's `main.js` and all that it imports: one ES module, as if it lay in `www/`.
 * @param {PageOptions} [options]
 * @returns {Promise<string>}
 */
export async function pageScript({ page = '', engine, plugins = [], code = '' } = {}) {
  /** @type {import('esbuild').Plugin} */
  const outside = { name: 'engine', setup: ({ onResolve }) => onResolve({ filter: ENGINE }, () => (engine ? { path: engine, external: true } : undefined)) };
  return scriptOf(`${WWW}${page}main.js`, { footer: { js: code }, plugins: [outside, ...plugins] });
}

/**
 * The page's document as it is, and the text of each script and stylesheet of the page's own that it names, by the address that it uses.
 * @param {PageOptions} [options]
 * @returns {Promise<{html: string, texts: Map<string, string>}>}
 */
export async function readPage(options) {
  const folder = WWW + (options?.page ?? '');
  const html = readFileSync(`${folder}index.html`, 'utf8');
  const texts = new Map();
  for (const [, address] of html.matchAll(/ (?:href|src)="(\.\.?\/(?!(?:\.\.\/)?pkg\/)[^"]+)"/g)) {
    if (address === './main.js') texts.set(address, await pageScript(options));
    else if (address.endsWith('.css')) texts.set(address, (await transform(readFileSync(folder + address, 'utf8'), { loader: 'css', minify: true, target: TARGET })).code);
    else throw new Error(`${folder}index.html names ${address}, and xtask/page.mjs does not know what to make of it`);
  }
  return { html, texts };
}
