/**
 * Where the package's own files are. Only this file says so, and by the literal form that bundlers look for. Each is asked for when it is needed,
 * since some tools leave nothing of `import.meta`.
 *
 * The addresses have no `./`, though the files lie in a folder `vitscope/` beside the entries: what takes them for relative finds them there, and what has moved
 * the entry (Vite's pre-bundling) finds them by the package's name, whose `exports` they are.
 */
import { checkAddress, checkNames, mustBe } from './common/checks.js';
import { documentBase } from './common/environment.js';
import { ASSETS_HINT, VitscopeError } from './common/errors.js';

/**
 * @typedef {'relaxed' | 'simd128'} Simd
 * @typedef {Record<'worker' | 'thread' | 'names' | 'single' | 'threaded', string>} Assets absolute addresses: the worker's script, that of the engine's
 *   threads, ImageNet's class names, and the modules with one kind of SIMD
 * @typedef {typeof import('../wasm/relaxed-threads/vitscope.js')} Glue what wasm-bindgen generated, which serves every build
 */

/** Of Node's own worker browsers need not know, nor what packs for them. */
const WORKER = /** @type {'worker.js'} */ (globalThis.process ? 'worker.node.js' : 'worker.js');

const OWN = {
  [WORKER]: () => (globalThis.process ? new URL('vitscope/worker.node.js', import.meta.url) : new URL('vitscope/worker.js', import.meta.url)),
  'imagenet-1k.txt': () => new URL('vitscope/imagenet-1k.txt', import.meta.url),
  'relaxed.wasm': () => new URL('vitscope/relaxed.wasm', import.meta.url),
  'simd128.wasm': () => new URL('vitscope/simd128.wasm', import.meta.url),
  'relaxed-threads.wasm': () => new URL('vitscope/relaxed-threads.wasm', import.meta.url),
  'simd128-threads.wasm': () => new URL('vitscope/simd128-threads.wasm', import.meta.url),
};

/**
 * @param {unknown} given the option `assets`
 * @param {Simd} simd
 * @returns {Assets}
 */
export function locate(given, simd) {
  if (given !== undefined && (typeof given !== 'object' || given === null)) throw mustBe('assets', 'an object, or left out', given);
  const { base, worker, thread, wasm, names } = /** @type {import('../index.js').AssetOptions} */ (given ?? {});
  checkNames(given ?? {}, ['base', 'worker', 'thread', 'wasm', 'names'], 'asset');
  const folder = base === undefined ? undefined : asFolder(checkAddress('assets.base', base));
  const find = (/** @type {keyof typeof OWN} */ file) => (folder ? new URL(file, folder).href : own(file));
  const at = (/** @type {string} */ name, /** @type {string | URL | undefined} */ address, /** @type {keyof typeof OWN} */ file) => (address === undefined ? find(file) : checkAddress(`assets.${name}`, address).href);
  /** @param {keyof typeof OWN} file */
  const module = (file) => {
    const build = /** @type {import('../index.js').Build} */ (file.replace('.wasm', ''));
    const address = typeof wasm === 'string' || wasm instanceof URL ? wasm : wasm?.[build];
    return at('wasm', address, file);
  };
  const script = at('worker', worker, WORKER);
  return {
    worker: script,
    thread: thread === undefined ? script : at('thread', thread, WORKER),
    names: at('names', names, 'imagenet-1k.txt'),
    single: module(`${simd}.wasm`),
    threaded: module(`${simd}-threads.wasm`),
  };
}

/** @param {URL} url */
function asFolder(url) {
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** @param {keyof typeof OWN} file */
function own(file) {
  try {
    return new URL(OWN[file]().href, documentBase()).href; // Next.js leaves the origin out
  } catch (cause) {
    throw new VitscopeError('unsupported-environment', `The tool that bundled vitscope left no address of its own (import.meta.url), so that ${file} can't be found. ${ASSETS_HINT}`, { cause });
  }
}
