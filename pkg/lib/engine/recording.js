/** What the engine records of a forward pass, as plain data. */
import { queryToken } from '../views/query.js';
import { isStaged } from '../views/recorded.js';

/**
 * @typedef {import('../../wasm/relaxed/vitscope.js').Engine} WasmEngine
 * @typedef {import('../views/requests.js').RecordRequest} RecordRequest
 */

/**
 * Has the pass that has begun recorded.
 * @param {WasmEngine} wasm
 * @param {RecordRequest} request
 */
export function startRecording(wasm, { layers, attentions, hiddenStates, queries, rolled }) {
  wasm.record(Uint32Array.from(layers), attentions, hiddenStates, queries?.map((query) => String(queryToken(query))), rolled?.fusion, rolled?.discard);
}

/**
 * What was recorded of it.
 * @param {WasmEngine} wasm
 * @param {import('../../index.js').ModelConfig} config
 * @param {RecordRequest} request
 */
export function recordingOf(wasm, config, { layers: recorded, queries, rolled }) {
  const { layers, heads, tokens, prefixTokens, prefix, grid, patchSize, hiddenSize, stages } = config;
  /** @type {import('../../wasm/relaxed/vitscope.js').EngineRecording} */
  const arrays = {};
  wasm.recorded(arrays);
  const none = () => (isStaged(config) ? [] : new Float32Array());
  const { attentions = none(), hiddenStates = none(), ...rest } = arrays;
  return { layers, heads, tokens, prefixTokens, prefix, grid, patchSize, hiddenSize, stages, ...rest, recorded, ...(queries && { queries }), ...(rolled && { rolled }), attentions, hiddenStates };
}
