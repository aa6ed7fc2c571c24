/** How a vector for a place of another grid is made of those that were learned, and what stands for these vectors in a drawing. */

/** Of the cubic kernel: as PyTorch's `interpolate` has it. */
const A = -0.75;

/** Keys' cubic kernel. @param {number} x */
function kernel(x) {
  const t = Math.abs(x);
  if (t <= 1) return ((A + 2) * t - (A + 3)) * t * t + 1;
  return t < 2 ? ((A * t - 5 * A) * t + 8 * A) * t - 4 * A : 0;
}

/**
 * Along one axis: where a place of the other grid lies between the learned ones, and with what weight it takes each of the four nearest. Beyond the edge the last one counts again.
 * @param {number} place of the other grid
 * @param {number} places of it
 * @param {number} learned places
 * @returns {{at: number, taken: {place: number, weight: number}[]}}
 */
export function nearest(place, places, learned) {
  const at = ((place + 0.5) * learned) / places - 0.5;
  const first = Math.floor(at) - 1;
  return { at, taken: Array.from({ length: 4 }, (_, i) => ({ place: Math.min(learned - 1, Math.max(0, first + i)), weight: kernel(at - first - i) })) };
}

/**
 * Another grid's numbers, from those of the learned grid.
 * @param {Float32Array} values [rows, cols, channels]
 * @param {[rows: number, cols: number]} grid
 * @param {number} channels
 * @param {[rows: number, cols: number]} other
 * @returns {import('../../../pkg/index.js').Floats}
 */
export function resized(values, [rows, cols], channels, [down, across]) {
  const out = new Float32Array(down * across * channels);
  const columns = Array.from({ length: across }, (_, x) => nearest(x, across, cols).taken);
  for (let y = 0; y < down; y++) {
    for (const row of nearest(y, down, rows).taken) {
      columns.forEach((taken, x) => {
        for (const col of taken) {
          const weight = row.weight * col.weight;
          for (let c = 0; c < channels; c++) out[(y * across + x) * channels + c] += weight * values[(row.place * cols + col.place) * channels + c];
        }
      });
    }
  }
  return out;
}

/**
 * The first principal components of vectors of which only the similarities are known: eigenvectors of the centred matrix, by powers of it (kernel PCA: Schölkopf, Smola and Müller, 1998).
 * @param {Float32Array} similarity [n, n]
 * @param {number} n
 * @param {number} wanted components
 * @returns {import('../../../pkg/index.js').Floats} [n, wanted], each over the range 0 to 1
 */
export function components(similarity, n, wanted) {
  const means = Float64Array.from({ length: n }, (_, i) => similarity.subarray(i * n, (i + 1) * n).reduce((sum, value) => sum + value, 0) / n);
  const mean = means.reduce((sum, value) => sum + value, 0) / n;
  /** @type {{vector: Float64Array, length: number}[]} */
  const found = [];
  const out = new Float32Array(n * wanted);
  for (let c = 0; c < wanted; c++) {
    // (Begun with whatever no symmetry of a grid leaves at 0.)
    let vector = Float64Array.from({ length: n }, (_, i) => Math.sin((i + 1) * (c + 1.3)));
    let length = 0;
    for (let turn = 0; turn < 40; turn++) {
      const [sum, along] = [vector.reduce((a, b) => a + b, 0), vector.reduce((a, b, i) => a + b * means[i], 0)];
      const next = new Float64Array(n);
      for (let i = 0; i < n; i++) {
        let product = 0;
        for (let j = 0, at = i * n; j < n; j++) product += similarity[at + j] * vector[j];
        next[i] = product - means[i] * sum - along + mean * sum;
      }
      for (const { vector: known, length } of found) {
        const share = length * known.reduce((a, b, i) => a + b * vector[i], 0);
        known.forEach((value, i) => (next[i] -= share * value));
      }
      length = Math.hypot(...next);
      if (!length) break;
      vector = next.map((value) => value / length);
    }
    found.push({ vector, length });
    const [low, high] = [Math.min(...vector), Math.max(...vector)];
    vector.forEach((value, i) => (out[i * wanted + c] = (value - low) / (high - low || 1)));
  }
  return out;
}
