import { checkNames, mustBe } from '../common/checks.js';
import { documentBase } from '../common/environment.js';
import { invalid } from '../common/errors.js';
import { readError } from '../files/disk.js';
import { givenFile } from '../files/weights.js';
import { parseName, refuseBareName } from '../hub/hub.js';
import { checkAccess } from './access.js';
import { chosenFiles } from './chosen.js';
import { TEXT, WEIGHTS } from './folder.js';
import { readChecked } from './integrity.js';
import { readFromHub, readFromWeb } from './model.js';

/**
 * @typedef {import('../../index.js').ModelSource} ModelSource
 * @typedef {import('./loading.js').Step} Step
 * @typedef {Uint8Array | ArrayBuffer | Blob} Bytes
 * @typedef {Bytes | Response | ReadableStream<Uint8Array>} Weights
 * @typedef {{config: string | Bytes, preprocessor?: string | Bytes, processor?: string | Bytes, weights: Weights[], textEmbeddings?: Bytes}} Parts
 * @typedef {import('./access.js').Access} Access
 * @typedef {{name: import('../hub/hub.js').Name, access: Access} | {folder: string, access: Access} | {chosen: import('./place.js').Place, integrity: Access['integrity']} | Parts} Source
 *   the same thing checked: a name on the Hub, an absolute folder address, files that somebody chose, or the parts
 * @typedef {{file: import('../files/weights.js').WeightFile, header: import('../files/weights.js').Header}} Opened
 * @typedef {{texts: (string | undefined)[], weights: Opened[], textEmbeddings: (compares: boolean) => Promise<Uint8Array | undefined> | Uint8Array | undefined, keeper?: Keeper, forget?: () => Promise<unknown>}} ModelParts
 *   texts: config.json, preprocessor_config.json, processor_config.json; textEmbeddings: where there are some; compares: whether the model is one that compares images with texts; keeper: where it is to be kept; forget: where it was kept, makes that not so
 * @typedef {object} Keeper
 * @property {boolean} [quantised] wants a quantised file's tensors, also of files that are one or nearly
 * @property {(tensors: import('./walk.js').Kept[], plan: import('./walk.js').Plan) => Promise<void>} keep
 * @property {() => void} finish the model was loaded
 * @property {() => Promise<void>} drop it was not
 * @typedef {{signal: AbortSignal, onProgress: (step: Step) => void, leader: import('./walk.js').Leader<any>}} Options
 *   leader: asked as soon as a folder's config is there; where it rejects that, the rest is not waited for
 */

/**
 * Checks what the caller named as the model, without reading any of it.
 * @param {ModelSource} source
 * @param {import('../../index.js').LoadOptions} [options]
 * @returns {Source}
 */
export function normaliseSource(source, options = {}) {
  const access = checkAccess(options);
  if (typeof source === 'string' && source.startsWith('hf:')) return { name: parseName(source), access };
  if (typeof source === 'string') refuseBareName(source);
  if (typeof source === 'string' || source instanceof URL) return { folder: folderUrl(source), access };
  const chosen = chosenFiles(source);
  if (chosen) return { chosen, integrity: access.integrity };
  if (typeof source !== 'object' || source === null || !('config' in source) || !('weights' in source)) {
    throw invalid('The model must be hf:org/name, a folder URL, the files of a folder or its FileSystemDirectoryHandle, or {config, preprocessor?, processor?, weights, textEmbeddings?}.');
  }
  if (access.integrity) throw invalid('integrity goes by names of files, which parts of a model have not.');
  checkNames(source, ['config', 'preprocessor', 'processor', 'weights', 'textEmbeddings'], 'file');
  const { config, preprocessor, processor, textEmbeddings } = source;
  const weights = Array.isArray(source.weights) ? [...source.weights] : [source.weights];
  if (!weights.length || !weights.every((part) => areBytes(part) || part instanceof Response || part instanceof ReadableStream)) {
    throw invalid(`weights must be an ArrayBuffer, a Uint8Array, a Blob, a Response or a ReadableStream with the bytes of ${WEIGHTS}, or an array of these with all files of split weights.`);
  }
  if (textEmbeddings != null && !areBytes(textEmbeddings)) {
    throw invalid(`textEmbeddings must be an ArrayBuffer, a Uint8Array or a Blob with the bytes of ${TEXT}.`);
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
 * Reads of a model what is small, and the headers of its weights.
 * @param {Source} source
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
export async function readSource(source, options) {
  if ('name' in source) return readFromHub(source.name, source.access, options);
  if ('folder' in source) return readFromWeb(source.folder, source.access, options);
  return 'chosen' in source ? readChecked(source.chosen, source.integrity, options) : readParts(source, options);
}

/**
 * @param {Parts} source
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
async function readParts({ config, preprocessor, processor, weights, textEmbeddings }, { signal, leader }) {
  // (Before anything is waited for: from now on it shows if a buffer goes elsewhere.)
  const files = weights.map((part, i) => givenFile(part instanceof File ? part.name : weights.length > 1 ? `weights[${i}]` : WEIGHTS, part));
  const texts = await Promise.all([readText(config), preprocessor && readText(preprocessor), processor && readText(processor)]);
  await leader.check(texts[0]);
  const open = async (/** @type {import('../files/weights.js').WeightFile} */ file) => ({ file, header: await file.header({ signal, onBytes() {} }) });
  const [opened, text] = await Promise.all([Promise.all(files.map(open)), textEmbeddings && toArray(textEmbeddings)]);
  return { texts, weights: opened, textEmbeddings: () => text };
}

/** @param {string | Bytes} text */
async function readText(text) {
  return typeof text === 'string' ? text : new TextDecoder().decode(await toArray(text));
}

/** @param {Bytes} bytes */
async function toArray(bytes) {
  if (bytes instanceof Uint8Array) return bytes;
  return new Uint8Array(bytes instanceof Blob ? await bytes.arrayBuffer().catch(readError) : bytes);
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
    throw invalid(`"${address}" is not a URL that can be resolved here.`, { cause });
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
  throw mustBe(name, 'an object as in JSON, a JSON text, or an ArrayBuffer, a Uint8Array or a Blob with one', value, { cause });
}
