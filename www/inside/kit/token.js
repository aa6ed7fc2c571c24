/**
 * Whose vector is shown: the patch that was chosen; else the class token, where there is one.
 * @param {Pick<import('../figure.js').Context, 'trace' | 'patch' | 'picked'>} context
 * @returns {{index: number, name: string, query: import('../../../pkg/index.js').Query}} index: among all tokens
 */
export function tokenOf({ trace: { prefix, prefixTokens, grid }, patch, picked }) {
  const index = prefix.indexOf('class');
  if (!picked && index >= 0) return { index, name: 'the class token', query: 'cls' };
  const [row, col] = [Math.floor(patch / grid[1]), patch % grid[1]];
  return { index: prefixTokens + patch, name: `patch (${row}, ${col})`, query: [row, col] };
}

/**
 * All tokens in the stream, row by row, a view of the trace's own memory.
 * @param {Pick<import('../../../pkg/index.js').Trace, 'hiddenStates' | 'stages' | 'prefixTokens'>} trace
 * @param {number} depth 0: before the first layer; else after so many
 */
export function streamAt({ hiddenStates, stages, prefixTokens }, depth) {
  const { grid: [rows, cols], hiddenSize } = stages[Math.max(0, depth - 1)];
  const tokens = prefixTokens + rows * cols;
  const lists = /** @type {unknown} */ (hiddenStates);
  const stream = Array.isArray(lists) ? /** @type {Float32Array[]} */ (lists)[depth] : hiddenStates.subarray(depth * tokens * hiddenSize, (depth + 1) * tokens * hiddenSize);
  return { stream, tokens, hiddenSize, grid: /** @type {[number, number]} */ ([rows, cols]) };
}

/**
 * A token's numbers in it.
 * @param {import('../../../pkg/index.js').Trace} trace
 * @param {number} depth
 * @param {number} token
 */
export function streamOf(trace, depth, token) {
  const { stream, hiddenSize } = streamAt(trace, depth);
  return stream.subarray(token * hiddenSize, (token + 1) * hiddenSize);
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** @param {ArrayLike<number>} vector */
export const lengthOf = (vector) => Math.sqrt(dot(vector, vector));

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
export const cosine = (a, b) => dot(a, b) / (lengthOf(a) * lengthOf(b) || 1);
