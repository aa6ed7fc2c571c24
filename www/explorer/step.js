/** Explorers in step: what is chosen in one of what there is to see is chosen in all, as far as their models have it. */
import { limitsOf, within } from './choice.js';
import { moved } from './detail.js';

/**
 * @typedef {import('./choice.js').State} State
 * @typedef {Pick<ReturnType<typeof import('./mount.js').mount>, 'choose' | 'state' | 'vit'>} Mounted
 */

const SHARED = /** @type {const} */ (['layer', 'head', 'patch', 'target', 'stop', 'look']);

export function inStep() {
  /** What each was at last. @type {Map<Mounted, State>} */
  const known = new Map();
  let following = false;

  return {
    /** @param {Mounted} explorer */
    join: (explorer) => void known.set(explorer, explorer.state),

    /** One has changed. @param {Mounted | undefined} leader @param {State} state */
    told(leader, state) {
      const before = leader && known.get(leader);
      if (!before) return;
      known.set(leader, state);
      if (following) return; // this follows from another's change
      const had = leader.vit ? within(before, limitsOf(leader.vit.config)) : before; // what its model has not, another's may have
      const changed = SHARED.filter((name) => JSON.stringify(state[name]) !== JSON.stringify(had[name]));
      if (!changed.length && state.view === before.view) return;
      following = true;
      for (const other of known.keys()) {
        const choice = Object.fromEntries(changed.map((name) => [name, name === 'patch' ? samePlace(state.patch, leader, other) : state[name]]));
        if (other !== leader) void other.choose({ view: state.view, ...choice });
      }
      following = false;
    },
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
