/** Weights that are split over several files. */
import { VitscopeError } from '../common/errors.js';

export const INDEX = 'model.safetensors.index.json';

/** Tensors of what reads or writes text, as no encoder of images calls its own. */
const TEXTUAL = /^(model\.)?(language_model|text_model|lm_head)\./;

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
