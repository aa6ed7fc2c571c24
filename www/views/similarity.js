import { createLayerView } from './layers.js';

/**
 * How alike the tokens of a layer are.
 * @param {() => void} onChange
 */
export function createSimilarity(onChange) {
  return createLayerView({
    id: 'similarity',
    title: 'Similarity',
    hint: 'Cosine similarity of one token with every patch. Click a patch of the photo to compare with it.',
    detail: '1 points the same way, 0 has nothing to do with it, below 0 is opposed.',
    uses: { query: true },
    of: ({ trace, query }, layer) => trace.similarity({ layer, query }),
  }, onChange);
}
