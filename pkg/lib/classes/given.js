/** Classes by embeddings, as a caller gives them, and as a file has them. */
import { checkNumber, describe } from '../common/checks.js';
import { guard, invalid } from '../common/errors.js';
import { toSafetensors } from '../views/files.js';

/**
 * @typedef {import('../../index.js').Classes} Classes
 * @typedef {{labels: string[], embeddings: Float32Array<ArrayBuffer>, scale?: number, bias?: number} | Uint8Array<ArrayBuffer>} Given
 *   copies: numbers, or the bytes of a file
 */

/**
 * Checks the form; of what the numbers are the engine says itself whether it makes sense.
 * @param {Classes | ArrayBuffer | Uint8Array} classes
 * @returns {Given}
 */
export function givenClasses(classes) {
  if (classes instanceof ArrayBuffer || classes instanceof Uint8Array) return guard(() => new Uint8Array(classes).slice());
  const { labels, embeddings, scale, bias } = classes ?? {};
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === 'string')) {
    throw invalid('Classes must be {labels, embeddings, scale?, bias?} with an array of names, or the bytes of a file of them.');
  }
  const optional = (/** @type {string} */ name, /** @type {unknown} */ value) => (value == null ? undefined : checkNumber(name, value));
  return { labels: [...labels], embeddings: guard(() => flat(embeddings)), scale: optional('scale', scale), bias: optional('bias', bias) };
}

/** @param {unknown} embeddings */
function flat(embeddings) {
  if (embeddings instanceof Float32Array) return new Float32Array(embeddings);
  const rows = /** @type {ArrayLike<number>[]} */ (embeddings);
  const isRow = (/** @type {unknown} */ row) => Array.isArray(row) || (ArrayBuffer.isView(row) && 'length' in row);
  if (!Array.isArray(rows) || !rows.every((row) => isRow(row) && row.length === rows[0].length)) {
    throw invalid(`embeddings must be a Float32Array of [classes, features], or an array with a row of as many numbers for each class; not ${describe(embeddings).slice(0, 40)}.`);
  }
  return Float32Array.from(rows.flatMap((row) => Array.from(row)));
}

/**
 * The file: `text_embeddings.safetensors`.
 * @param {import('../../index.js').ModelConfig} config of the model that has these classes
 * @param {Given | undefined} given
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function classesFile({ labels, numFeatures, similarity }, given) {
  if (!given || !similarity) throw invalid('These classes came with the model. What withClasses or teach returns can be saved.');
  if (given instanceof Uint8Array) return given.slice();
  const number = (/** @type {number} */ value) => ({ shape: [], data: Float32Array.of(value) });
  return toSafetensors(
    {
      text_embeddings: { shape: [labels.length, numFeatures], data: given.embeddings },
      logit_scale: number(Math.log(similarity.scale)),
      logit_bias: number(similarity.bias),
    },
    { labels: JSON.stringify(labels) },
  );
}
