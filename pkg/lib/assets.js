/**
 * Where the package's own files are. Only this file says so: an address is relative to the file that it stands in, which is one of `dist/` when
 * bundled, and this one lies as deep. Bundlers look for these literal forms. Each is asked for only when it is needed.
 *
 * @typedef {'relaxed' | 'simd128'} Simd
 * @typedef {typeof import('../wasm/relaxed/vitscope.js')} Glue what wasm-bindgen generated, the same for every build
 * @typedef {typeof import('../wasm/relaxed-threads/vitscope.js')} ThreadedGlue
 */

/** The builds of the engine. @type {Record<Simd, {glue: () => Promise<Glue>, wasm: URL}>} */
export const SINGLE = {
  relaxed: { glue: () => import('../wasm/relaxed/vitscope.js'), wasm: new URL('../wasm/relaxed/vitscope_bg.wasm', import.meta.url) },
  simd128: { glue: () => import('../wasm/simd128/vitscope.js'), wasm: new URL('../wasm/simd128/vitscope_bg.wasm', import.meta.url) },
};

/** @type {Record<Simd, {glue: () => Promise<ThreadedGlue>, wasm: URL}>} */
export const THREADED = {
  relaxed: { glue: () => import('../wasm/relaxed-threads/vitscope.js'), wasm: new URL('../wasm/relaxed-threads/vitscope_bg.wasm', import.meta.url) },
  simd128: { glue: () => import('../wasm/simd128-threads/vitscope.js'), wasm: new URL('../wasm/simd128-threads/vitscope_bg.wasm', import.meta.url) },
};

/** The names of ImageNet-1k's classes. */
export function imagenetNames() {
  return new URL('../imagenet-1k.txt', import.meta.url).href;
}

/** The worker that runs the engine. */
export function startWorker() {
  return spawn('worker.js', () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }));
}

/** One of its threads. */
export function startThread() {
  return spawn('thread.js', () => new Worker(new URL('./thread.js', import.meta.url), { type: 'module' }));
}

/**
 * The address of a worker's script, where no bundler has moved it.
 * @param {'worker.js' | 'thread.js'} script
 */
export function addressOf(script) {
  return new URL(`./${script}`, here()).href;
}

/** By way of a function: bundlers would take `new URL('…', import.meta.url)` for a file to ship. */
function here() {
  return import.meta.url;
}

/**
 * A worker's script must come from the page's own origin. Where the package is served by another site, a script of our own that
 * imports it will do, as that site's CORS headers allowed the import of this very file.
 *
 * @param {'worker.js' | 'thread.js'} script
 * @param {() => Worker} start `new Worker(new URL('…', import.meta.url), { type: 'module' })`: by that exact form bundlers find it
 * @returns {Worker}
 */
function spawn(script, start) {
  if (new URL(here()).origin === globalThis.location.origin) return start();
  const url = URL.createObjectURL(new Blob([`import ${JSON.stringify(addressOf(script))};`], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module' });
  worker.addEventListener('message', () => URL.revokeObjectURL(url), { once: true });
  return worker;
}
