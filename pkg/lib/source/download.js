import { policyError, wasRefused, watchPolicy } from '../common/environment.js';
import { VitscopeError } from '../common/errors.js';

/** The engine counts bytes in 32 bits. */
const MOST = 2 ** 32 - 1;

/**
 * @typedef {(loaded: number, total: number) => void} OnBytes  total is 0 while it is unknown
 * @typedef {{bytes: Uint8Array<ArrayBuffer>, html: boolean}} Download
 */

/**
 * Refuses what can't be held, as soon as its size is known.
 * @param {string} what
 * @param {number} bytes
 */
export function requireRoom(what, bytes) {
  if (bytes > MOST) throw new VitscopeError('out-of-memory', `${what} has ${bytes} bytes, and no more than ${MOST} can be held here. Of the same folder \`vitscope quantize\` makes a smaller one, with what is used of it alone.`);
}

/**
 * Reads a whole file by `fetch` (or from disk, for file: URLs in Node).
 * @param {string} url absolute
 * @param {{signal?: AbortSignal, onBytes?: OnBytes, optional?: boolean}} [options] optional: a 404 is an answer, not a failure
 * @returns {Promise<Download | undefined>} undefined where an optional file does not exist
 */
export async function download(url, { signal, onBytes = () => {}, optional = false } = {}) {
  if (url.startsWith('file:')) return readFromDisk(url, { signal, onBytes, optional });
  // Where addresses are of files (an extension's), one that is missing is no answer.
  const response = await request(url, signal).catch((error) => {
    if (!optional || signal?.aborted || /^https?:/.test(url)) throw error;
  });
  if (!response) return undefined;
  if (optional && (response.status === 404 || response.status === 410)) {
    await response.body?.cancel();
    return undefined;
  }
  requireOk(response, url);
  const bytes = await readBody(response, url, signal, onBytes);
  return { bytes, html: isHtml(response, bytes) };
}

/**
 * `fetch` whose failure names the URL. Only the signal's own reason passes through as it is.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export async function request(url, signal) {
  signal?.throwIfAborted();
  watchPolicy();
  try {
    return await fetch(url, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    if (await wasRefused(/^(connect|default)-src/, url)) throw policyError(`${url} may not be fetched. Allow it in connect-src.`, { cause });
    throw new VitscopeError('network', `${url} could not be fetched. Check the address, the connection and, for another site, its CORS headers.`, { cause });
  }
}

/**
 * @param {Response} response
 * @param {string} url
 */
export function requireOk(response, url) {
  if (response.ok) return;
  const status = `${response.status} ${response.statusText}`.trim();
  const cause = Object.assign(new Error(status), { status: response.status });
  throw new VitscopeError('network', `${url} answered with HTTP status ${status}. Check that the address is right and the file is there.`, { cause });
}

/**
 * @param {Response} response
 * @param {string} url
 * @param {AbortSignal | undefined} signal
 * @param {OnBytes} onBytes
 */
async function readBody(response, url, signal, onBytes) {
  // Content-Length counts the bytes sent: with a content encoding that isn't the size of what arrives here, and of
  // another site's answer the encoding can't be seen. So the length is a hint there, and a promise only here.
  const encoded = (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
  const announced = encoded ? 0 : Number(response.headers.get('content-length')) || 0;
  const promised = response.type === 'cors' ? 0 : announced;
  let loaded = 0;
  try {
    requireRoom(url, announced);
    const sink = new Sink(announced);
    onBytes(0, announced);
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body ?? new Blob([]).stream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      requireRoom(url, loaded + value.length);
      loaded = sink.write(value);
      onBytes(loaded, loaded <= announced ? announced : 0);
    }
    if (loaded < promised) throw new Error('the server sent less than it announced');
    return sink.bytes();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof VitscopeError) throw cause;
    if (cause instanceof RangeError) throw new VitscopeError('out-of-memory', `${url}${announced ? `, ${announced} bytes,` : ''} does not fit into memory.`, { cause });
    const part = announced ? `${loaded} of ${announced} bytes` : `${loaded} bytes`;
    throw new VitscopeError('network', `The download of ${url} broke off after ${part}. Try again.`, { cause });
  }
}

/** A buffer of the announced size, so that a large file exists once; it grows only where the announcement was wrong or absent. */
class Sink {
  #length = 0;
  #buffer;

  /** @param {number} announced */
  constructor(announced) {
    this.#buffer = new Uint8Array(announced);
  }

  /**
   * @param {Uint8Array} chunk
   * @returns {number} bytes so far
   */
  write(chunk) {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      grown.set(this.bytes());
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    return (this.#length = length);
  }

  bytes() {
    return this.#buffer.subarray(0, this.#length);
  }
}

/**
 * A server set up for a single-page application answers any missing file with its index page and status 200.
 * @param {Response} response
 * @param {Uint8Array} bytes
 */
function isHtml(response, bytes) {
  if (/^text\/html\b/i.test(response.headers.get('content-type') ?? '')) return true;
  return /^\s*<(!doctype|html)/i.test(new TextDecoder().decode(bytes.subarray(0, 64)));
}

/**
 * @param {string} url
 * @param {{signal?: AbortSignal, onBytes: OnBytes, optional: boolean}} options
 * @returns {Promise<Download | undefined>}
 */
async function readFromDisk(url, { signal, onBytes, optional }) {
  // Asked for by this call, not by an import, so that pages and bundlers never look for it.
  const fs = /** @type {any} */ (globalThis).process?.getBuiltinModule?.('node:fs/promises');
  if (!fs) throw new VitscopeError('network', `${url} can't be read here: pages have no access to file: addresses. Serve the folder over HTTP.`);
  try {
    requireRoom(url, (await fs.stat(new URL(url))).size);
    const file = await fs.readFile(new URL(url), { signal });
    const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
    onBytes(bytes.length, bytes.length);
    return { bytes, html: false };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof VitscopeError) throw cause;
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (missing && optional) return undefined;
    throw new VitscopeError('network', `${url} could not be read${missing ? ': there is no such file' : ''}.`, { cause });
  }
}
