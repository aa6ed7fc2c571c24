import makeGlue from 'glue:engine';
import { checkPolicy } from '../common/environment.js';
import { fromEngine } from '../common/errors.js';
import { warnOfOneThread } from './backend.js';
import { fetchModule } from './module.js';
import { NoThreads, OWN_MEMORY, sharedMemory, startThreads } from './threads.js';

/**
 * @typedef {import('./module.js').OnBytes} OnBytes
 * @typedef {import('../../index.js').Backend} Backend
 * @typedef {import('../assets.js').Assets} Assets
 * @typedef {import('../assets.js').Glue} Glue
 * @typedef {{Engine: Glue['Engine'], Views: Glue['Views'], Walk: Glue['Walk'], memory: WebAssembly.Memory, backend: Backend, names: string, bell?: Int32Array}} Instance
 *   names: the address of ImageNet's class names; bell: where it isn't 0, a pass pauses after the block under way; without one after each block
 */

/**
 * One instance of a build serves every engine of this worker or process: its threads are shared and stay for good, since
 * they would have to be waited for. So the first load says how many there are.
 * @type {Map<string, Promise<Instance>>}
 */
const instances = new Map();

/**
 * The wasm module, instantiated once in this worker or process.
 * @param {Backend} backend
 * @param {Assets} assets
 * @param {{module?: Promise<WebAssembly.Module>, alarm?: string, onBytes?: OnBytes}} [options]
 *   module: what `fetchModule` gives for this backend, where somebody has called it already; alarm: where threads report their end
 * @returns {Promise<Instance>}
 */
export async function loadWasm({ simd, threads }, assets, { module, alarm, onBytes } = {}) {
  const compiled = (/** @type {Backend} */ backend) => (backend.threads === threads && module) || fetchModule(backend, assets, { onBytes });
  const single = () => once(simd, () => startSingle(simd, assets, compiled({ simd, threads: 1 })));
  if (threads === 1) return single();
  try {
    const instance = await once(`${simd}-threads`, () => startThreaded({ simd, threads }, assets, alarm, compiled({ simd, threads })));
    const { backend } = instance;
    if (backend.threads !== threads) console.warn(`vitscope runs on ${backend.threads} threads instead of ${threads}: an earlier load in this worker chose. Use a worker of its own.`);
    return instance;
  } catch (error) {
    if (!(error instanceof NoThreads)) throw error;
    warnOfOneThread(threads, error.message);
    return single();
  }
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
 * @param {Assets} assets
 * @param {Promise<WebAssembly.Module>} compiled
 * @returns {Promise<Instance>}
 */
async function startSingle(simd, { names }, compiled) {
  const module = await compiled;
  const { instantiate, Engine, Views, Walk } = makeGlue();
  const { memory } = await instantiate(module, OWN_MEMORY).catch((error) => {
    checkPolicy();
    throw fromEngine(error);
  });
  return { Engine, Views, Walk, memory, backend: Object.freeze({ simd, threads: 1 }), names };
}

/**
 * @param {Backend} backend
 * @param {Assets} assets
 * @param {string | undefined} alarm
 * @param {Promise<WebAssembly.Module>} compiled
 * @returns {Promise<Instance>}
 */
async function startThreaded({ simd, threads }, { thread, names }, alarm, compiled) {
  const { instantiate, Engine, Views, Walk, build_pool, threads: poolSize } = makeGlue();
  /** @type {Promise<import('./threads.js').ThreadStart>} */
  const start = compiled.then(async (module) => {
    const { memory } = await instantiate(module, sharedMemory()).catch(withoutThreads);
    return { type: 'thread', module, memory, alarm };
  });
  await startThreads(thread, threads - 1, start); // their scripts load meanwhile
  const { memory } = await start;
  build_pool(threads);
  return { Engine, Views, Walk, memory, backend: Object.freeze({ simd, threads: poolSize() }), names };
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function withoutThreads(error) {
  throw new NoThreads(`the threaded engine could not be started (${error instanceof Error ? error.message : error}).`);
}
