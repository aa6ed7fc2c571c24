import { VitscopeError } from './errors.js';

// The smallest module that uses a simd128 instruction: i32.const 0, i8x16.splat, i8x16.popcnt (as in wasm-feature-detect).
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** Throws `unsupported-browser` where the engine's wasm can't run. Costs microseconds, so it is asked before any download. */
export function requireSimd() {
  if (typeof WebAssembly === 'object' && WebAssembly.validate(SIMD_MODULE)) return;
  throw new VitscopeError(
    'unsupported-browser',
    'This browser has no WebAssembly SIMD, which vitscope needs. Chrome 91, Firefox 114, Safari 16.4, Node 20.16 and later have it.',
  );
}
