/**
 * The model that the tests use: vitscope-tiny, or the folder of models/ that VITSCOPE_MODEL names. It says itself whatever they need
 * to know of it, so that another one can take its place.
 */
import { Engine } from '../../pkg/dist/engine.node.js';
import { classNames } from '../../www/explorer/names.js';

export const MODEL = process.env.VITSCOPE_MODEL ?? 'vitscope-tiny';
export const FOLDER = new URL(`../../models/${MODEL}/`, import.meta.url);

const engine = await Engine.load(FOLDER);
export const CONFIG = engine.config;
engine.close();

/** What the page calls a class; names.test.mjs holds that. @param {string} label */
export const shortName = (label) => classNames(CONFIG.labels)[CONFIG.labels.indexOf(label)];
