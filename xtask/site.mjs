// `cargo xtask site`: the page as a folder that any static host serves, under any path.
//
// What must fit together, script, engine and styles, lies in a folder that is called by the version, so that no cache on the way can mix two. The models' addresses
// stay the same from one version to the next: browsers keep what they have of them.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { OFFERS } from '../www/offers.js';
import { TARGET } from './bundle.mjs';
import { icons } from './icons.mjs';
import { PAGES, readPage } from './page.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DEFAULT = 'target/site';
const ENGINE = 'index.js';
/** What lies at the top of a site, by which an older one is known. */
const TOP = /^(index\.html|inside|sw\.js|manifest\.webmanifest|\.nojekyll|icons|samples|models|[0-9a-f]{12})$/;

/**
 * Writes the site, in the place of an older one.
 * @param {string} folder
 * @param {{code?: string}} [options] code: more of the page's, for tests
 * @returns {Promise<{version: string, files: Map<string, Buffer>}>} files: all but the models, by their paths
 */
export async function site(folder, { code } = {}) {
  const present = existsSync(folder) ? readdirSync(folder) : [];
  if (present.length && !(present.includes('sw.js') && present.every((name) => TOP.test(name)))) {
    throw new Error(`${folder} holds other files than a site of vitscope. Name a folder that is empty, or not there yet.`);
  }
  const { version, files } = await shell(code);
  for (const name of present) rmSync(join(folder, name), { recursive: true });
  for (const [path, bytes] of files) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  const isOfModel = (/** @type {string} */ path) => !path.endsWith('.jpg'); // its card is, its pictures are not
  for (const { name } of OFFERS) cpSync(`${ROOT}models/${name}`, join(folder, 'models', name), { recursive: true, filter: isOfModel, preserveTimestamps: true });
  return { version, files };
}

/**
 * All but the models.
 * @param {string} [code]
 * @returns {Promise<{version: string, files: Map<string, Buffer>}>}
 */
async function shell(code) {
  const pages = await Promise.all(PAGES.map(async (page) => ({ page, ...(await readPage({ page, engine: `./${ENGINE}`, code })) })));
  /** What must be of one version, and what need not. @type {Map<string, Buffer>[]} */
  const [bound, free] = [engine(), new Map([['manifest.webmanifest', readFileSync(`${ROOT}www/manifest.webmanifest`)]])];
  for (const { page, texts } of pages) for (const [address, text] of texts) bound.set(named(page, address), Buffer.from(text));
  for (const [name, bytes] of icons()) free.set(`icons/${name}`, bytes);
  for (const name of readdirSync(`${ROOT}www/samples`)) if (name.endsWith('.jpg')) free.set(`samples/${name}`, readFileSync(`${ROOT}www/samples/${name}`));
  const worker = await serviceWorker();

  const sums = [...bound, ...free].map(([path, bytes]) => `${path} ${sum(bytes)}\n`).sort();
  const version = createHash('sha256').update(JSON.stringify([sums, pages.map(({ html }) => html), worker])).digest('hex').slice(0, 12);

  const files = new Map([...pages.map(({ page, html }) => /** @type {const} */ ([`${page}index.html`, Buffer.from(document(page, html, version))])), ...free]);
  for (const [path, bytes] of bound) files.set(`${version}/${path}`, bytes);
  // Of documents their folder's own address is kept: some hosts lead from index.html to that.
  const kept = Object.fromEntries([...files].map(([path, bytes]) => [path.replace(/(^|\/)index\.html$/, '$1'), `sha256-${sum(bytes)}`]));
  files.set('sw.js', Buffer.from(`self.SHELL=${JSON.stringify({ version, files: kept })};\n${worker}`));
  files.set('.nojekyll', Buffer.alloc(0)); // GitHub Pages takes the files as they are
  return { version, files };
}

/** The package's entry for browsers, and what it asks for. @returns {Map<string, Buffer>} */
function engine() {
  const dist = `${ROOT}pkg/dist/`;
  const files = new Map([[ENGINE, Buffer.from(readFileSync(`${dist}index.js`, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'))]]);
  for (const name of readdirSync(`${dist}vitscope`)) if (!name.includes('.node.')) files.set(`vitscope/${name}`, readFileSync(`${dist}vitscope/${name}`));
  return files;
}

/** www/sw.js as one script. */
async function serviceWorker() {
  const { outputFiles } = await build({ entryPoints: [`${ROOT}www/sw.js`], bundle: true, minify: true, format: 'iife', target: TARGET, define: { 'globalThis.process': 'undefined' }, write: false, logLevel: 'warning' });
  return outputFiles[0].text;
}

/**
 * What a file that a document names is called in the version's folder.
 * @param {typeof PAGES[number]} page
 * @param {string} address
 */
function named(page, address) {
  const name = address.replace(/^.*\//, '');
  return page && name === 'main.js' ? page.replace('/', '.js') : name;
}

/**
 * A document, beside the version's folder or a folder beside it, with what makes a site of it.
 * @param {typeof PAGES[number]} page
 * @param {string} html
 * @param {string} version
 */
function document(page, html, version) {
  const up = page && '../';
  const own = (/** @type {string} */ _, /** @type {string} */ attribute, /** @type {string} */ address) => {
    const engine = address.split('/pkg/dist/')[1];
    return ` ${attribute}="${up}${version}/${engine ?? named(page, address)}"`;
  };
  const moved = html.replace(/ (href|src)="(\.\.?\/[^"]+)"/g, own);
  const charset = '<meta charset="utf-8">';
  const links = [`<link rel="manifest" href="${up}manifest.webmanifest">`, `<link rel="apple-touch-icon" href="${up}icons/maskable-512.png">`];
  return moved
    .replace(charset, `${charset}\n  <meta name="serviceworker" content="${up}sw.js" data-version="${version}">`) // in front of the policy, which allows it
    .replace('</head>', `  ${links.join('\n  ')}\n</head>`);
}

/** @param {Buffer} bytes */
function sum(bytes) {
  return createHash('sha256').update(bytes).digest('base64');
}

const kB = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? ROOT + DEFAULT);
  try {
    const { version, files } = await site(folder);
    const scripts = ['main.js', 'inside.js', ENGINE, 'vitscope/worker.js'].map((name) => {
      const script = /** @type {Buffer} */ (files.get(`${version}/${name}`));
      return `${name} ${kB(script.length)}, ${kB(brotliCompressSync(script).length)} as brotli`;
    });
    console.log(`${scripts.join('; ')}; all but the models ${kB([...files.values()].reduce((sum, { length }) => sum + length, 0))}`);
    console.log(`The site, version ${version}, is in ${folder}`);
  } catch (error) {
    console.error(`error: ${/** @type {Error} */ (error).message}`);
    process.exitCode = 1;
  }
}
