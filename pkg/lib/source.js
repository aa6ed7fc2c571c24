import { download } from './download.js';
import { VitscopeError } from './errors.js';

/**
 * @typedef {import('../index.js').ModelSource} ModelSource
 * @typedef {import('../index.js').Progress} Progress
 * @typedef {{folder: string} | {config: string | Blob, preprocessor?: string | Blob, weights: Uint8Array | ArrayBuffer | Blob}} Source
 *   the same thing checked: an absolute folder address, or the parts
 * @typedef {{config: string, preprocessor: string | undefined, weights: Uint8Array, owned: boolean}} ModelFiles
 *   owned: the weights' buffer is nobody else's
 */

/**
 * Checks what the caller named as the model, without reading any of it.
 * @param {ModelSource} source
 * @returns {Source}
 */
export function normaliseSource(source) {
  if (typeof source === 'string' || source instanceof URL) return { folder: folderUrl(source) };
  if (typeof source !== 'object' || source === null || !('config' in source) || !('weights' in source)) {
    throw new VitscopeError('invalid-argument', 'The model must be a folder URL or {config, preprocessor?, weights}.');
  }
  const { config, preprocessor, weights } = source;
  if (!(weights instanceof ArrayBuffer || weights instanceof Uint8Array || weights instanceof Blob)) {
    throw new VitscopeError('invalid-argument', 'weights must be an ArrayBuffer, a Uint8Array or a Blob with the bytes of model.safetensors.');
  }
  return { config: asText(config, 'config'), preprocessor: preprocessor == null ? undefined : asText(preprocessor, 'preprocessor'), weights };
}

/**
 * Reads the model's files. Downloads run side by side; the first failure stops the others.
 * @param {Source} source
 * @param {{signal?: AbortSignal, onProgress?: (progress: Progress) => void}} [options]
 * @returns {Promise<ModelFiles>}
 */
export async function readSource(source, { signal, onProgress = () => {} } = {}) {
  if (!('folder' in source)) return readParts(source, onProgress);
  const { folder } = source;
  const stop = new AbortController();
  const abort = () => stop.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort);
  try {
    const [config, preprocessor, weights] = await Promise.all([
      required(fileUrl(folder, 'config.json'), 'config', stop.signal, onProgress),
      download(fileUrl(folder, 'preprocessor_config.json'), { signal: stop.signal, optional: true }),
      required(fileUrl(folder, 'model.safetensors'), 'weights', stop.signal, onProgress),
    ]);
    return {
      config: decode(config),
      // An HTML page in its place is a single-page server's way of saying 404.
      preprocessor: preprocessor && !preprocessor.html ? decode(preprocessor.bytes) : undefined,
      weights,
      owned: true,
    };
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * @param {string} url
 * @param {'config' | 'weights'} phase
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} onProgress
 */
async function required(url, phase, signal, onProgress) {
  const file = await download(url, { signal, onBytes: (loaded, total) => onProgress({ phase, loaded, total }) });
  if (!file || file.html) {
    throw new VitscopeError('network', `${url} answered with an HTML page instead of the file. Check that the model folder's address is right.`);
  }
  return file.bytes;
}

/**
 * @param {Exclude<Source, {folder: string}>} source
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<ModelFiles>}
 */
async function readParts({ config, preprocessor, weights }, onProgress) {
  const total = weights instanceof Blob ? weights.size : weights.byteLength;
  onProgress({ phase: 'weights', loaded: 0, total });
  try {
    const [configText, preprocessorText, file] = await Promise.all([
      config instanceof Blob ? config.text() : config,
      preprocessor instanceof Blob ? preprocessor.text() : preprocessor,
      weights instanceof Blob ? weights.arrayBuffer() : weights,
    ]);
    onProgress({ phase: 'weights', loaded: total, total });
    const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
    return { config: configText, preprocessor: preprocessorText, weights: bytes, owned: weights instanceof Blob };
  } catch (cause) {
    if (cause instanceof RangeError) throw new VitscopeError('out-of-memory', `The weights (${total} bytes) do not fit into memory.`, { cause });
    throw new VitscopeError('network', 'A file of the model could not be read. It may have been moved or changed; choose it again.', { cause });
  }
}

/**
 * A whole model's bytes go back at once where they can be detached; elsewhere the garbage collector finds them in its own time.
 * @param {Uint8Array} bytes
 */
export function release({ buffer, byteLength }) {
  // Part of a buffer may be somebody else's too: Node.js reads small files into a common one.
  if (buffer.byteLength === byteLength) /** @type {any} */ (buffer).transfer?.(0);
}

/**
 * @param {string | URL} address
 * @returns {string} absolute, its path ending in a slash
 */
function folderUrl(address) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  let url;
  try {
    url = new URL(address, base);
  } catch (cause) {
    throw new VitscopeError('invalid-argument', `"${address}" is not a URL that can be resolved here.`, { cause });
  }
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/**
 * A query (an access token, say) belongs to each file of the folder.
 * @param {string} folder
 * @param {string} name
 */
function fileUrl(folder, name) {
  const url = new URL(name, folder);
  url.search = new URL(folder).search;
  return url.href;
}

/**
 * @param {object | string | Blob} value
 * @param {string} name
 * @returns {string | Blob}
 */
function asText(value, name) {
  if (typeof value === 'string' || value instanceof Blob) return value;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  throw new VitscopeError('invalid-argument', `${name} must be an object, a JSON text or a Blob.`);
}

/** @param {Uint8Array} bytes */
function decode(bytes) {
  return new TextDecoder().decode(bytes);
}
