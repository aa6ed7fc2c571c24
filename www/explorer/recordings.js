/**
 * What of a forward pass is written down: of a photo all of it, where that takes little; else, and of a moving picture, what the open view reads.
 *
 * @typedef {import('../../pkg/index.js').Trace} Trace
 * @typedef {import('../../pkg/index.js').Query} Query
 * @typedef {import('../../pkg/index.js').Rolled} Rolled
 * @typedef {import('../../pkg/index.js').RecordOptions} RecordOptions
 * @typedef {{attentions?: boolean, hidden?: boolean, rollout?: Partial<Rolled>}} Reads
 *   what a view reads beside the attention of the token that is asked about. attentions: that of all tokens; hidden: the stream after every layer
 * @typedef {{layers: number, heads: number, hiddenSize: number}} Shape  of a model or a trace
 */

/** Bytes that are held of a picture. */
const MOST = 64e6;

/**
 * @param {Shape} shape
 * @param {number} tokens
 * @param {number} rows of attention, in each head
 * @param {Reads} reads
 */
function bytes({ layers, heads, hiddenSize }, tokens, rows, { hidden, rollout }) {
  return 4 * tokens * (layers * heads * rows + (hidden ? (layers + 1) * hiddenSize : 0) + (rollout ? tokens : 0));
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
  const all = reads.attentions && fits(model, model.tokens, reads);
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
