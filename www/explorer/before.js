/**
 * What is said before the first layer.
 * @param {import('./viewer.js').Subject} subject
 * @param {'photo' | 'patches'} stop
 * @returns {import('./viewer.js').Words}
 */
export function before({ trace, vit }, stop) {
  const [rows, cols] = trace.grid;
  const [height, width] = trace.patchSize;
  if (stop === 'photo') return { text: 'The photo', detail: `What the model gets of it: the part within the corners, as ${cols * width} × ${rows * height} pixels.` };
  return { text: `${cols} × ${rows} patches`, detail: `Each of ${width} × ${height} pixels becomes a token of ${vit.config.hiddenSize} numbers.` };
}
