import { checkNames, describe } from '../common/checks.js';
import { documentBase } from '../common/environment.js';
import { VitscopeError } from '../common/errors.js';
import { requireRoom } from './download.js';
import { TEXT, WEIGHTS, readFolder } from './folder.js';

/**
 * @typedef {import('../../index.js').ModelSource} ModelSource
 * @typedef {import('../../index.js').Progress} Progress
 * @typedef {Uint8Array | ArrayBuffer | Blob} Bytes
 * @typedef {{config: string | Bytes, preprocessor?: string | Bytes, processor?: string | Bytes, weights: Bytes[], textEmbeddings?: Bytes}} Parts
 * @typedef {{folder: string} | Parts} Source
 *   the same thing checked: an absolute folder address, or the parts
 * @typedef {{config: string, preprocessor: string | undefined, processor: string | undefined, names: string[], weights: Uint8Array[], textEmbeddings: Uint8Array | undefined, owned: boolean}} ModelFiles
 *   owned: the weights' buffers are nobody else's
 * @typedef {{signal: AbortSignal | undefined, onProgress: (progress: Progress) => void, check: (config: string) => Promise<unknown>}} Reading
 *   check: asked as soon as a folder's config is there; where it rejects, the rest is not waited for
 */

/**
 * Checks what the caller named as the model, without reading any of it.
 * @param {ModelSource} source
 * @returns {Source}
 */
export function normaliseSource(source) {
  if (typeof source === 'string' || source instanceof URL) return { folder: folderUrl(source) };
  if (typeof source !== 'object' || source === null || !('config' in source) || !('weights' in source)) {
    throw new VitscopeError('invalid-argument', 'The model must be a folder URL or {config, preprocessor?, processor?, weights, textEmbeddings?}.');
  }
  checkNames(source, ['config', 'preprocessor', 'processor', 'weights', 'textEmbeddings'], 'file');
  const { config, preprocessor, processor, textEmbeddings } = source;
  const weights = Array.isArray(source.weights) ? [...source.weights] : [source.weights];
  if (!weights.length || !weights.every(areBytes)) {
    throw new VitscopeError('invalid-argument', `weights must be an ArrayBuffer, a Uint8Array or a Blob with the bytes of ${WEIGHTS}, or an array of these with all files of split weights.`);
  }
  if (textEmbeddings != null && !areBytes(textEmbeddings)) {
    throw new VitscopeError('invalid-argument', `textEmbeddings must be an ArrayBuffer, a Uint8Array or a Blob with the bytes of ${TEXT}.`);
  }
  const asOptional = (/** @type {unknown} */ value, /** @type {string} */ name) => (value == null ? undefined : asText(value, name));
  return { config: asText(config, 'config'), preprocessor: asOptional(preprocessor, 'preprocessor'), processor: asOptional(processor, 'processor'), weights, textEmbeddings: textEmbeddings ?? undefined };
}

/**
 * @param {unknown} value
 * @returns {value is Bytes}
 */
function areBytes(value) {
  return value instanceof ArrayBuffer || value instanceof Uint8Array || value instanceof Blob;
}

/**
 * Reads the model's files.
 * @param {Source} source
 * @param {Partial<Reading>} [options]
 * @returns {Promise<ModelFiles>}
 */
export async function readSource(source, { signal, onProgress = () => {}, check = async () => {} } = {}) {
  return 'folder' in source ? readFolder(source.folder, { signal, onProgress, check }) : readParts(source, onProgress);
}

/**
 * @param {Parts} source
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<ModelFiles>}
 */
async function readParts({ config, preprocessor, processor, weights, textEmbeddings }, onProgress) {
  const total = weights.reduce((sum, part) => sum + (part instanceof Blob ? part.size : part.byteLength), 0);
  requireRoom('What was given as weights', total);
  onProgress({ phase: 'weights', loaded: 0, total });
  try {
    const [configText, preprocessorText, processorText, text, ...files] = await Promise.all([
      readText(config),
      preprocessor && readText(preprocessor),
      processor && readText(processor),
      textEmbeddings && toArray(textEmbeddings),
      ...weights.map(toArray),
    ]);
    onProgress({ phase: 'weights', loaded: total, total });
    const names = weights.map((part, i) => (part instanceof File ? part.name : weights.length > 1 ? `weights[${i}]` : WEIGHTS));
    return { config: configText, preprocessor: preprocessorText, processor: processorText, names, weights: files, textEmbeddings: text, owned: weights.every((part) => part instanceof Blob) };
  } catch (cause) {
    if (cause instanceof RangeError) throw new VitscopeError('out-of-memory', `The weights (${total} bytes) do not fit into memory.`, { cause });
    throw new VitscopeError('network', 'A file of the model could not be read. It may have been moved or changed; choose it again.', { cause });
  }
}

/** @param {string | Bytes} text */
async function readText(text) {
  return typeof text === 'string' ? text : new TextDecoder().decode(await toArray(text));
}

/** @param {Bytes} bytes */
async function toArray(bytes) {
  if (bytes instanceof Uint8Array) return bytes;
  return new Uint8Array(bytes instanceof Blob ? await bytes.arrayBuffer() : bytes);
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
  let url;
  try {
    url = new URL(address, documentBase());
  } catch (cause) {
    throw new VitscopeError('invalid-argument', `"${address}" is not a URL that can be resolved here.`, { cause });
  }
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/**
 * @param {unknown} value
 * @param {string} name
 * @returns {string | Bytes}
 */
function asText(value, name) {
  if (typeof value === 'string' || areBytes(value)) return value;
  let cause;
  // What JSON.parse gives, and no promise or answer of a server, which would become `{}`.
  if (/ (Object|Array)\]$/.test(Object.prototype.toString.call(value))) {
    try {
      return JSON.stringify(value);
    } catch (error) {
      cause = error; // it contains itself, say
    }
  }
  throw new VitscopeError('invalid-argument', `${name} must be an object as in JSON, a JSON text, or an ArrayBuffer, a Uint8Array or a Blob with one; not ${describe(value)}.`, { cause });
}
