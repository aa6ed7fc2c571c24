/**
 * Attention maps: one query's row of a trace, seen as rows × cols patches.
 *
 * @typedef {import('../pkg/index.js').Trace} Trace
 * @typedef {{layer: number, head: number | 'mean', query: Query}} Choice
 * @typedef {number | null} Query  a patch in row-major order; null is the image as a whole: the class token, or where a
 *   model has none, the mean over all patches
 * @typedef {{rows: number, cols: number, data: Float32Array, max: number, rest: number}} AttentionMap
 *   data: the share of attention each patch gets; rest: what goes to tokens that aren't patches
 */

/**
 * @param {Trace} trace
 * @param {Choice} choice
 * @returns {AttentionMap}
 */
export function attentionMap(trace, { layer, head, query }) {
  const { tokens, prefixTokens } = trace;
  const [rows, cols] = trace.grid;
  const data = new Float32Array(rows * cols);
  const heads = head === 'mean' ? range(trace.heads) : [head];
  const queries = queryTokens(trace, query);
  const share = 1 / (heads.length * queries.length);
  for (const h of heads) {
    for (const q of queries) {
      const row = ((layer * trace.heads + h) * tokens + q) * tokens + prefixTokens;
      for (let k = 0; k < data.length; k++) data[k] += share * trace.attentions[row + k];
    }
  }
  const max = data.reduce((a, b) => Math.max(a, b), 0);
  const rest = Math.max(0, 1 - data.reduce((a, b) => a + b, 0));
  return { rows, cols, data, max, rest };
}

/**
 * @param {Trace} trace
 * @param {Query} query
 */
function queryTokens({ tokens, prefixTokens, prefix }, query) {
  if (query !== null) return [prefixTokens + query];
  return prefix[0] === 'class' ? [0] : range(tokens - prefixTokens).map((patch) => prefixTokens + patch);
}

/** @param {number} n */
function range(n) {
  return Array.from({ length: n }, (_, i) => i);
}

/**
 * Enlarges a map bilinearly, values at the patches' centres; beyond the outermost centres the edge value holds.
 * @param {AttentionMap} map
 * @param {number} width
 * @param {number} height
 * @returns {Float32Array} [height, width]
 */
export function enlarge({ rows, cols, data }, width, height) {
  const out = new Float32Array(width * height);
  const xs = taps(width, cols);
  const ys = taps(height, rows);
  for (let y = 0; y < height; y++) {
    const { low: y0, high: y1, part: fy } = ys[y];
    for (let x = 0; x < width; x++) {
      const { low: x0, high: x1, part: fx } = xs[x];
      const top = data[y0 * cols + x0] * (1 - fx) + data[y0 * cols + x1] * fx;
      const bottom = data[y1 * cols + x0] * (1 - fx) + data[y1 * cols + x1] * fx;
      out[y * width + x] = top * (1 - fy) + bottom * fy;
    }
  }
  return out;
}

/**
 * @param {number} size
 * @param {number} cells
 */
function taps(size, cells) {
  return Array.from({ length: size }, (_, i) => {
    const at = Math.min(cells - 1, Math.max(0, ((i + 0.5) / size) * cells - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(cells - 1, low + 1), part: at - low };
  });
}
