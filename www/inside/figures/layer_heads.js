/** What is known of a layer's heads, and what is said of them. */
import { scoresOf } from '../../explorer/scores.js';
import { remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { queryOf, tokenName } from './asking.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').Trace} Trace
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 */

/** @param {Trace} trace */
export function every({ heads }) {
  return Array.from({ length: heads }, (_, head) => head);
}

/** All heads of each layer. @param {Trace} trace @returns {import('./effects.js').Heads[]} */
export function layersOf(trace) {
  return Array.from({ length: trace.layers }, (_, l) => every(trace).map((head) => [l, head]));
}

/** How far the heads of each layer look, where that is known. @param {Trace} trace @returns {number[][] | undefined} */
export function reach(trace) {
  if (!isRecorded(trace)) return undefined;
  return remember(trace, 'reach', () => {
    const { rows, cols, data } = trace.attentionDistance();
    return Array.from({ length: rows }, (_, l) => Array.from(data.subarray(l * cols, (l + 1) * cols)));
  });
}

/** The layer whose heads differ most in how far they look. @param {Trace} trace */
export function variedLayer(trace) {
  const spans = reach(trace)?.map((row) => Math.max(...row) - Math.min(...row));
  return spans ? spans.indexOf(Math.max(...spans)) : Math.floor(trace.layers / 3);
}

/** All scores as they were. @param {Context} context */
export function beforeOf({ trace, vit: { config } }) {
  return remember(trace, 'all scores', () => scoresOf({ rows: 1, cols: trace.logits.length, channels: 1, data: trace.logits, signed: true, text: '' }, config.scores));
}

/**
 * What a token asks in each head of a layer, and what comes of it.
 * @param {Context} context
 * @param {number} layer
 * @param {number} token
 */
export function askAll({ trace, signal }, layer, token) {
  return Promise.all(every(trace).map((head) => remember(trace, `one of all heads ${layer} ${head} ${token}`, () => trace.query({ layer, head, query: queryOf(trace, token), signal }), signal)));
}

/**
 * Where a patch looks in each head of a layer: as it was recorded, or where it was not, computed again.
 * @param {Context} context
 * @param {number} layer
 * @param {number} patch
 * @returns {ViewMap[] | Promise<ViewMap[]>}
 */
export function mapsOf(context, layer, patch) {
  const { trace } = context;
  const { prefixTokens, grid: [rows, cols] } = trace;
  if (isRecorded(trace)) return every(trace).map((head) => trace.headMap({ layer, head, query: queryOf(trace, prefixTokens + patch) }));
  return askAll(context, layer, prefixTokens + patch).then((heads) => heads.map(({ attention }, head) => ({ rows, cols, channels: 1, data: attention.slice(prefixTokens), signed: false, text: `head ${head}` })));
}

/** Whether the attention of all tokens is there. @param {Trace} trace */
export function isRecorded({ queries, attentions }) {
  return !queries && attentions.length > 0;
}

/** @param {Context} context @param {number} layer @param {ViewMap[]} maps of its heads */
export function tellLook({ trace, patch }, layer, maps) {
  const different = new Set(maps.map(({ data }) => data.indexOf(Math.max(...data)))).size;
  return `The ${trace.heads} heads of layer ${layer}, asked by ${tokenName(trace, trace.prefixTokens + patch)}: light falls where each looks. Their strongest patches are ${different === 1 ? 'one and the same' : `${different} different ones`}.`;
}

/** @param {Trace} trace @param {number[][]} far @param {number} layer */
export function tellReach({ grid: [rows, cols], patchSize: [height, width] }, far, layer) {
  const row = far[layer];
  const [near, wide] = [Math.min(...row), Math.max(...row)];
  return `In layer ${layer} head ${row.indexOf(near)} looks ${number(near)} pixels far on average, head ${row.indexOf(wide)} ${number(wide)}; the picture is ${cols * width} × ${rows * height}.`;
}
