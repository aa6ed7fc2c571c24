/**
 * The model that the tests use: vitscope-tiny, or the folder of models/ that VITSCOPE_MODEL names. It says itself whatever they need
 * to know of it, so that another one can take its place.
 */
import { Engine } from '../../pkg/dist/engine.js';

export const MODEL = process.env.VITSCOPE_MODEL ?? 'vitscope-tiny';
export const FOLDER = new URL(`../../models/${MODEL}/`, import.meta.url);

const engine = await Engine.load(FOLDER);
export const CONFIG = engine.config;
engine.close();

/** What the page calls a class: the first name of its label, unless another class has that too. */
export function shortName(/** @type {string} */ label) {
  const first = (/** @type {string} */ names) => names.split(',')[0];
  return CONFIG.labels.filter((other) => first(other) === first(label)).length === 1 ? first(label) : label;
}
