/** What wasm-bindgen generated, as a function that makes one instance's: `xtask/bundle.mjs` resolves these, and adds what instantiates. */
declare module 'glue:engine' {
  type Glue = import('./assets.js').Glue;
  /** Threads have stacks of their own. */
  type Instantiate = (module: WebAssembly.Module, memory: WebAssembly.Memory, stackBytes?: number) => Promise<{ memory: WebAssembly.Memory }>;
  /** Of the two last, entries have the one and the worker the other. */
  const make: () => Pick<Glue, 'Engine' | 'Walk' | 'build_pool' | 'threads' | 'Views' | 'run_thread'> & { instantiate: Instantiate };
  export default make;
}

/** The same with what a page needs of it. */
declare module 'glue:views' {
  const make: () => Pick<import('./assets.js').Glue, 'Views'> & { instantiate: import('glue:engine').Instantiate };
  export default make;
}
