/** What a trace has of its forward pass, which may be a part. */
import { checkWhole } from '../common/checks.js';
import { invalid } from '../common/errors.js';
import { queryName, queryPlace } from './query.js';

/**
 * @typedef {import('../../index.js').Recording} Recording
 * @typedef {'attentions' | 'hiddenStates'} Kind
 */

/**
 * Whether tokens attend within windows, or their number changes from layer to layer.
 * @param {Pick<import('../../index.js').ModelConfig, 'stages'>} config
 */
export function isStaged({ stages }) {
  return stages.some(({ stage, window }) => stage > 0 || window);
}

/**
 * Where a layer's grid lies: where a stage is padded it reaches beyond that of the first.
 * @param {Pick<Recording, 'crop' | 'stages'>} trace
 * @param {number} layer
 */
export function cropOf({ crop, stages }, layer) {
  const [first, own] = [stages[0], stages[layer]];
  const [down, across] = [0, 1].map((axis) => (own.grid[axis] * own.patchSize[axis]) / (first.grid[axis] * first.patchSize[axis]));
  const fits = [down, across].every((part) => Math.abs(part - 1) < 1e-6);
  return crop && !fits ? { ...crop, width: crop.width * across, height: crop.height * down } : crop;
}

/**
 * @param {unknown} layer
 * @param {number} count of the model's layers
 */
export function checkLayer(layer, count) {
  const index = checkWhole('layer', layer);
  if (index >= count) throw invalid(`There is no layer ${index}: the model has ${count}, and they count from 0.`);
  return index;
}

/**
 * @param {Recording} trace
 * @param {Kind} kind
 * @param {string} view for which it is
 * @param {number} layer
 * @returns {number} its place among those that were recorded
 */
export function recorded(trace, kind, view, layer) {
  const place = trace.recorded.indexOf(checkLayer(layer, trace.layers));
  if (place < 0 || !trace[kind].length) missing(view, kind, `layers: [${layer}]`);
  return place;
}

/**
 * A layer's part of what was recorded, or of a model with stages the layer's own array.
 * @param {Recording} trace
 * @param {Kind} kind
 * @param {number} place
 * @returns {Float32Array}
 */
export function arrayOf({ recorded: { length }, ...trace }, kind, place) {
  /** @type {any} */
  const values = trace[kind];
  if (Array.isArray(values)) return values[place];
  const size = values.length / (kind === 'attentions' ? length : length + 1);
  return values.subarray(place * size, (place + 1) * size);
}

/**
 * @param {Recording} trace
 * @param {string} view
 * @param {number} layer
 * @returns {number} the place of the stream before it: that after the layer before, or the embeddings
 */
export function recordedBefore(trace, view, layer) {
  const place = layer ? trace.recorded.indexOf(layer - 1) + 1 : 0;
  if ((layer && !place) || !trace.hiddenStates.length) missing(view, 'hiddenStates', layer ? `layers: [${layer - 1}], whose stream layer ${layer} reads` : 'any layers');
  return place;
}

/**
 * @param {Recording} trace
 * @param {Kind} kind
 * @param {string} view
 * @param {string} [or] what would do as well
 */
export function recordedAll(trace, kind, view, or = '') {
  if (trace.recorded.length < trace.layers || !trace[kind].length) missing(view, kind, 'layers left out', or);
  return trace[kind];
}

/**
 * Attention with the rows of all queries.
 * @param {Recording} trace
 * @param {string} view
 * @param {string} [or] what would do as well
 */
export function recordedRows(trace, view, or) {
  if (trace.queries || !trace.attentions.length) missing(view, 'attentions', 'queries left out', or);
  return trace.attentions;
}

/**
 * Where the row of a query is among those that were kept.
 * @param {Recording} trace
 * @param {string} view
 * @param {import('../../index.js').Query | undefined} query
 * @param {unknown} head
 * @returns {[number, number] | undefined} its place, and how many there are; nothing where all are there
 */
export function keptRow({ queries, prefix }, view, query, head) {
  if (!queries) return undefined;
  const place = queryPlace(queries, query, prefix);
  if (place < 0) throw invalid(`${view} needs the attention of ${queryName(query, prefix)}, which this trace does not have. Record it with that query among queries, or queries left out.`);
  if (queries[place] === 'mean' && (head === 'max' || head === 'min')) throw invalid(`${view} by the ${head} of heads needs the attention of each patch, of which this trace has the mean. Record it with queries left out.`);
  return [place, queries.length];
}

/**
 * @param {string} view
 * @param {Kind} kind
 * @param {string} rest of the options
 * @param {string} [or]
 * @returns {never}
 */
function missing(view, kind, rest, or = '') {
  throw invalid(`${view} needs ${kind} that this trace does not have. Record it with ${or}${kind}: true and ${rest}.`);
}
