import { remember } from './cache.js';
import { createLayerView } from './layers.js';

/**
 * The patches' principal components as colours.
 * @param {() => void} onChange
 */
export function createFeatures(onChange) {
  return createLayerView({
    id: 'features',
    title: 'Features',
    hint: 'What the patches have in common: their first three principal components as red, green and blue. Patches of one colour are alike to the model.',
    detail: 'Each colour has its own scale, from the least to the most.',
    uses: {},
    of: ({ trace }, layer) => remember(trace, `features ${layer}`, () => trace.featureMap({ layer })),
  }, onChange);
}
