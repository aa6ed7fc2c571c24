/** A model's folder on a server, or for Node on disk. */
import { VitscopeError } from '../common/errors.js';
import { warnOnce } from '../common/warn.js';
import { download, isHtml, request } from './download.js';
import { exists, explain, isMissing } from './missing.js';
import { Stream } from './stream.js';
import { diskFile, streamed } from './weights.js';

/**
 * @typedef {import('./source.js').ModelParts} ModelParts
 * @typedef {import('./source.js').Options} Options
 * @typedef {import('./weights.js').WeightFile} WeightFile
 */

export const WEIGHTS = 'model.safetensors';
export const TEXT = 'text_embeddings.safetensors';
const INDEX = 'model.safetensors.index.json';
const USUAL = { config: 'config.json', weights: WEIGHTS };
const OPEN_CLIP = { config: 'open_clip_config.json', weights: 'open_clip_model.safetensors' };

/**
 * @param {string} folder absolute address
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
export async function readFolder(folder, options) {
  const { signal } = options;
  const address = (/** @type {string} */ name) => fileUrl(folder, name);
  const there = (/** @type {string} */ name) => exists(address(name), signal);
  try {
    return await readFiles(folder, USUAL, options);
  } catch (error) {
    const missing = isMissing(error);
    const others = (missing || isRefusal(error)) && (await Promise.all(Object.values(OPEN_CLIP).map(there)));
    // A config that is refused may be another program's, whose weights would have been missing.
    if (!others || !others.every(Boolean) || (!missing && (await there(USUAL.weights)))) throw await explain(error, address, signal);
    return readFiles(folder, OPEN_CLIP, options);
  }
}

/**
 * What is small, and the headers of the weights, side by side; the first failure stops the others.
 * @param {string} folder
 * @param {typeof USUAL} names
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
async function readFiles(folder, names, { signal, onProgress, leader }) {
  const stop = new AbortController();
  signal.throwIfAborted();
  signal.addEventListener('abort', () => stop.abort(signal.reason));
  const config = required(folder, names.config, stop.signal, (loaded, total) => onProgress({ phase: 'config', loaded, total })).then(decode);
  const given = (/** @type {string} */ name) => optional(folder, name, stop.signal, config);
  try {
    const [text, preprocessor, processor, weights] = await Promise.all([
      config,
      given('preprocessor_config.json'),
      given('processor_config.json'),
      openWeights(folder, names.weights, config, stop.signal, leader),
      config.then((text) => leader.check(text)),
    ]);
    return { texts: [text, preprocessor && decode(preprocessor), processor && decode(processor)], weights, textEmbeddings: (compares) => (compares ? given(TEXT) : undefined) };
  } catch (error) {
    stop.abort(error);
    throw error;
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
 * @param {Promise<string>} config
 * @param {AbortSignal} signal
 * @param {import('./walk.js').Leader<any>} leader
 */
async function openWeights(folder, whole, config, signal, leader) {
  const open = async (/** @type {string} */ name, alone = false) => {
    const file = remoteFile(fileUrl(folder, name), alone);
    return { file: { ...file, name }, header: await file.header({ signal, onBytes() {} }) };
  };
  try {
    return [await open(whole, true)];
  } catch (error) {
    signal.throwIfAborted();
    const index = error instanceof VitscopeError && error.code === 'network' && (await optional(folder, INDEX, signal, config).catch(() => undefined));
    if (!index) throw error;
    const names = await leader.files(decode(index), await config);
    return Promise.all(names.map((name) => open(name)));
  }
}

/**
 * A file of a folder.
 * @param {string} url
 * @param {boolean} alone  whether nothing else waits for a connection, so that this one may be held open
 * @returns {WeightFile}
 */
function remoteFile(url, alone) {
  if (url.startsWith('file:')) return diskFile(url);
  const open = async (/** @type {import('./weights.js').Reading} */ { signal }) => {
    const response = await request(url, signal);
    if (response.ok && isHtml(response, new Uint8Array())) throw pageInstead(url);
    return Stream.of(response, url);
  };
  const file = streamed(url, open, alone);
  return {
    ...file,
    async header(reading) {
      const header = await file.header(reading);
      if (/^\s*<(!doc|html)/i.test(new TextDecoder().decode(header.bytes.subarray(0, 64)))) throw pageInstead(url);
      return header;
    },
  };
}

/** @param {string} url */
function pageInstead(url) {
  return new VitscopeError('network', `${url} answered with an HTML page instead of the file. Check that the model folder's address is right.`, { cause: 404 });
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
  if (!file || file.html) throw pageInstead(url);
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
