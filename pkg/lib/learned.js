/** What a model has learned, as maps. */
import { viewMap } from './map.js';

/** As many as the ViT paper shows. */
const FILTERS = 28;

/**
 * @param {import('../index.js').ModelConfig} config
 * @param {Float32Array | undefined} data [patches, patches]
 */
export function positionMap({ grid: [rows, cols] }, data) {
  return data && viewMap(rows * cols, rows * cols, data, 'Cosine similarity of the position embeddings of every two patches', { signed: true });
}

/** @param {import('../index.js').ModelConfig} config */
export function filterCount({ hiddenSize, patchSize: [height, width] }) {
  return Math.min(FILTERS, hiddenSize, 3 * height * width);
}

/**
 * @param {import('../index.js').ModelConfig} config
 * @param {Float32Array} data [count, 3, height, width]
 */
export function filterMaps({ patchSize: [height, width] }, data) {
  const size = height * width;
  return Array.from({ length: data.length / (3 * size) }, (_, i) => {
    const filter = Float32Array.from({ length: 3 * size }, (_, j) => data[(3 * i + (j % 3)) * size + Math.floor(j / 3)]);
    return viewMap(height, width, filter, `Patch embedding: principal component ${i} of the filters`, { channels: 3, signed: true });
  });
}
