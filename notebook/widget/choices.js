/** What is chosen, in Python and in the explorers: whoever changes it, the others follow. A query's row and column are those of the first model's grid. */
import { limitsOf, within } from '../../www/explorer/choice.js';
import { moved } from '../../www/explorer/detail.js';

/** @typedef {import('../../www/explorer/choice.js').State} State */
/** @typedef {import('./transport.js').Model} Model */
/** @typedef {{choose: (wish: Partial<State>) => unknown, readonly state: State, readonly vit?: import('../../pkg/index.js').Vitscope}} Explorer */
/** @typedef {Record<string, any>} Traits */

const NAMES = /** @type {const} */ (['view', 'layer', 'head', 'query', 'target']);
const FRAME = 16; // ms

export class Choices {
  #model;
  /**
   * wanted: what each was last asked for; last: what it has then made of it, or told; looks: what they share beside, which Python does not know
   * @type {{explorer: Explorer, wanted: Traits, last: Traits, looks: string}[]}
   */
  #sides = [];
  #applying = false;
  /** What has been asked of the explorers, and is not shown yet. @type {Set<Promise<unknown>>} */
  #coming = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saving;

  /**
   * @param {Model} model
   * @param {AbortSignal} signal
   */
  constructor(model, signal) {
    this.#model = model;
    const events = NAMES.map((name) => `change:${name}`);
    for (const event of events) model.on(event, this.#follow);
    signal.addEventListener('abort', () => events.forEach((event) => model.off(event, this.#follow)));
  }

  /** To begin with; a query is told once the model's grid is known. @returns {Partial<State>} */
  get first() {
    const { query: _, ...choice } = this.#wanted;
    return choice;
  }

  /** @returns {Traits} */
  get #wanted() {
    return Object.fromEntries(NAMES.map((name) => [name, this.#model.get(name) ?? null]));
  }

  /** @param {Explorer} explorer that was mounted with `first` */
  join(explorer) {
    const choice = { ...this.first, query: null };
    this.#sides.push({ explorer, wanted: { ...choice }, last: { ...choice }, looks: looksOf(explorer.state) });
  }

  /** The grid of an explorer's model is known now. */
  ready() {
    this.#follow();
  }

  /** Resolves when what is chosen is shown. */
  async shown() {
    while (this.#coming.size) await Promise.all(this.#coming);
  }

  #follow = () => {
    const wanted = this.#wanted;
    for (const side of this.#sides) {
      const { explorer } = side;
      const names = NAMES.filter((name) => String(wanted[name]) !== String(side.wanted[name]) && (name !== 'query' || (explorer.vit && this.#grid)));
      if (!names.length) continue;
      for (const name of names) side.wanted[name] = side.last[name] = wanted[name];
      const wish = names.map((name) => (name === 'query' ? ['patch', this.#patchOf(wanted.query, explorer)] : [name, wanted[name]]));
      this.#choose(explorer, { view: wanted.view, ...Object.fromEntries(wish) }); // without a view, a layer would choose another where the open one has none
    }
    for (const { explorer } of this.#sides) this.told(explorer, explorer.state); // what there is not was not chosen
  };

  /** @param {Explorer} explorer @param {Partial<State>} wish */
  #choose(explorer, wish) {
    this.#applying = true;
    const coming = Promise.resolve(explorer.choose(wish)).catch(() => {}).finally(() => this.#coming.delete(coming));
    this.#coming.add(coming);
    this.#applying = false;
  }

  /**
   * An explorer's reader has chosen, or its model has not what was wanted.
   * @param {Explorer} explorer
   * @param {State} state
   */
  told(explorer, state) {
    const side = this.#sides.find((side) => side.explorer === explorer);
    if (!side) return;
    const several = this.#sides.length > 1;
    const now = this.#traitsOf(state, explorer);
    const wanted = this.#wanted;
    const names = NAMES.filter((name) => name in now && String(now[name]) !== String(side.last[name]));
    for (const name of names) side.last[name] = now[name];
    const had = explorer.vit ? within(/** @type {any} */ (wanted), limitsOf(explorer.vit.config)) : wanted; // what one of two models has not, the other may have
    const chosen = names.filter((name) => !several || (!this.#applying && !(now[name] === null && had[name] !== wanted[name])));
    for (const name of chosen) side.wanted[name] = now[name];
    const changed = chosen.filter((name) => String(now[name]) !== String(wanted[name]));
    for (const name of changed) this.#model.set(name, now[name]);
    if (changed.length) this.#save();
    this.#share(side, state);
  }

  #save() {
    this.#saving ??= setTimeout(() => {
      this.#saving = undefined;
      this.#model.save_changes();
    }, FRAME);
  }

  /**
   * How maps are drawn, and a stop before the first layer.
   * @param {{looks: string}} side
   * @param {State} state
   */
  #share(side, state) {
    const looks = (side.looks = looksOf(state));
    if (this.#applying) return;
    for (const other of this.#sides) if (other.looks !== looks) this.#choose(other.explorer, { look: state.look, stop: state.stop });
  }

  get #grid() {
    return this.#sides[0].explorer.vit?.config.grid;
  }

  /**
   * @param {State} state
   * @param {Explorer} explorer
   * @returns {Traits}
   */
  #traitsOf({ view, layer, head, target, patch }, { vit }) {
    const grid = this.#grid;
    if (!grid || !vit) return { view, layer, head, target };
    const first = patch === null ? null : moved(patch, vit.config.grid, grid);
    return { view, layer, head, target, query: first === null ? null : [Math.floor(first / grid[1]), first % grid[1]] };
  }

  /**
   * @param {[number, number] | null} query
   * @param {Explorer} explorer
   */
  #patchOf(query, { vit }) {
    const grid = this.#grid;
    if (!query || !grid || !vit || query[0] >= grid[0] || query[1] >= grid[1]) return null;
    return moved(query[0] * grid[1] + query[1], grid, vit.config.grid);
  }
}

/** @param {State} state */
function looksOf({ look, stop }) {
  return JSON.stringify([look, stop]);
}
