/** What of a model's files is read, wherever they lie. */
import { follow } from '../common/abort.js';
import { VitscopeError } from '../common/errors.js';
import { fewAtOnce } from '../common/few.js';
import { explain, isMissing } from './missing.js';

/**
 * @typedef {import('./source.js').ModelParts} ModelParts
 * @typedef {import('./source.js').Options} Options
 * @typedef {import('./place.js').Place} Place
 */

export const WEIGHTS = 'model.safetensors';
export const TEXT = 'text_embeddings.safetensors';
export const INDEX = 'model.safetensors.index.json';
const USUAL = { config: 'config.json', weights: WEIGHTS };
export const OPEN_CLIP = { config: 'open_clip_config.json', weights: 'open_clip_model.safetensors' };

/**
 * @param {Place} place
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
export async function readFolder(place, options) {
  const { signal } = options;
  const there = (/** @type {string} */ name) => place.has(name, signal);
  try {
    return await readFiles(place, USUAL, options);
  } catch (error) {
    const missing = isMissing(error);
    const others = (missing || isRefusal(error)) && (await Promise.all(Object.values(OPEN_CLIP).map(there)));
    // A config that is refused may be another program's, whose weights would have been missing.
    if (!others || !others.every(Boolean) || (!missing && (await there(USUAL.weights)))) throw await explain(error, place, signal);
    return readFiles(place, OPEN_CLIP, options);
  }
}

/**
 * What is small, and the headers of the weights, side by side; the first failure stops the others.
 * @param {Place} place
 * @param {typeof USUAL} names
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
async function readFiles(place, names, { signal, onProgress, leader }) {
  signal.throwIfAborted();
  const stop = follow(signal); // as long as the walk goes on, whose signal this is: files are open
  const config = place.read(names.config, stop.signal).then((bytes) => {
    onProgress({ phase: 'config', loaded: bytes.length, total: bytes.length });
    return decode(bytes);
  });
  const given = (/** @type {string} */ name) => place.find(name, stop.signal, config);
  try {
    const [text, preprocessor, processor, weights] = await Promise.all([
      config,
      given('preprocessor_config.json'),
      given('processor_config.json'),
      openWeights(place, names.weights, config, stop.signal, leader),
      config.then((text) => leader.check(text)),
    ]);
    return { texts: [text, preprocessor && decode(preprocessor), processor && decode(processor)], weights, textEmbeddings: (compares) => (compares ? given(TEXT) : undefined) };
  } catch (error) {
    stop.abort(error);
    throw error;
  }
}

/** An index that can't be had is none; but one that is another than it must be isn't left out. @param {any} error */
function orRefused(error) {
  if (error.code === 'integrity') throw error;
}

/** @param {unknown} error */
function isRefusal(error) {
  return error instanceof VitscopeError && ['invalid-config', 'unsupported-architecture'].includes(error.code);
}

/**
 * The one file of weights, or where that can't be had those that are needed of an index.
 * @param {Place} place
 * @param {string} whole
 * @param {Promise<string>} config
 * @param {AbortSignal} signal
 * @param {import('./walk.js').Leader<any>} leader
 */
async function openWeights(place, whole, config, signal, leader) {
  // A text tower, which isn't read, may come first.
  const onward = config.then((text) => !text.includes('text'), () => false);
  const open = async (/** @type {string} */ name) => {
    const file = await place.open(name, name === whole, undefined, onward);
    return { file, header: await file.header({ signal, onBytes() {} }) };
  };
  try {
    return [await open(whole)];
  } catch (error) {
    signal.throwIfAborted();
    const index = error instanceof VitscopeError && error.code === 'network' && (await place.find(INDEX, signal, config).catch(orRefused));
    if (!index) throw error;
    const names = await leader.files(decode(index), await config);
    return fewAtOnce(names, open);
  }
}

/** @param {Uint8Array} bytes */
function decode(bytes) {
  return new TextDecoder().decode(bytes);
}
