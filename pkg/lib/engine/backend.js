/** What this browser can run, and so which of the builds is used. */
import { HEADER, builtin, checkEnvironment } from '../common/environment.js';
import { VitscopeError } from '../common/errors.js';
import { warnOnce } from '../common/warn.js';

/**
 * @typedef {import('../assets.js').Simd} Simd
 * @typedef {import('../../index.js').Backend} Backend
 */

// The smallest modules that use what is asked for, as in wasm-feature-detect. The bytes after the header are the sections
// type (1), function (3), memory (5) and code (10).
const PROBES = {
  // i32.const 0, i8x16.splat, i8x16.popcnt
  simd128: [1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
  // i32.const 0, i8x16.splat, three times, then i32x4.relaxed_dot_i8x16_i7x16_add_s
  relaxed: [1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 147, 2, 11],
  // a shared memory; i32.const 0, i32.atomic.load, drop
  threads: [1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0, 26, 11],
};
const MAX_DEFAULT_THREADS = 8;

/** @param {keyof typeof PROBES} feature */
export function has(feature) {
  return typeof WebAssembly === 'object' && WebAssembly.validate(new Uint8Array([...HEADER, ...PROBES[feature]]));
}

/**
 * Costs microseconds, so it is asked before any download.
 * @param {Simd} [simd] rather than the best there is
 * @param {number} [threads] rather than as many as the machine has cores
 * @param {boolean} [ofItsOwn] whether the engine will run in a worker of its own; here unless told
 * @returns {Backend}
 */
export function chooseBackend(simd, threads, ofItsOwn = false) {
  checkEnvironment(ofItsOwn);
  const inWorker = ofItsOwn || !('document' in globalThis);
  return { simd: chooseSimd(simd), threads: chooseThreads(threads, inWorker, ofItsOwn) };
}

/**
 * @param {Simd | undefined} simd
 * @returns {Simd}
 */
function chooseSimd(simd) {
  if (!has('simd128')) {
    throw new VitscopeError(
      'unsupported-browser',
      'This browser has no WebAssembly SIMD, which vitscope needs. Chrome 100, Firefox 114, Safari 16.4, Node 20.16 and later have it.',
    );
  }
  const relaxed = has('relaxed');
  if (simd === 'relaxed' && !relaxed) {
    throw new VitscopeError('unsupported-browser', "There is no relaxed SIMD here, which simd: 'relaxed' asks for. Leave it out to take the best there is. Chrome 114, Firefox 145 and later have it.");
  }
  return simd ?? (relaxed ? 'relaxed' : 'simd128');
}

/**
 * @param {number | undefined} threads
 * @param {boolean} inWorker
 * @param {boolean} ofItsOwn
 */
function chooseThreads(threads, inWorker, ofItsOwn) {
  // A program outside of browsers that runs the engine in its own thread has other things for the rest to do, unless it says so.
  const many = inWorker && (globalThis.crossOriginIsolated || (ofItsOwn && isIsolated()));
  const wanted = threads ?? (many ? Math.min(cores(), MAX_DEFAULT_THREADS) : 1);
  if (wanted === 1) return 1;
  const missing = whyNoThreads(inWorker);
  if (!missing) return wanted;
  warnOfOneThread(wanted, missing);
  return 1;
}

/** Only pages have to be. */
function isIsolated() {
  return globalThis.crossOriginIsolated ?? typeof SharedArrayBuffer !== 'undefined';
}

function cores() {
  return globalThis.navigator ? navigator.hardwareConcurrency || 1 : (builtin('os')?.availableParallelism() ?? 1);
}

/**
 * @param {boolean} inWorker
 * @returns {string | undefined} a sentence that names the remedy
 */
function whyNoThreads(inWorker) {
  if (typeof Worker === 'undefined' && !builtin('worker_threads')) return 'there are no workers here.';
  if (!isIsolated()) {
    return 'the page is not cross-origin isolated, so it has no shared memory. Serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.';
  }
  // WebKitGTK calls a page isolated and has none of it.
  if (!has('threads') || typeof SharedArrayBuffer === 'undefined') return 'this browser has no WebAssembly threads.';
  if (!inWorker) return "a page's main thread can't wait for others. Use Vitscope, or Engine in a worker of your own.";
  return undefined;
}

/**
 * Says once why the engine has fewer threads than it should.
 * @param {number} threads
 * @param {string} reason
 */
export function warnOfOneThread(threads, reason) {
  warnOnce(`vitscope runs on 1 thread instead of ${threads}: ${reason}`);
}
