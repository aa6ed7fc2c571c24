import init, { Engine } from '../wasm/vitscope.js';
import { download, request, requireOk } from './download.js';
import { VitscopeError } from './errors.js';

/** @typedef {import('./download.js').OnBytes} OnBytes */

const WASM_URL = new URL('../wasm/vitscope_bg.wasm', import.meta.url);

/** @type {Promise<typeof Engine> | undefined} */
let ready;

/**
 * The wasm module, fetched and compiled once in this worker or process.
 * @param {OnBytes} [onBytes]
 * @returns {Promise<typeof Engine>}
 */
export function loadWasm(onBytes = () => {}) {
  ready ??= compile(onBytes)
    .then((module) => init({ module_or_path: module }))
    .then(() => Engine)
    .catch((error) => {
      ready = undefined; // a failed download may be tried again
      throw error;
    });
  return ready;
}

/**
 * @param {OnBytes} onBytes
 * @returns {Promise<WebAssembly.Module>}
 */
async function compile(onBytes) {
  const url = WASM_URL.href;
  if (url.startsWith('file:')) {
    const file = await download(url, { onBytes });
    return compileBytes(url, file ? file.bytes : new Uint8Array());
  }
  const response = await request(url);
  requireOk(response, url);
  const total = Number(response.headers.get('content-length')) || 0;
  onBytes(0, total);
  // The response is handed over untouched, without counting its bytes: only so does the browser cache the compiled code.
  const streams = /^application\/wasm\b/i.test(response.headers.get('content-type') ?? '');
  const module = streams
    ? await WebAssembly.compileStreaming(response).catch((cause) => reject(url, cause))
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
 * @returns {never}
 */
function reject(url, cause) {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new VitscopeError('network', `${url} is not a usable WebAssembly module (${reason}). Check that the server sends the file whole and unchanged.`, { cause });
}
