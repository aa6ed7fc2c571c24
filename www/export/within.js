/** What the document has within, each in an element by its name; see `xtask/export.mjs`. */
import { part } from '../single/parts.js';

/**
 * @typedef {{title: string, models: string[], photo: string, shape: number[] | undefined, choice: import('../explorer/choice.js').Wish}} State
 *   models: their titles, one or two; shape: of pixel values, where the model is asked about such
 */

/** Of a state what an explorer takes. */
const CHOICES = /** @type {const} */ (['view', 'layer', 'head', 'patch', 'target', 'stop', 'detail', 'whole', 'look']);

const has = (/** @type {string} */ name) => document.getElementById(`part:${name}`) !== null;
const ifThere = (/** @type {string} */ name) => (has(name) ? part(name) : undefined);

/** @returns {Promise<State>} */
export async function readState() {
  const state = JSON.parse(await (await part('state.json')).text());
  const { title, models, photo = '', shape } = state;
  const choice = Object.fromEntries(CHOICES.flatMap((key) => (key in state ? [[key, state[key]]] : [])));
  return { title, models, photo, shape, choice };
}

/** @param {State} state @returns {Promise<Blob | import('../explorer/photo.js').Pair>} */
export async function photo({ photo: title, shape }) {
  const shown = new File([await part('photo')], title || 'Photo', { type: (await part('photo')).type });
  if (!shape) return shown;
  return { shown, seen: { pixelValues: new Float32Array(await (await part('pixels')).arrayBuffer()), shape }, title: shown.name };
}

/**
 * @param {number} which
 * @returns {Promise<import('../../pkg/index.js').ModelFiles>}
 */
export async function model(which) {
  const folder = which ? 'second/' : '';
  const [config, weights, preprocessor, processor, textEmbeddings] = await Promise.all([
    part(`${folder}config.json`), part(`${folder}model.safetensors`), ...['preprocessor_config.json', 'processor_config.json', 'text_embeddings.safetensors'].map((name) => ifThere(folder + name)),
  ]);
  return { config, weights, preprocessor, processor, textEmbeddings };
}
