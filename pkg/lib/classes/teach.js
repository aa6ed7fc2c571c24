/**
 * Classes from a handful of pictures each (Snell, Swersky and Zemel, 2017, "Prototypical networks for few-shot learning"): a class is the
 * mean of its pictures' features, all of length 1.
 */
import { invalid } from '../common/errors.js';

/**
 * @template T
 * @typedef {{image: T, features?: Float32Array}} Example  features: of an answer to the picture, which is not asked about again
 */

/** Scales to choose from, as logarithms: 1 to 1000. */
const SCALES = [0, Math.log(1000)];
/** Steps of the search, each of which leaves 0.618 of the range. */
const STEPS = 40;

/**
 * @template T
 * @param {Record<string, (T | {features: Float32Array})[]>} examples
 * @param {number} numFeatures
 * @returns {[label: string, own: Example<T>[]][]}
 */
export function checkExamples(examples, numFeatures) {
  const entries = typeof examples === 'object' && examples ? Object.entries(examples) : [];
  const empty = entries.find(([, images]) => !Array.isArray(images) || !images.length);
  if (entries.length < 2 || empty) {
    throw invalid(`teach takes {label: [images], …} with two classes or more and a picture at least of each; ${empty ? `'${empty[0]}' has none in an array` : `there ${entries.length === 1 ? 'is 1 class' : 'are 0 classes'}`}.`);
  }
  return entries.map(([label, own]) => [label, own.map((image) => ({ image: /** @type {T} */ (image), features: featuresOf(image, label, numFeatures) }))]);
}

/**
 * @param {any} example
 * @param {string} label
 * @param {number} numFeatures
 */
function featuresOf(example, label, numFeatures) {
  if (typeof example !== 'object' || !example || !('features' in example)) return undefined;
  const { features } = example;
  if (features instanceof Float32Array && features.length === numFeatures && features.every(Number.isFinite)) return features.slice();
  throw invalid(`An answer among the examples of '${label}' has no ${numFeatures} features of this model; give the picture itself, or what classify or trace of this model answers.`);
}

/**
 * @param {[label: string, own: {features?: Float32Array}[]][]} entries each with its features by now
 * @returns {import('../../index.js').Classes}
 */
export function prototypes(entries) {
  const labels = entries.map(([label]) => label);
  const pictures = entries.map(([, own]) => own.map(({ features }) => unit(/** @type {Float32Array} */ (features))));
  const sums = pictures.map((own) => own.reduce((sum, picture) => sum.map((x, i) => x + picture[i])));
  const embeddings = Float32Array.from(sums.flatMap((sum) => Array.from(unit(sum))));
  return { labels, embeddings, scale: chooseScale(leftOut(pictures, sums)) };
}

/**
 * Each picture's cosines with all classes, its own made without it. One that is alone in its class can't be left out.
 * @param {Float64Array[][]} pictures
 * @param {Float64Array[]} sums
 */
function leftOut(pictures, sums) {
  const classes = sums.map(unit);
  return pictures.flatMap((own, label) =>
    own.length < 2 ? [] : own.map((picture) => {
      const rest = unit(sums[label].map((x, i) => x - picture[i]));
      return { label, cosines: classes.map((prototype, i) => dot(picture, i === label ? rest : prototype)) };
    }),
  );
}

/**
 * The scale by which the softmax of the cosines is likeliest for pictures that their class had not seen. A few pictures may all be told
 * apart, by which no scale would be large enough; so they count as what one more would be of by Laplace's rule of succession, as Platt (1999) does it.
 * @param {{label: number, cosines: number[]}[]} tries
 * @returns {number | undefined} nothing where no picture could be left out
 */
export function chooseScale(tries) {
  if (!tries.length) return undefined;
  const one = 1 / (tries.length + tries[0].cosines.length);
  const score = (/** @type {number} */ log) => {
    const scale = Math.exp(log);
    return tries.reduce((sum, { label, cosines }) => {
      const most = Math.max(...cosines);
      const normaliser = scale * most + Math.log(cosines.reduce((total, cosine) => total + Math.exp(scale * (cosine - most)), 0));
      return sum + cosines.reduce((own, cosine, i) => own + one * (i === label ? tries.length + 1 : 1) * (scale * cosine - normaliser), 0);
    }, 0);
  };
  // It is concave in the scale, so it has one maximum: the golden section finds it.
  let [low, high] = SCALES;
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let step = 0; step < STEPS; step++) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (score(left) < score(right)) low = left;
    else high = right;
  }
  return Math.exp((low + high) / 2);
}

/** @param {ArrayLike<number>} x of length 1 from now on */
function unit(x) {
  const values = Float64Array.from(x);
  const length = Math.sqrt(dot(values, values)) || 1;
  return values.map((value) => value / length);
}

/**
 * @param {Float64Array} a
 * @param {Float64Array} b
 */
function dot(a, b) {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}
