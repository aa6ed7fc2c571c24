/** Explorers in step: what is chosen in one of what there is to see is chosen in all. */
import { moved } from './detail.js';

/** @typedef {Pick<ReturnType<typeof import('./mount.js').mount>, 'choose' | 'vit'>} Mounted */

/**
 * To be called with the explorers once they are mounted, and with every change of one's state.
 * @param {Mounted[]} explorers which may be filled later
 */
export function inStep(explorers) {
  let following = false;

  /** @param {Mounted | undefined} leader @param {import('./choice.js').State} state */
  return function follow(leader, { view, layer, head, patch, target, stop, look }) {
    if (following || !leader) return;
    following = true; // their own changes follow from this one
    for (const other of explorers) {
      if (other !== leader) void other.choose({ view, layer, head, patch: samePlace(patch, leader, other), target, stop, look });
    }
    following = false;
  };
}

/**
 * @param {number | null} patch
 * @param {Mounted} from
 * @param {Mounted} to
 */
function samePlace(patch, { vit: one }, { vit: other }) {
  return patch === null || !one || !other ? patch : moved(patch, one.config.grid, other.config.grid);
}
