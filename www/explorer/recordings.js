/**
 * What of a forward pass is written down: of a photo all of it, where that takes little; else, and of a moving picture, what the open view reads.
 *
 * @typedef {import('../../pkg/index.js').Trace} Trace
 * @typedef {import('../../pkg/index.js').Query} Query
 * @typedef {import('../../pkg/index.js').Rolled} Rolled
 * @typedef {import('../../pkg/index.js').RecordOptions} RecordOptions
 * @typedef {{attentions?: boolean, hidden?: boolean, rollout?: Partial<Rolled>}} Reads
 *   what a view reads beside the attention of the token that is asked about. attentions: that of all tokens; hidden: the stream after every layer
 * @typedef {{layers: number, heads: number, hiddenSize: number, stages?: import('./stages.js').Layer[]}} Shape  of a model or a trace
 */
import { isStaged } from './stages.js';

/** Bytes that are held of a picture. */
const MOST = 64e6;

/**
 * @param {Shape} shape
 * @param {number} tokens
 * @param {number} rows of attention, in each head
 * @param {Reads} reads
 */
function bytes({ layers, heads, hiddenSize, stages = [] }, tokens, rows, { hidden, rollout }) {
  if (isStaged({ stages })) return 4 * stages.reduce((sum, layer) => sum + numbersOf(layer, rows > 1, Boolean(hidden)), 0);
  return 4 * tokens * (layers * heads * rows + (hidden ? (layers + 1) * hiddenSize : 0) + (rollout ? tokens : 0));
}

/**
 * What is written down of a layer of its own grid and windows.
 * @param {import('./stages.js').Layer} layer
 * @param {boolean} all whether the attention of all tokens
 * @param {boolean} hidden
 */
function numbersOf({ grid: [rows, cols], hiddenSize, heads, window }, all, hidden) {
  const tokens = rows * cols;
  const [height, width] = window?.size ?? [rows, cols];
  const size = window?.kind === 'strided' ? Math.ceil(rows / height) * Math.ceil(cols / width) : height * width;
  const count = window?.count ?? 1;
  return heads * (all ? count * size * size : size) + (hidden ? tokens * hiddenSize : 0);
}

/**
 * Whose attention is looked at.
 * @param {string[]} prefix
 * @param {[number, number] | undefined} patch
 * @returns {Query}
 */
export function asker(prefix, patch) {
  return patch ?? (prefix.includes('class') ? 'cls' : 'mean');
}

/**
 * @param {Shape & {tokens: number}} model
 * @param {Query} query
 * @param {Reads} reads
 * @param {boolean} live
 * @returns {RecordOptions}
 */
export function recordingFor(model, query, reads, live) {
  if (!live && bytes(model, model.tokens, model.tokens, { hidden: true }) <= MOST) return {};
  // Of a model with windows all rows are little, and a patch is another one in each stage.
  const all = (reads.attentions || isStaged({ stages: model.stages ?? [] })) && fits(model, model.tokens, { ...reads, attentions: true });
  return { hiddenStates: Boolean(reads.hidden), ...(!all && { queries: [query] }), ...(reads.rollout && { rollout: reads.rollout }) };
}

/**
 * Whether what a view reads can be held.
 * @param {Shape} model
 * @param {number} tokens
 * @param {Reads} reads
 */
export function fits(model, tokens, reads) {
  return bytes(model, tokens, reads.attentions ? tokens : 1, reads) <= MOST;
}

/**
 * Whether a view reads what a trace does not have.
 * @param {Trace} trace
 * @param {Query} query
 * @param {Reads} reads
 */
export function lacks({ queries, hiddenStates, rolled }, query, { attentions, hidden, rollout }) {
  if (hidden && !hiddenStates.length) return true;
  if (!queries) return false;
  if (attentions || String(queries[0]) !== String(query)) return true;
  return Boolean(rollout) && (rolled?.fusion !== rollout?.fusion || rolled?.discard !== rollout?.discard);
}
