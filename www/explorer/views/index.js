import { createClass } from './class.js';
import { createFeatures } from './features.js';
import { createHeads } from './heads.js';
import { createLogitLens } from './logit_lens.js';
import { createModelFigures } from './model_figures.js';
import { createPatchLens } from './patch_lens.js';
import { createRollout } from './rollout.js';
import { createSimilarity } from './similarity.js';

/**
 * What a view asks of the explorer: to be drawn anew, as an option of its own changed; or to choose something.
 * @typedef {{change: () => void, choose: (choice: Partial<import('../choice.js').Choice>) => void}} Hands
 */

/**
 * All views, in the order of their tabs.
 * @param {Hands} hands
 * @returns {import('../view.js').View[]}
 */
export function createViews(hands) {
  return [
    createHeads(hands), createRollout(hands), createClass(hands), createLogitLens(hands),
    createPatchLens(hands), createFeatures(hands), createSimilarity(hands), createModelFigures(hands),
  ];
}
