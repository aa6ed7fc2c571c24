/** What is chosen, in Python and in the explorers: whoever changes it, the others follow. */

/** @typedef {import('../../www/explorer/choice.js').State} State */
/** @typedef {import('./transport.js').Model} Model */
/** @typedef {{choose: (wish: Partial<State>) => unknown, readonly vit?: import('../../pkg/index.js').Vitscope}} Explorer */
/** @typedef {Record<string, any>} Traits */

const NAMES = /** @type {const} */ (['view', 'layer', 'head', 'query', 'target']);
const FRAME = 16; // ms

export class Choices {
  #model;
  /** wanted: what each was last asked for; last: what it has then made of it, or told. @type {{explorer: Explorer, wanted: Traits, last: Traits}[]} */
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
    this.#sides.push({ explorer, wanted: { ...this.first, query: null }, last: { ...this.first, query: null } });
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
      const names = NAMES.filter((name) => String(wanted[name]) !== String(side.wanted[name]) && (name !== 'query' || explorer.vit));
      if (!names.length) continue;
      for (const name of names) side.wanted[name] = side.last[name] = wanted[name];
      const wish = names.map((name) => (name === 'query' ? ['patch', patchOf(wanted.query, explorer)] : [name, wanted[name]]));
      this.#applying = true;
      explorer.choose({ view: wanted.view, ...Object.fromEntries(wish) }); // without a view, a layer would choose another where the open one has none
      this.#applying = false;
    }
  };

  /**
   * An explorer's reader has chosen, or its model has not what was wanted.
   * @param {Explorer} explorer
   * @param {State} state
   */
  told(explorer, state) {
    const side = this.#sides.find((side) => side.explorer === explorer);
    if (!side) return;
    const several = this.#sides.length > 1;
    const now = traitsOf(state, explorer);
    const wanted = this.#wanted;
    const names = NAMES.filter((name) => name in now && String(now[name]) !== String(side.last[name]));
    for (const name of names) side.last[name] = now[name];
    // What one of two models has not, the other may have.
    const chosen = names.filter((name) => !several || (!this.#applying && !(now[name] === null && lacks(explorer, name, wanted[name]))));
    for (const name of chosen) side.wanted[name] = now[name];
    const changed = chosen.filter((name) => String(now[name]) !== String(wanted[name]));
    if (!changed.length) return;
    for (const name of changed) this.#model.set(name, now[name]);
    this.#saving ??= setTimeout(() => {
      this.#saving = undefined;
      this.#model.save_changes();
    }, FRAME);
  }
}

/**
 * @param {State} state
 * @param {Explorer} explorer
 * @returns {Traits}
 */
function traitsOf({ view, layer, head, target, patch }, { vit }) {
  const cols = vit?.config.grid[1];
  const query = patch === null ? null : cols && [Math.floor(patch / cols), patch % cols];
  return { view, layer, head, target, ...(query !== undefined && vit && { query }) };
}

/**
 * @param {[number, number] | null} query
 * @param {Explorer} explorer
 */
function patchOf(query, explorer) {
  if (!query || !explorer.vit || lacks(explorer, 'query', query)) return null;
  return query[0] * explorer.vit.config.grid[1] + query[1];
}

/**
 * @param {Explorer} explorer
 * @param {string} name
 * @param {any} value
 */
function lacks({ vit }, name, value) {
  if (!vit || value === null) return false;
  const { layers, heads, stages, numClasses, grid: [rows, cols] } = vit.config;
  if (name === 'layer') return value >= layers;
  if (name === 'head') return value >= Math.max(heads, ...stages.map(({ heads }) => heads));
  if (name === 'target') return value >= numClasses;
  return name === 'query' && (value[0] >= rows || value[1] >= cols);
}
