import { checkPolicy } from '../common/environment.js';
import { ASSETS_HINT, VitscopeError, fromEngine } from '../common/errors.js';
import { readDisk } from '../files/disk.js';
import { request } from '../files/site.js';

/** @typedef {(loaded: number, total: number) => void} OnBytes  total is 0 while it is unknown */

/**
 * Fetches and compiles a backend's module. It may be handed to a worker.
 * @param {import('../../index.js').Backend} backend
 * @param {import('../assets.js').Assets} assets
 * @param {{signal?: AbortSignal, onBytes?: OnBytes}} [options]
 * @returns {Promise<WebAssembly.Module>}
 */
export async function fetchModule({ threads }, assets, { signal, onBytes = () => {} } = {}) {
  const url = threads === 1 ? assets.single : assets.threaded;
  if (url.startsWith('file:')) {
    const file = await readDisk(url);
    onBytes(file.length, file.length);
    return compileBytes(url, file);
  }
  const response = await request(url, { signal });
  if (!response.ok) throw new VitscopeError('network', `${url} answered with HTTP status ${response.status}. ${ASSETS_HINT}`);
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
 * Whether both run the same one: where threads can't be had after all, the engine runs without.
 * @param {import('../../index.js').Backend} a
 * @param {import('../../index.js').Backend} b
 */
export function sameModule(a, b) {
  return a.threads > 1 === b.threads > 1;
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
  throw new VitscopeError('network', `${url} is not a usable WebAssembly module (${reason}). Check that the server sends the file whole and unchanged. ${ASSETS_HINT}`, { cause });
}
