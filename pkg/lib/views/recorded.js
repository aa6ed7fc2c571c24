/** What a trace has of its forward pass, which may be a part. */
import { checkWhole } from '../common/checks.js';
import { invalid } from '../common/errors.js';

/**
 * @typedef {import('../../index.js').Recording} Recording
 * @typedef {'attentions' | 'hiddenStates'} Kind
 */

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
 * @param {Recording} trace
 * @param {Kind} kind
 * @param {string} view
 */
export function recordedAll(trace, kind, view) {
  if (trace.recorded.length < trace.layers || !trace[kind].length) missing(view, kind, 'layers left out');
  return trace[kind];
}

/**
 * @param {string} view
 * @param {Kind} kind
 * @param {string} layers
 * @returns {never}
 */
function missing(view, kind, layers) {
  throw invalid(`${view} needs ${kind} that this trace does not have. Record it with ${kind}: true and ${layers}.`);
}
