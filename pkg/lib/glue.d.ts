/** What wasm-bindgen generated, as a function that makes one instance's: `xtask/bundle.mjs` resolves these. */
declare module 'glue:engine' {
  const make: () => import('./assets.js').Glue;
  export default make;
}

/** The same with what a page needs of it. */
declare module 'glue:views' {
  const make: () => Pick<import('./assets.js').Glue, 'default' | 'Views'>;
  export default make;
}
