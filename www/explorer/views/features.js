import { remember } from './cache.js';
import { createLayerView } from './layers.js';

/**
 * The patches' principal components as colours.
 * @param {import('./index.js').Hands} hands
 */
export function createFeatures(hands) {
  return createLayerView({
    id: 'features',
    title: 'What goes together',
    term: 'features, PCA',
    sentence: 'Patches of one colour are alike to the model: the first three principal components of their features as red, green and blue.',
    caution: 'Colours have no meaning of their own, and are others in every layer.',
    detail: 'Each colour has its own scale, from the least to the most.',
    uses: {},
    reads: () => ({ hidden: true }),
    of: ({ trace }, layer) => remember(trace, `features ${layer}`, () => trace.featureMap({ layer })),
  }, hands);
}
