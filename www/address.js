/** The address and what is shown, in step: what is chosen is written into its fragment, and what its fragment says is shown. */
import { read, write } from './link.js';
import { isOnHub, isPinned, modelIn, modelInLink } from './linked_model.js';
import { hubAllowed } from './policy.js';

/**
 * @typedef {import('./explorer/choice.js').State} State
 * @typedef {{readonly state: State, choose: (state: import('./explorer/choice.js').Wish) => Promise<void>}} Explorer  or the lesson
 * @typedef {{photo?: true, model?: true, agreed?: string, asked?: string}} Own
 *   beside an address, in this browser: it was of a photo or model of one's own, which no address can hold; the visitor has agreed
 *   to load that model of the Hub, or to ask what it is
 * @typedef {{state: import('./explorer/choice.js').Wish, hub?: string, asked?: boolean, refusal?: unknown}} Wished
 *   hub: a model that is elsewhere, `org/name`, for which a link alone is not enough; asked: it may be asked about; refusal: why its model isn't among the state
 */

const PAUSE = 250; // ms without another change: browsers refuse addresses that change too often

/** Where one comes back to; all else only changes the entry. @type {('model' | 'sample' | 'view')[]} */
const PLACES = ['model', 'sample', 'view'];

/**
 * What the address asks for.
 * @returns {Wished}
 */
export function wish() {
  const { model, ...state } = read(location.hash);
  const { agreed, asked } = own();
  if (!model) return asked === undefined ? { state } : { state, hub: '', asked: true };
  try {
    const key = modelIn(model, new URL(location.href));
    if (isOnHub(key) && !(agreed === key && (hubAllowed() || isPinned(key)))) return { state, hub: model, asked: asked === model };
    return { state: { ...state, model: key } };
  } catch (refusal) {
    return { state, refusal };
  }
}

/** @returns {Own} */
function own() {
  return history.state ?? {};
}

/**
 * @param {Explorer} explorer
 * @param {State} usual what need not be in the address
 * @param {(wished: Wished) => void} propose something is wished that nobody has agreed to, or that can't be had
 */
export function createAddress(explorer, usual, propose) {
  if (own().asked !== undefined) history.replaceState({ ...own(), asked: undefined }, ''); // once
  const fragment = (/** @type {Partial<State>} */ state) => write(linked(state), linked(usual));
  // The same fragment may be of a photo of one's own and of the first sample, of a link and of what was agreed to.
  const entry = (hash = location.hash, beside = own()) => hash + JSON.stringify(beside);
  let last = explorer.state;
  let seen = entry();
  let visits = 0;
  let timer = 0;
  /** @type {State | undefined} */
  let waiting;

  function settle() {
    clearTimeout(timer);
    const state = waiting;
    waiting = undefined;
    if (!state || visits) return;
    const url = new URL(location.href);
    url.hash = fragment(state);
    const place = PLACES.some((name) => state[name] !== last[name]);
    last = state;
    if (entry(url.hash, ownOf(state)) === entry()) return;
    try {
      history[place ? 'pushState' : 'replaceState'](ownOf(state), '', url);
      seen = entry();
    } catch {
      // Too many in too short a time: the next change takes it along.
    }
  }

  async function visit() {
    if (entry() === seen) return; // some browsers tell it twice
    seen = entry();
    clearTimeout(timer);
    waiting = undefined;
    const wished = wish();
    const { photo, model } = own();
    const state = { ...usual, ...wished.state, look: { ...usual.look, ...wished.state.look } };
    visits++;
    if (wished.hub !== undefined || wished.refusal) propose(wished);
    await explorer.choose({ ...state, ...(photo && { sample: null }), ...(Boolean(model || wished.hub || wished.refusal) && { model: null }) });
    visits--;
    if (visits) return;
    last = explorer.state;
    if (waiting) change(waiting);
  }

  /** @param {State} state */
  function change(state) {
    waiting = state;
    clearTimeout(timer);
    timer = window.setTimeout(settle, PAUSE);
  }

  addEventListener('popstate', visit);
  addEventListener('hashchange', visit);
  addEventListener('pagehide', settle);

  return {
    change,

    /**
     * Before the page is opened anew.
     * @param {string | null} name of a model of the Hub that may be asked about; null: none may
     */
    leave(name) {
      settle();
      const state = explorer.state;
      const url = new URL(location.href);
      const model = name ? `hf:${name}` : state.model && isOnHub(state.model) ? usual.model : state.model;
      url.hash = fragment({ ...state, model });
      history.replaceState({ ...ownOf({ ...state, model: usual.model }), ...(name !== null && { asked: name }) }, '', url);
    },

    /** The address of what is shown now. */
    get link() {
      settle();
      const url = new URL(location.href);
      url.hash = fragment(explorer.state);
      return url.href;
    },
  };
}

/** @param {Partial<State>} state */
function linked(state) {
  return { ...state, model: modelInLink(state.model ?? null, new URL(location.href)) };
}

/**
 * @param {State} state
 * @returns {Own}
 */
function ownOf({ sample, model }) {
  return { ...(!sample && { photo: true }), ...(!model && { model: true }), ...(model && isOnHub(model) && { agreed: model }) };
}
