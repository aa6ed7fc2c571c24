/** What is asked of the model about the inside of a block or of its patch embedding, and the plain answers. */
import { checkWhole, mustBe } from '../common/checks.js';
import { invalid, unsupported } from '../common/errors.js';
import { viewMap } from './map.js';
import { queryToken } from './query.js';
import { checkLayer, recordedBefore } from './recorded.js';

/**
 * @typedef {import('../../index.js').Recording} Recording
 * @typedef {{stream: Float32Array, layer: number, grid: [number, number], positions: boolean, without: number[]}} BlockRequest
 */

/**
 * @template T
 * @typedef {import('./requests.js').Request<T>} Request
 */

/**
 * A block and the stream that it read, in a pass that may have left something out.
 * @param {Recording} trace
 * @param {string} view
 * @param {unknown} [layer] the last unless told
 * @returns {BlockRequest}
 */
function block(trace, view, layer = trace.layers - 1) {
  const { tokens, hiddenSize, hiddenStates, grid, without } = trace;
  if (Array.isArray(hiddenStates)) throw unsupported(view, 'what is inside a block is computed again of all tokens of one grid, and here they have stages or windows.');
  const index = checkLayer(layer, trace.layers);
  const row = recordedBefore(trace, view, index);
  const size = tokens * hiddenSize;
  const stream = hiddenStates.slice(row * size, (row + 1) * size);
  const heads = (without?.heads ?? []).filter(([layer]) => layer === index).map(([, head]) => head);
  return { stream, layer: index, grid, positions: !without?.positions, without: heads };
}

/**
 * @param {string} name
 * @param {import('../../index.js').Query | undefined} query
 */
function oneToken(name, query) {
  if (query === 'mean') throw invalid(`${name} 'mean' is no one token. Name one, as a patch by [row, col].`);
  return queryToken(query);
}

/**
 * @param {import('../../index.js').ModelConfig} config
 * @param {Recording} trace
 * @param {import('../../index.js').QueryOptions} options
 * @returns {Request<import('../../index.js').HeadInside>}
 */
export function query(config, trace, { layer, head = 0, query }) {
  const asked = block(trace, 'query', layer);
  return {
    method: 'inside',
    args: ['head', asked, checkWhole('head', head), oneToken('query', query)],
    read: ({ bias = null, unturnedQ, unturnedK, ...answer }) => ({ layer: asked.layer, head, ...answer, bias, unturned: unturnedQ ? { q: unturnedQ, k: unturnedK } : null }),
  };
}

/**
 * @param {import('../../index.js').ModelConfig} config
 * @param {Recording} trace
 * @param {import('../../index.js').MlpOptions} options
 * @returns {Request<import('../../index.js').MlpInside>}
 */
export function mlp(config, trace, { layer, token }) {
  const asked = block(trace, 'mlp', layer);
  return { method: 'inside', args: ['mlp', asked, oneToken('token', token)], read: ({ gate = null, ...answer }) => ({ layer: asked.layer, ...answer, gate }) };
}

/**
 * @param {import('../../index.js').ModelConfig} config
 * @param {Recording} trace
 * @param {import('../../index.js').UnitOptions} options
 * @returns {Request<import('../../index.js').ViewMap>}
 */
export function unit(config, trace, { layer, unit }) {
  const asked = block(trace, 'unit', layer);
  const { crop, grid: [rows, cols] } = trace;
  const text = `Layer ${asked.layer}, hidden unit ${checkWhole('unit', unit)} of the MLP: its value in each patch`;
  return { method: 'inside', args: ['unit', asked, unit], read: (values) => viewMap(rows, cols, values, text, { signed: true, crop }) };
}

/**
 * @param {import('../../index.js').ModelConfig} config
 * @param {Recording} trace
 * @param {{layer?: number}} options
 * @returns {Request<import('../../index.js').Norms>}
 */
export function norms(config, trace, { layer }) {
  const asked = block(trace, 'norms', layer);
  return { method: 'inside', args: ['norms', asked], read: (answer) => ({ layer: asked.layer, ...answer }) };
}

/**
 * @param {{patch?: [row: number, col: number]}} options
 * @returns {Request<import('../../index.js').PatchEmbedding>}
 */
export function patchEmbedding({ patch }) {
  if (!Array.isArray(patch) || patch.length !== 2) throw mustBe('patch', 'the [row, col] of a patch', patch);
  const [row, col] = [checkWhole("The patch's row", patch[0]), checkWhole("The patch's column", patch[1])];
  return { method: 'patchEmbedding', args: [row, col], read: ({ position = null, ...answer }) => ({ patch: [row, col], ...answer, position }) };
}
