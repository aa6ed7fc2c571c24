/** A model's folder on a server, or for Node on disk. */
import { VitscopeError } from '../common/errors.js';
import { warnOnce } from '../common/warn.js';
import { download, requireRoom } from './download.js';
import { exists, explain, isMissing } from './missing.js';
import { INDEX, shardNames } from './shards.js';

/**
 * @typedef {import('./source.js').ModelFiles} ModelFiles
 * @typedef {import('./source.js').Reading} Reading
 */

export const WEIGHTS = 'model.safetensors';
export const TEXT = 'text_embeddings.safetensors';
const USUAL = { config: 'config.json', weights: WEIGHTS };
const OPEN_CLIP = { config: 'open_clip_config.json', weights: 'open_clip_model.safetensors' };

/** Models that compare images with texts: only beside these are text features looked for. */
const COMPARES = /"model_type"\s*:\s*"(\w*clip|siglip|aimv2|tipsv2)|"model_cfg"/;

/**
 * @param {string} folder absolute address
 * @param {Reading} reading
 * @returns {Promise<ModelFiles>}
 */
export async function readFolder(folder, reading) {
  const { signal } = reading;
  const address = (/** @type {string} */ name) => fileUrl(folder, name);
  const there = (/** @type {string} */ name) => exists(address(name), signal);
  try {
    return await readFiles(folder, USUAL, reading);
  } catch (error) {
    const missing = isMissing(error);
    const others = (missing || isRefusal(error)) && (await Promise.all(Object.values(OPEN_CLIP).map(there)));
    // A config that is refused may be another program's, whose weights would have been missing.
    if (!others || !others.every(Boolean) || (!missing && (await there(USUAL.weights)))) throw await explain(error, address, signal);
    return readFiles(folder, OPEN_CLIP, reading);
  }
}

/**
 * Downloads run side by side; the first failure stops the others.
 * @param {string} folder
 * @param {typeof USUAL} names
 * @param {Reading} reading
 * @returns {Promise<ModelFiles>}
 */
async function readFiles(folder, names, { signal, onProgress, check }) {
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
      config.then(check),
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

/** @param {unknown} error */
function isRefusal(error) {
  return error instanceof VitscopeError && ['invalid-config', 'unsupported-architecture'].includes(error.code);
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
 * A query (an access token, say) belongs to each file of the folder.
 * @param {string} folder
 * @param {string} name
 */
function fileUrl(folder, name) {
  const url = new URL(encodeURIComponent(name), folder);
  url.search = new URL(folder).search;
  return url.href;
}

/** @param {Uint8Array} bytes */
function decode(bytes) {
  return new TextDecoder().decode(bytes);
}
