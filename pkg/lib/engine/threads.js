/** The threads of an engine: workers that share its memory. */
import { ASSETS_HINT } from '../common/errors.js';
import { spawn } from '../common/spawn.js';

/**
 * What a thread is told.
 * @typedef {{type: 'thread', module: WebAssembly.Module, memory: WebAssembly.Memory, alarm: string | undefined}} ThreadStart
 *   alarm: name of the BroadcastChannel on which it reports its end
 */

/**
 * In place of a shared memory, for modules that have their own: the glue, which is one for all builds, would make a shared one where it is given none.
 * @type {any}
 */
export const OWN_MEMORY = {};

/** Why there are no threads, in a sentence. */
export class NoThreads extends Error {}

// What the module itself asks for; xtask/src/wasm.rs says so to the linker. Checked when it is instantiated.
const INITIAL_PAGES = 25;
// 4 GiB, and less for phones: some refuse the address space of a large shared memory.
const MAXIMUM_PAGES = [65536, 32768, 16384, 8192];

/**
 * @param {number} [most] pages
 * @returns {WebAssembly.Memory} as large as it may become here
 */
export function sharedMemory(most = Infinity) {
  for (const maximum of MAXIMUM_PAGES) {
    if (maximum > most) continue;
    try {
      const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
      if (memory.buffer instanceof SharedArrayBuffer) return memory;
    } catch {}
  }
  throw new NoThreads('this browser has no room for a shared memory. Close other tabs, and load the model again.');
}

/**
 * Starts `count` workers, and hands them the module once it is there. None is left behind where one fails.
 * @param {string} script its address
 * @param {number} count
 * @param {Promise<ThreadStart>} start
 * @returns {Promise<void>} when all of them wait to enter the pool
 */
export async function startThreads(script, count, start) {
  /** @type {import('../common/spawn.js').Thread[]} */
  const workers = [];
  try {
    for (let i = 0; i < count; i++) workers.push(spawn(script));
    const ready = Promise.all(workers.map((worker) => readiness(worker, script)));
    ready.catch(() => {}); // it may fail before anybody waits for it
    const message = await start;
    for (const worker of workers) worker.postMessage(message);
    await ready;
    for (const worker of workers) worker.unref?.();
  } catch (error) {
    for (const worker of workers) worker.terminate();
    // A worker may be refused, or the shared memory not be sent to it.
    const refused = error instanceof DOMException || error instanceof ReferenceError;
    throw refused ? new NoThreads(`a thread could not be started (${error.message}).`) : error;
  }
}

/**
 * @param {import('../common/spawn.js').Thread} worker
 * @param {string} script
 * @returns {Promise<void>}
 */
function readiness(worker, script) {
  return new Promise((resolve, reject) => {
    worker.onmessage = (/** @type {MessageEvent} */ { data: failure }) => (failure ? reject(new NoThreads(`a thread could not be started (${failure}).`)) : resolve());
    worker.onerror = (/** @type {ErrorEvent} */ event) => {
      event.preventDefault(); // else it would count as an error of the worker that started it
      reject(new NoThreads(`the worker ${script} could not be started${event.message ? ` (${event.message})` : ''}. Check that it is served, on isolated pages with Cross-Origin-Embedder-Policy too. ${ASSETS_HINT}`));
    };
  });
}
