/**
 * What of a forward pass is written down: of a photo all of it, of a moving picture what the open view reads.
 *
 * @typedef {{hidden?: boolean}} Reads  what a view reads beside the attention of the chosen token. hidden: the stream after every layer
 * @typedef {import('../../pkg/index.js').Trace} Trace
 */

/**
 * @param {Reads} reads
 * @param {boolean} live
 * @returns {import('../../pkg/index.js').RecordOptions}
 */
export function recordingFor({ hidden = false }, live) {
  return live ? { hiddenStates: hidden } : {};
}

/**
 * @param {Trace} trace
 * @param {Reads} reads
 */
export function lacks(trace, { hidden }) {
  return Boolean(hidden) && !trace.hiddenStates.length;
}
