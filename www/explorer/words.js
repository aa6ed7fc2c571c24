/** What several parts of the page say. */

export const NO_CLASSES = 'This model has no classes: it gives features and attention only.';

/** A number as people read it, three digits of it. @param {number} value */
export function number(value) {
  const size = Math.abs(value);
  const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.0995 || size === 0 ? value.toFixed(2) : size >= 0.00095 ? value.toFixed(4) : value.toExponential(1);
  return text.replace('-', '−');
}

/** @param {number} bytes */
export function sizeOf(bytes) {
  return `${bytes < 1e7 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6)} MB`;
}

/**
 * What is said before the first layer.
 * @param {import('./viewer.js').Subject} subject
 * @param {'photo' | 'patches'} stop
 * @returns {import('./view.js').Words}
 */
export function before({ trace }, stop) {
  const [rows, cols] = trace.grid;
  const [height, width] = trace.patchSize;
  if (stop === 'photo') return { text: 'The photo', detail: `What the model gets of it: the part within the corners, as ${cols * width} × ${rows * height} pixels.` };
  return { text: `${cols} × ${rows} patches`, detail: `Each of ${width} × ${height} pixels becomes a token of ${trace.stages[0].hiddenSize} numbers.` };
}
