import { NO_CLASSES } from '../words.js';
import { remember } from './cache.js';
import { createLayerView } from './layers.js';

/**
 * What each patch alone says of a class.
 * @param {import('./index.js').Hands} hands
 */
export function createPatchLens(hands) {
  return createLayerView({
    id: 'patch-lens',
    title: 'What a patch says',
    term: 'patch lens',
    sentence: "The model's head, asked of each patch alone: its logit for a class, early and late. Click an answer to choose the class.",
    caution: 'A patch holds what attention brought there, too, and no head was trained on patches.',
    detail: ({ vit }) => (vit.config.scores === 'none' ? 'What the value would be by each patch alone.' : 'Above 0 a patch speaks for the class, below 0 against it.'),
    uses: { target: true },
    tries: (trace) => trace.patchLens(),
    has: ({ stages }) => stages.flatMap(({ stage }, layer) => (stage === stages[stages.length - 1].stage ? [layer] : [])), // what the head could read
    reads: () => ({ hidden: true }),
    missing: ({ target }) => (target ? undefined : NO_CLASSES),
    of: ({ trace, target }, layer) => remember(trace, `lens ${layer} ${target?.index}`, () => trace.patchLens({ layer, target: target?.index })),
  }, hands);
}
