/**
 * The four builds of the engine. Addresses are literal, so that bundlers see them; each is loaded only when chosen.
 *
 * @typedef {'relaxed' | 'simd128'} Simd
 * @typedef {typeof import('../wasm/relaxed/vitscope.js')} Glue what wasm-bindgen generated, the same for every build
 * @typedef {typeof import('../wasm/relaxed-threads/vitscope.js')} ThreadedGlue
 */

/** @type {Record<Simd, {glue: () => Promise<Glue>, wasm: URL}>} */
export const SINGLE = {
  relaxed: { glue: () => import('../wasm/relaxed/vitscope.js'), wasm: new URL('../wasm/relaxed/vitscope_bg.wasm', import.meta.url) },
  simd128: { glue: () => import('../wasm/simd128/vitscope.js'), wasm: new URL('../wasm/simd128/vitscope_bg.wasm', import.meta.url) },
};

/** @type {Record<Simd, {glue: () => Promise<ThreadedGlue>, wasm: URL}>} */
export const THREADED = {
  relaxed: { glue: () => import('../wasm/relaxed-threads/vitscope.js'), wasm: new URL('../wasm/relaxed-threads/vitscope_bg.wasm', import.meta.url) },
  simd128: { glue: () => import('../wasm/simd128-threads/vitscope.js'), wasm: new URL('../wasm/simd128-threads/vitscope_bg.wasm', import.meta.url) },
};
