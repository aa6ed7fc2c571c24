/**
 * onnxruntime-web at its best: the entry with the wasm backend alone, which is the smallest and the fastest to start,
 * every graph optimisation, its files from this server. No build that it ships has a relaxed instruction (1.30), so there
 * is no choice of SIMD.
 * @param {import('./worker.js').Setup} setup
 * @returns {Promise<import('./worker.js').Adapter>}
 */
export async function load({ model, dtype, threads }) {
  const dist = new URL('../../node_modules/onnxruntime-web/dist/', import.meta.url).href;
  /** @type {typeof import('onnxruntime-web/wasm')} */
  const { env, InferenceSession, Tensor } = await import(`${dist}ort.wasm.bundle.min.mjs`);
  // A prefix for all files would make it fetch a script that the bundle has within.
  env.wasm.wasmPaths = { wasm: `${dist}ort-wasm-simd-threaded.wasm` };
  env.wasm.numThreads = threads;
  const options = /** @type {const} */ ({ executionProviders: ['wasm'], graphOptimizationLevel: 'all' });
  const session = await InferenceSession.create(`${model}/${dtype}.onnx`, options);
  const [input] = session.inputMetadata;
  const shape = input.isTensor ? input.shape.map(Number) : [];
  return {
    describe: () => ({ threads: env.wasm.numThreads, pixels: shape.reduce((product, size) => product * size, 1) }),
    async classify(pixels) {
      const [answer] = Object.values(await session.run({ pixel_values: new Tensor('float32', pixels, shape) }));
      return /** @type {Float32Array} */ (answer.data);
    },
  };
}
