import { warnOnce } from './console.js';
import { download, requireRoom } from './download.js';
import { VitscopeError } from './errors.js';
import { exists, explain, isMissing } from './missing.js';

/**
 * @typedef {import('../index.js').ModelSource} ModelSource
 * @typedef {import('../index.js').Progress} Progress
 * @typedef {Uint8Array | ArrayBuffer | Blob} Bytes
 * @typedef {{config: string | Blob, preprocessor?: string | Blob, processor?: string | Blob, weights: Bytes[], textEmbeddings?: Bytes}} Parts
 * @typedef {{folder: string} | Parts} Source
 *   the same thing checked: an absolute folder address, or the parts
 * @typedef {{config: string, preprocessor: string | undefined, processor: string | undefined, names: string[], weights: Uint8Array[], textEmbeddings: Uint8Array | undefined, owned: boolean}} ModelFiles
 *   owned: the weights' buffers are nobody else's
 */

const WEIGHTS = 'model.safetensors';
const USUAL = { config: 'config.json', weights: WEIGHTS };
const OPEN_CLIP = { config: 'open_clip_config.json', weights: 'open_clip_model.safetensors' };
const INDEX = 'model.safetensors.index.json';
const TEXT = 'text_embeddings.safetensors';

/** Tensors of what reads or writes text, as no encoder of images calls its own. */
const TEXTUAL = /^(model\.)?(language_model|text_model|lm_head)\./;

/** Models that compare images with texts: only beside these are text features looked for. */
const COMPARES = /"model_type"\s*:\s*"(\w*clip|siglip|aimv2|tipsv2)|"model_cfg"/;

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
  const { config, preprocessor, processor, textEmbeddings } = source;
  const weights = Array.isArray(source.weights) ? [...source.weights] : [source.weights];
  if (!weights.length || !weights.every(areBytes)) {
    throw new VitscopeError('invalid-argument', `weights must be an ArrayBuffer, a Uint8Array or a Blob with the bytes of ${WEIGHTS}, or an array of these with all files of split weights.`);
  }
  if (textEmbeddings != null && !areBytes(textEmbeddings)) {
    throw new VitscopeError('invalid-argument', `textEmbeddings must be an ArrayBuffer, a Uint8Array or a Blob with the bytes of ${TEXT}.`);
  }
  const asOptional = (/** @type {object | string | Blob | null | undefined} */ value, /** @type {string} */ name) => (value == null ? undefined : asText(value, name));
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
 * Reads the model's files. Downloads run side by side; the first failure stops the others.
 * @param {Source} source
 * @param {{signal?: AbortSignal, onProgress?: (progress: Progress) => void}} [options]
 * @returns {Promise<ModelFiles>}
 */
export async function readSource(source, { signal, onProgress = () => {} } = {}) {
  if (!('folder' in source)) return readParts(source, onProgress);
  const { folder } = source;
  const address = (/** @type {string} */ name) => fileUrl(folder, name);
  try {
    return await readFolder(folder, USUAL, signal, onProgress);
  } catch (error) {
    const others = isMissing(error) && (await Promise.all(Object.values(OPEN_CLIP).map((name) => exists(address(name), signal))));
    if (!others || !others.every(Boolean)) throw await explain(error, address, signal);
    return readFolder(folder, OPEN_CLIP, signal, onProgress);
  }
}

/**
 * @param {string} folder
 * @param {typeof USUAL} names
 * @param {AbortSignal | undefined} signal
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<ModelFiles>}
 */
async function readFolder(folder, names, signal, onProgress) {
  const stop = new AbortController();
  const abort = () => stop.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort);
  try {
    const config = required(folder, names.config, stop.signal, (loaded, total) => onProgress({ phase: 'config', loaded, total })).then(decode);
    const [configText, preprocessor, processor, weights, textEmbeddings] = await Promise.all([
      config,
      optional(folder, 'preprocessor_config.json', stop.signal, config),
      optional(folder, 'processor_config.json', stop.signal, config),
      readWeights(folder, names.weights, config, stop.signal, (loaded, total) => onProgress({ phase: 'weights', loaded, total })),
      config.then((text) => (COMPARES.test(text) ? optional(folder, TEXT, stop.signal, config) : undefined)),
    ]);
    return {
      config: configText,
      preprocessor: preprocessor && decode(preprocessor),
      processor: processor && decode(processor),
      names: weights.map(({ name }) => name),
      weights: weights.map(({ bytes }) => bytes),
      textEmbeddings,
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
 * The one file of weights, or where that can't be had those that are needed of an index.
 * @param {string} folder
 * @param {string} whole
 * @param {Promise<unknown>} config
 * @param {AbortSignal} signal
 * @param {import('./download.js').OnBytes} onBytes
 */
async function readWeights(folder, whole, config, signal, onBytes) {
  try {
    return [{ name: whole, bytes: await required(folder, whole, signal, onBytes) }];
  } catch (error) {
    signal.throwIfAborted();
    const index = error instanceof VitscopeError && error.code === 'network' && (await optional(folder, INDEX, signal, config).catch(() => undefined));
    if (!index) throw error;
    const names = shardNames(decode(index), fileUrl(folder, INDEX));
    const parts = names.map(() => ({ loaded: 0, total: 0 }));
    const report = (/** @type {number} */ i, /** @type {number} */ loaded, /** @type {number} */ total) => {
      parts[i] = { loaded, total };
      const sum = parts.reduce((sum, part) => sum + part.total, 0);
      requireRoom(`The weights of ${folder}, as far as their sizes are known,`, sum);
      const known = parts.every((part) => part.total > 0);
      onBytes(parts.reduce((sum, part) => sum + part.loaded, 0), known ? sum : 0);
    };
    return Promise.all(names.map(async (name, i) => ({ name, bytes: await required(folder, name, signal, (loaded, total) => report(i, loaded, total)) })));
  }
}

/**
 * The files that an index names, each once, but those in which there is nothing but text.
 * @param {string} text
 * @param {string} url
 * @returns {string[]}
 */
export function shardNames(text, url = INDEX) {
  let map;
  try {
    // Python writes numbers that JSON doesn't have.
    map = JSON.parse(text.replace(/("(?:[^"\\]|\\.)*")|-?\b(?:NaN|Infinity)\b/g, (_, quoted) => quoted ?? 'null')).weight_map;
  } catch {}
  const entries = Object.entries(map ?? {});
  if (!entries.length || !entries.every(([, file]) => isPlain(file))) {
    throw new VitscopeError('invalid-weights', `${url} has no weight_map that names files of its own folder.`);
  }
  const others = entries.filter(([name]) => !TEXTUAL.test(name));
  return [...new Set((others.length ? others : entries).map(([, file]) => file))].sort();
}

/**
 * Whether a name can't lead out of its folder, as part of a path or of a URL.
 * @param {unknown} name
 */
function isPlain(name) {
  return typeof name === 'string' && !/^\.{0,2}$|[/\\:]|%(2e|2f|5c)/i.test(name);
}

/**
 * @param {string} folder
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {import('./download.js').OnBytes} onBytes
 */
async function required(folder, name, signal, onBytes) {
  const url = fileUrl(folder, name);
  const file = await download(url, { signal, onBytes });
  if (!file || file.html) {
    throw new VitscopeError('network', `${url} answered with an HTML page instead of the file. Check that the model folder's address is right.`, { cause: 404 });
  }
  return file.bytes;
}

/**
 * @param {string} folder
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {Promise<unknown>} config of the same folder
 */
async function optional(folder, name, signal, config) {
  const url = fileUrl(folder, name);
  const file = await download(url, { signal, optional: true }).catch(async (error) => {
    if (error.cause?.status !== 403) throw error;
    await config; // where not even that comes, the folder is closed
    warnOnce(`${url} answered with HTTP status 403, which vitscope takes for a missing file: so buckets answer whose files may not be listed.`);
  });
  // An HTML page in its place is a single-page server's way of saying 404.
  return file && !file.html ? file.bytes : undefined;
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
      config instanceof Blob ? config.text() : config,
      preprocessor instanceof Blob ? preprocessor.text() : preprocessor,
      processor instanceof Blob ? processor.text() : processor,
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
  const url = new URL(encodeURIComponent(name), folder);
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
