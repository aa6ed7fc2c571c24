/**
 * What a view asks of the engine, and the map that the answer is: the same whether the engine is in this thread or in a worker.
 * Options that are wrong are refused here, before any image is read. What depends on the model's size is not asked of its config, which may be another
 * when the answer is made: a trace and an answer say theirs.
 */
import { checkChoice, checkMap, checkNumber, checkTopK, checkWhole, mustBe } from '../common/checks.js';
import { invalid, unsupported } from '../common/errors.js';
import { viewMap } from './map.js';
import { checkIntervention } from './intervention.js';
import { queryName, queryToken } from './query.js';
import { checkRollout } from './rolled.js';
import { arrayOf, checkLayer, cropOf, isStaged, recorded, recordedAll } from './recorded.js';
import { targetIndex } from './target.js';

/**
 * @typedef {import('../../index.js').ModelConfig} ModelConfig
 * @typedef {import('../../index.js').Recording} Recording
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {{method: string, target?: number, layer?: number, query?: string, discard: number, window?: number, stride?: number}} AttributionRequest
 * @typedef {{map: Float32Array, grid: [number, number], target?: number, steps: number}} CurvesRequest
 * @typedef {{layers: number[], attentions: boolean, hiddenStates: boolean, queries?: import('../../index.js').Query[], rolled?: import('../../index.js').Rolled}} RecordRequest
 * @typedef {'classify' | 'hold' | 'classifyHeld' | 'logitLens' | 'patchLens' | 'attribute' | 'curves' | 'positions' | 'filters' | 'filtersOf' | 'inside' | 'patchEmbedding'} Method  of `Core`
 */

/**
 * @template T
 * @typedef {{method: Method, args: any[], read: (answer: any) => T}} Request
 */

export const RUN_OPTIONS = ['topK', 'without', 'order'];
export const TRACE_OPTIONS = [...RUN_OPTIONS, 'layers', 'attentions', 'queries', 'hiddenStates', 'rollout'];
export const ATTRIBUTE_OPTIONS = ['method', 'target', 'layer', 'query', 'discard', 'window', 'stride'];
export const CURVES_OPTIONS = ['target', 'steps'];
export const FILTER_OPTIONS = ['count', 'outputs'];
export const LENS_OPTIONS = ['layer', 'target'];

const METHODS = ['chefer', 'gradient-rollout', 'grad-cam', 'occlusion'];
const SWITCH = [true, false];
const STEPS = 20;
/** As many as the ViT paper shows. */
const FILTERS = 28;

/**
 * @param {ModelConfig} config
 * @param {import('../../index.js').InterventionOptions & {topK?: number}} options
 * @returns {Request<any>}
 */
export function classify(config, { topK = 5, ...told }) {
  checkTopK(topK);
  return { method: 'classify', args: [topK, checkIntervention(config, told)], read: (answer) => answer };
}

/**
 * The same for number `i` of several: while there are as many left as threads, all but the last of so many are held, for each thread to make a whole pass. What
 * comes out has the answers of that last one and those before it, none of one that is held.
 * @param {Request<any>} request
 * @param {number} i
 * @param {number} count
 * @param {number} threads
 * @returns {Request<any[]>}
 */
export function oneOfSeveral({ method, args, read }, i, count, threads) {
  const place = i % threads;
  if (threads === 1 || i - place + threads > count) return { method, args, read: (answer) => [read(answer)] };
  if (place < threads - 1) return { method: 'hold', args: [place], read: () => [] };
  return { method: 'classifyHeld', args, read: (answers) => answers.map(read) };
}

/**
 * A trace is an answer of which more is kept.
 * @param {ModelConfig} config
 * @param {import('../../index.js').RecordOptions & import('../../index.js').InterventionOptions & {topK?: number}} options
 * @returns {Request<Recording>}
 */
export function trace(config, { layers = Array.from({ length: config.layers }, (_, layer) => layer), attentions = true, queries, hiddenStates = true, rollout, ...asked }) {
  const { args, ...request } = classify(config, asked);
  if (!Array.isArray(layers)) throw mustBe('layers', 'an array of numbers, or left out to record all', layers);
  checkChoice('attentions', attentions, SWITCH);
  checkChoice('hiddenStates', hiddenStates, SWITCH);
  const sorted = [...new Set(layers.map((layer) => checkLayer(layer, config.layers)))].sort((a, b) => a - b);
  /** @type {RecordRequest} */
  const record = { layers: sorted, attentions, hiddenStates, queries: checkQueries(queries), rolled: rollout === undefined ? rollout : checkRolled(rollout) };
  return { ...request, args: [...args, record] };
}

/** @param {unknown} rollout */
function checkRolled(rollout) {
  if (typeof rollout !== 'object' || rollout === null) throw mustBe('rollout', 'an object with fusion and discard, or left out', rollout);
  return checkRollout(rollout);
}

/**
 * @param {unknown} queries
 * @returns {import('../../index.js').Query[] | undefined} each once; none where all are kept
 */
function checkQueries(queries) {
  if (queries === undefined) return undefined;
  if (!Array.isArray(queries) || !queries.length || queries.includes(undefined)) throw mustBe('queries', 'an array of one query or more, or left out to keep the attention of all', queries);
  const some = new Map(queries.filter((query) => query !== 'all').map((query) => [queryToken(query), query]));
  return queries.includes('all') ? undefined : [...some.values()];
}

/**
 * @param {ModelConfig} config
 * @param {Recording} trace
 * @returns {Request<ViewMap>}
 */
export function logitLens({ numClasses, hiddenSize }, trace) {
  const read = (/** @type {number} */ rows, /** @type {string} */ of) => (/** @type {Float32Array} */ logits) => viewMap(rows, numClasses, logits, `Logits of all classes (columns) after ${of} (rows)`, { signed: true });
  if (!Array.isArray(trace.hiddenStates)) return { method: 'logitLens', args: [recordedAll(trace, 'hiddenStates', 'logitLens'), trace.tokens], read: read(trace.layers + 1, 'each layer') };
  const layers = trace.stages.flatMap((shape, layer) => (isRead(shape, trace, hiddenSize) ? [layer] : []));
  if (!layers.length) throw unreadable('logitLens');
  const streams = layers.map((layer) => arrayOf(trace, 'hiddenStates', recorded(trace, 'hiddenStates', 'logitLens', layer) + 1));
  const [{ length }] = streams;
  const all = new Float32Array(length * streams.length);
  streams.forEach((stream, i) => all.set(stream, i * length));
  return { method: 'logitLens', args: [all, length / hiddenSize], read: read(layers.length, layers.length > 1 ? `layers ${layers[0]} to ${layers.at(-1)}` : `layer ${layers[0]}`) };
}

/**
 * Whether a layer leaves what the head could read: those of the last stage do, unless convolutions follow.
 * @param {import('../../index.js').LayerShape} shape
 * @param {Recording} trace
 * @param {number} width that the head reads
 */
function isRead({ stage, hiddenSize }, { stages, layers }, width) {
  return stage === stages[layers - 1].stage && hiddenSize === width;
}

/** @param {string} view */
function unreadable(view) {
  return unsupported(view, 'its head reads tokens as those of the last stage are, and layers leave others; where convolutions follow all do.');
}

/**
 * @param {ModelConfig} config
 * @param {Recording} trace
 * @param {{layer?: number, target?: import('../../index.js').ClassName}} [options]
 * @returns {Request<ViewMap>}
 */
export function patchLens({ labels, layers, hiddenSize }, trace, { layer = layers - 1, target } = {}) {
  const { top, stages } = trace;
  const index = targetIndex(target, labels) ?? top[0]?.index ?? 0;
  const tokens = arrayOf(trace, 'hiddenStates', recorded(trace, 'hiddenStates', 'patchLens', layer) + 1);
  if (!isRead(stages[layer], trace, hiddenSize)) throw unreadable('patchLens of that layer');
  const { grid: [rows, cols] } = stages[layer];
  const text = `Layer ${layer}: the logit of ${labels[index]} in each patch alone`;
  return {
    method: 'patchLens',
    args: [tokens.slice(), tokens.length / hiddenSize, index],
    read: (logits) => viewMap(rows, cols, logits, text, { signed: true, crop: cropOf(trace, layer) }),
  };
}

/**
 * @param {ModelConfig} config
 * @param {import('../../index.js').AttributeOptions} options
 * @returns {Request<import('../../index.js').Attribution>}
 */
export function attribute({ labels, layers, prefix, scores, stages }, { method = isStaged({ stages }) ? 'grad-cam' : 'chefer', target, layer, query, discard = 0, window, stride }) {
  checkChoice('method', method, METHODS);
  const whole = (/** @type {string} */ name, /** @type {unknown} */ value) => (value === undefined ? undefined : checkWhole(name, value));
  /** @type {AttributionRequest} */
  const request = {
    method,
    target: targetIndex(target, labels),
    layer: whole('layer', layer),
    query: queryToken(query),
    discard: checkNumber('discard', discard),
    window: whole('window', window),
    stride: whole('stride', stride),
  };
  const left = discard ? `, ${Math.round(100 * discard)} % left out` : '';
  const of = query === undefined ? '' : `, to ${queryName(query, prefix)}`;
  const staged = isStaged({ stages });
  const text = (/** @type {string} */ label) => ({
    chefer: `Relevance for ${label} (Chefer et al.)${of}`,
    'gradient-rollout': `Gradient rollout for ${label}${left}${of}`,
    'grad-cam': `Grad-CAM for ${label}, ${staged ? 'what is pooled' : `layer ${layer ?? layers - 1}`}`,
    occlusion: `Occlusion: how much ${scores === 'none' ? 'lower' : 'less likely'} ${label} is ${staged ? 'with each patch filled' : 'without each patch'}`,
  }[method]);
  return {
    method: 'attribute',
    args: [request],
    read: ({ target: index, data, rows, crop }) => ({
      ...viewMap(rows, data.length / rows, data, text(labels[index]), { signed: method === 'occlusion', crop }),
      target: { index, label: labels[index] },
    }),
  };
}

/**
 * @param {ModelConfig} config
 * @param {ViewMap} map
 * @param {import('../../index.js').CurvesOptions} options
 * @returns {Request<import('../../index.js').Curves>}
 */
export function curves({ labels, scores }, map, { target, steps = STEPS }) {
  checkMap(map);
  /** @type {CurvesRequest} */
  const request = { map: map.data, grid: [map.rows, map.cols], target: targetIndex(target, labels), steps: checkWhole('steps', steps) };
  return {
    method: 'curves',
    args: [request],
    read: ({ target: index, deletion, insertion }) => ({ deletion: curve(deletion, scores), insertion: curve(insertion, scores), target: { index, label: labels[index] } }),
  };
}

/**
 * @param {Float32Array<ArrayBuffer>} probabilities
 * @param {ModelConfig['scores']} scores
 * @returns {import('../../index.js').Curve}
 */
function curve(probabilities, scores) {
  const last = probabilities.length - 1;
  const fractions = Float32Array.from(probabilities, (_, i) => i / last);
  // What lies under the curve of a value says nothing: its zero may be anywhere.
  if (scores === 'none') return { fractions, probabilities };
  const area = probabilities.reduce((sum, p, i) => sum + (i === 0 || i === last ? p / 2 : p) / last, 0);
  return { fractions, probabilities, area };
}

/**
 * @returns {Request<ViewMap>}
 */
export function positionSimilarity() {
  const text = 'Cosine similarity of the position embeddings of every two patches';
  return { method: 'positions', args: [], read: (data) => viewMap(Math.sqrt(data.length), Math.sqrt(data.length), data, text, { signed: true }) };
}

/**
 * @param {ModelConfig} config
 * @param {{count?: number, outputs?: number[]}} options
 * @returns {Request<ViewMap[]>}
 */
export function patchFilters({ stages: [{ hiddenSize }], patchSize: [height, width] }, { count, outputs }) {
  const size = height * width;
  // The engine has them channel by channel, a picture pixel by pixel.
  const filter = (/** @type {Float32Array} */ data, /** @type {number} */ i, /** @type {string} */ text) =>
    viewMap(height, width, Float32Array.from({ length: 3 * size }, (_, j) => data[(3 * i + (j % 3)) * size + Math.floor(j / 3)]), text, { channels: 3, signed: true });
  if (outputs === undefined) {
    const most = checkWhole('count', count === undefined ? Math.min(FILTERS, hiddenSize, 3 * size) : count);
    return { method: 'filters', args: [most], read: (data) => Array.from({ length: most }, (_, i) => filter(data, i, `Patch embedding: principal component ${i} of the filters`)) };
  }
  if (count !== undefined) throw invalid('patchFilters takes count, for principal components, or outputs, for filters as they are; not both.');
  if (!Array.isArray(outputs) || !outputs.length) throw mustBe('outputs', 'an array of one number or more, or left out for principal components', outputs);
  const rows = outputs.map((output) => checkWhole('An output', output));
  return { method: 'filtersOf', args: [rows], read: (data) => rows.map((output, i) => filter(data, i, `Patch embedding: the filter of output ${output}`)) };
}
