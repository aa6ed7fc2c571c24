import { createLayerView } from './layers.js';

/** Tokens that are all as similar as this make a map of one colour: so are those of the last layers of some models. */
const ALIKE = 0.8;

/**
 * How alike the tokens of a layer are.
 * @param {import('./index.js').Hands} hands
 */
export function createSimilarity(hands) {
  return createLayerView({
    id: 'similarity',
    title: 'What looks alike',
    term: 'cosine similarity',
    sentence: 'How similar one token is to every patch. Click a patch of the photo to compare with it.',
    caution: 'Alike to the model need not be alike to you: position counts too.',
    detail: '1 points the same way, 0 has nothing to do with it, below 0 is opposed.',
    uses: { query: true },
    reads: () => ({ hidden: true }),
    of: ({ trace, queryIn }, layer) => trace.similarity({ layer, query: queryIn(layer) }),
    firstLayer({ trace, queryIn }) {
      const least = (/** @type {number} */ layer) => Math.min(...trace.similarity({ layer, query: queryIn(layer) }).data);
      let layer = trace.layers - 1;
      while (layer > 0 && least(layer) > ALIKE) layer--;
      return layer;
    },
  }, hands);
}
