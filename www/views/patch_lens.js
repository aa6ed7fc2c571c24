import { NO_CLASSES } from '../words.js';
import { remember } from './cache.js';
import { createLayerView } from './layers.js';

/**
 * What each patch alone says of a class.
 * @param {() => void} onChange
 */
export function createPatchLens(onChange) {
  return createLayerView({
    id: 'patch-lens',
    title: 'Patch lens',
    hint: "The model's head, asked of each patch alone: its logit for a class, early and late. Click an answer to choose the class.",
    detail: ({ vit }) => (vit.config.scores === 'none' ? 'What the value would be by each patch alone.' : 'Above 0 a patch speaks for the class, below 0 against it.'),
    uses: { target: true },
    missing: ({ target }) => (target ? undefined : NO_CLASSES),
    of: ({ trace, target }, layer) => remember(trace, `lens ${layer} ${target?.index}`, () => trace.patchLens({ layer, target: target?.index })),
  }, onChange);
}
