import { SINGLE, THREADED } from '../assets.js';
import { checkPolicy } from '../common/environment.js';
import { VitscopeError, fromEngine } from '../common/errors.js';
import { download, request, requireOk } from '../source/download.js';
import { warnOfOneThread } from './backend.js';
import { NoThreads, sharedMemory, startThreads } from './threads.js';

/**
 * @typedef {import('../source/download.js').OnBytes} OnBytes
 * @typedef {import('../../index.js').Backend} Backend
 * @typedef {{Engine: import('../assets.js').Glue['Engine'], Views: Glue['Views'], memory: WebAssembly.Memory, backend: Backend, bell?: Int32Array}} Instance
 *   bell: where it isn't 0, a pass pauses after the block under way; without one after each block
 * @typedef {import('../assets.js').Glue} Glue
 */

// 1 GiB at most: the views read one layer after the other.
const VIEWS_PAGES = 16384;

/**
 * One instance of a build serves every engine of this worker or process: its threads are shared and stay for good, since
 * they would have to be waited for. So the first load says how many there are.
 * @type {Map<string, Promise<Instance>>}
 */
const instances = new Map();

/**
 * The wasm module, instantiated once in this worker or process.
 * @param {Backend} backend
 * @param {{module?: Promise<WebAssembly.Module>, alarm?: string, onBytes?: OnBytes}} [options]
 *   module: what `fetchModule` gives for this backend, where somebody has called it already; alarm: where threads report their end
 * @returns {Promise<Instance>}
 */
export async function loadWasm({ simd, threads }, { module, alarm, onBytes } = {}) {
  if (threads === 1) return loadSingle(simd, { module, onBytes });
  try {
    const instance = await once(`${simd}-threads`, () => instantiateThreads(simd, threads, alarm, module ?? fetchModule({ simd, threads }, { onBytes })));
    const { backend } = instance;
    if (backend.threads !== threads) console.warn(`vitscope runs on ${backend.threads} threads instead of ${threads}: an earlier load in this worker chose. Use a worker of its own.`);
    return instance;
  } catch (error) {
    if (!(error instanceof NoThreads)) throw error;
    warnOfOneThread(threads, error.message);
    return loadSingle(simd, { onBytes });
  }
}

/**
 * The same without threads.
 * @param {Backend['simd']} simd
 * @param {{module?: Promise<WebAssembly.Module>, onBytes?: OnBytes}} [options]
 */
export function loadSingle(simd, { module, onBytes } = {}) {
  return once(simd, () => instantiate(simd, module ?? fetchModule({ simd, threads: 1 }, { onBytes })));
}

/**
 * @param {string} name
 * @param {() => Promise<Instance>} make
 */
function once(name, make) {
  const known = instances.get(name);
  if (known) return known;
  const made = make();
  instances.set(name, made);
  made.catch(() => instances.delete(name)); // a failed download may be tried again
  return made;
}

/**
 * @param {Backend['simd']} simd
 * @param {Promise<WebAssembly.Module>} compiled
 * @returns {Promise<Instance>}
 */
async function instantiate(simd, compiled) {
  const [{ default: init, Engine, Views }, module] = await Promise.all([imported(SINGLE[simd]), compiled]);
  const { memory } = await init({ module_or_path: module }).catch((error) => {
    checkPolicy();
    throw fromEngine(error);
  });
  return { Engine, Views, memory, backend: Object.freeze({ simd, threads: 1 }) };
}

/**
 * @param {Backend['simd']} simd
 * @param {number} threads
 * @param {string | undefined} alarm
 * @param {Promise<WebAssembly.Module>} compiled
 * @returns {Promise<Instance>}
 */
async function instantiateThreads(simd, threads, alarm, compiled) {
  const ready = Promise.all([imported(THREADED[simd]), compiled]).then(async ([glue, module]) => {
    const { memory } = await glue.default({ module_or_path: module, memory: sharedMemory() }).catch(withoutThreads);
    return { glue, start: { simd, module, memory, alarm } };
  });
  await startThreads(threads - 1, ready.then(({ start }) => start)); // their scripts load meanwhile
  const { glue, start } = await ready;
  glue.build_pool(threads);
  return { Engine: glue.Engine, Views: glue.Views, memory: start.memory, backend: Object.freeze({ simd, threads: glue.threads() }) };
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function withoutThreads(error) {
  throw new NoThreads(`the threaded engine could not be started (${error instanceof Error ? error.message : error}).`);
}

/**
 * Another instance, in the thread that a worker's answers come to, for the views that need no model. None of them uses threads, but the module
 * is there already.
 * @param {Backend} backend
 * @param {Promise<WebAssembly.Module>} module what `fetchModule` gives for this backend
 * @returns {Promise<Glue['Views']>}
 */
export async function loadViews({ simd, threads }, module) {
  if (threads === 1) return (await loadSingle(simd, { module })).Views;
  try {
    const [glue, compiled] = await Promise.all([imported(THREADED[simd]), module]);
    await glue.default({ module_or_path: compiled, memory: sharedMemory(VIEWS_PAGES) }).catch(withoutThreads);
    return glue.Views;
  } catch (error) {
    if (!(error instanceof NoThreads)) throw error;
    return (await loadSingle(simd)).Views;
  }
}

/**
 * @template T
 * @param {{glue: () => Promise<T>, wasm: URL}} variant
 * @returns {Promise<T>}
 */
function imported({ glue, wasm }) {
  return glue().catch((cause) => {
    throw new VitscopeError('network', `${new URL('vitscope.js', wasm).href} could not be loaded. Check that the package's folder wasm/ is served whole.`, { cause });
  });
}

/**
 * Fetches and compiles a backend's module. It may be handed to a worker.
 * @param {Backend} backend
 * @param {{signal?: AbortSignal, onBytes?: OnBytes}} [options]
 * @returns {Promise<WebAssembly.Module>}
 */
export async function fetchModule({ simd, threads }, { signal, onBytes = () => {} } = {}) {
  const url = (threads === 1 ? SINGLE : THREADED)[simd].wasm.href;
  if (url.startsWith('file:')) {
    const file = await download(url, { onBytes });
    return compileBytes(url, file ? file.bytes : new Uint8Array());
  }
  const response = await request(url, signal);
  requireOk(response, url);
  const total = Number(response.headers.get('content-length')) || 0;
  onBytes(0, total);
  // The response is handed over untouched, without counting its bytes: only so does the browser cache the compiled code.
  const streams = /^application\/wasm\b/i.test(response.headers.get('content-type') ?? '');
  const module = streams
    ? await WebAssembly.compileStreaming(response).catch((cause) => reject(url, cause, signal))
    : await compileBytes(url, await response.arrayBuffer());
  onBytes(total, total);
  return module;
}

/**
 * @param {string} url
 * @param {BufferSource} bytes
 */
function compileBytes(url, bytes) {
  return WebAssembly.compile(bytes).catch((cause) => reject(url, cause));
}

/**
 * @param {string} url
 * @param {unknown} cause
 * @param {AbortSignal} [signal]
 * @returns {never}
 */
function reject(url, cause, signal) {
  signal?.throwIfAborted();
  checkPolicy();
  if (cause instanceof RangeError) throw fromEngine(cause);
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new VitscopeError('network', `${url} is not a usable WebAssembly module (${reason}). Check that the server sends the file whole and unchanged.`, { cause });
}
