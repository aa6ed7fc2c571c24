/** What the document has within, each in an element by its name; see `xtask/export.mjs`. */
import { part } from '../single/parts.js';

/**
 * @typedef {{models: string[], photo: string, shape: number[] | null, query: [row: number, col: number] | null, choice: import('../explorer/choice.js').Wish}} State
 *   models: their titles, one or two; photo: its title; shape: of pixel values, where the model is asked about such; query: the patch that is asked about, in the grid that the first model turns out to have
 */

/** Of a state what an explorer takes. */
const CHOICES = /** @type {const} */ (['view', 'layer', 'head', 'target', 'stop', 'detail', 'whole', 'look']);

const has = (/** @type {string} */ name) => document.getElementById(`part:${name}`) !== null;
const ifThere = (/** @type {string} */ name) => (has(name) ? part(name) : undefined);

/** @returns {Promise<State>} */
export async function readState() {
  const state = JSON.parse(await (await part('state.json')).text());
  const { models, photo = '', shape = null, query = null } = state;
  const choice = Object.fromEntries(CHOICES.flatMap((key) => (key in state ? [[key, state[key]]] : [])));
  return { models, photo, shape, query, choice };
}

/** @param {State} state @returns {Promise<Blob | import('../explorer/photo.js').Pair>} */
export async function photo({ photo: title, shape }) {
  const file = await part('photo');
  const shown = new File([file], title || 'Photo', { type: file.type });
  if (!shape) return shown;
  return { shown, seen: { pixelValues: new Float32Array(await (await part('pixels')).arrayBuffer()), shape }, title: shown.name };
}

/**
 * @param {number} which
 * @returns {Promise<import('../../pkg/index.js').ModelFiles>}
 */
export async function model(which) {
  const folder = which ? 'second/' : '';
  const name = `${folder}model.safetensors`;
  const [config, weights, preprocessor, processor, textEmbeddings] = await Promise.all([
    part(`${folder}config.json`), part(name), ...['preprocessor_config.json', 'processor_config.json', 'text_embeddings.safetensors'].map((name) => ifThere(folder + name)),
  ]);
  document.getElementById(`part:${name}`)?.remove(); // of a large model a third more than the file
  return { config, weights, preprocessor, processor, textEmbeddings };
}
