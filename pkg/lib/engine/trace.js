import { orAborted } from '../common/abort.js';
import { checkChoice, checkNumber, checkOptions, checkWhole, describe } from '../common/checks.js';
import { guard, invalid, unsupported } from '../common/errors.js';
import { toSafetensors } from '../views/files.js';
import { viewMap } from '../views/map.js';
import { queryName, queryToken } from '../views/query.js';
import { arrayOf, checkLayer, cropOf, keptRow, recorded, recordedAll, recordedRows } from '../views/recorded.js';
import { FUSIONS, checkRollout } from '../views/rolled.js';
import { viewsAlone } from './views.js';

/**
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {import('../../index.js').Recording} Recording
 * @typedef {import('../assets.js').Glue['Views']} Views
 * @typedef {(name: keyof typeof import('../views/lenses.js').LENSES, trace: Trace, options?: any) => any} Lens
 *   what needs the model: answers from an engine in this thread, promises of them from one in a worker
 */

/** @type {Lens} */
const needsModel = async (name) => {
  throw invalid(`A trace made of data has no model, which ${name} needs. Ask it of the trace that the model gave.`);
};

/** What was recorded, as properties. @type {new (data: Recording) => Recording} */
const Recorded = /** @type {any} */ (class {
  constructor(/** @type {Recording} */ data) {
    Object.assign(this, data);
  }
});

/** A forward pass written down, and the views of it. */
export class Trace extends Recorded {
  /** @override */
  static name = 'Trace';

  /** Of the last trace here: a second module needn't be loaded. @type {Views | undefined} */
  static #known;

  #views;
  #lens;

  /**
   * @param {Recording} data
   * @param {Views} views
   * @param {Lens} lens
   */
  constructor(data, views, lens) {
    super(data);
    this.#views = Trace.#known = views;
    this.#lens = lens;
  }

  /**
   * @param {any} data of a trace, which came here as a copy
   * @param {{assets?: import('../../index.js').AssetOptions, signal?: AbortSignal}} [options]
   */
  static async from(data, options) {
    const { assets, signal } = checkOptions(options, ['assets', 'signal']);
    const { attentions, hiddenStates, rollouts = attentions, recorded, queries = [], prefix, grid, patchSize, stages } = data ?? {};
    const lists = [attentions, hiddenStates].map((values) => (Array.isArray(values) ? values : [values]));
    if (lists.some((list) => !list.length) || ![...lists.flat(), ...(rollouts === attentions ? [] : [rollouts])].every((values) => values instanceof Float32Array) || ![recorded, queries, prefix, grid, patchSize, stages].every(Array.isArray)) {
      throw invalid(`Trace.from takes a trace, or what structuredClone makes of one; not ${describe(data)}.`);
    }
    const views = async () => Trace.#known ?? viewsAlone(assets);
    return new Trace(data, await orAborted(views(), signal), needsModel);
  }

  /** @param {import('../../index.js').HeadOptions} [options] */
  headMap(options) {
    const { layer = this.#last, head = 'mean', query, mass, clip } = checkOptions(options, ['layer', 'head', 'query', 'mass', 'clip']);
    if (typeof head !== 'number') checkChoice('head, unless it is a number,', head, FUSIONS);
    const chosen = typeof head === 'number' ? `head ${checkWhole('head', head)}` : `${head} of heads`;
    const kept = mass === undefined ? '' : `, ${Math.round(100 * checkNumber('mass', mass))} % of the mass`;
    const [token, percentile] = [queryToken(query), clip === undefined ? clip : checkNumber('clip', clip)];
    return this.#see((views) => {
      const attentions = arrayOf(this, 'attentions', recorded(this, 'attentions', 'headMap', layer));
      const row = keptRow(this, 'headMap', query, head);
      const within = views.within(token);
      if (row) views.keep(...row);
      const data = views.headMap(attentions, String(head), token, mass, percentile);
      return this.#map(data, `Layer ${layer}, ${chosen}: where ${this.#name(query)} looks${kept}`, { layer, ...(within && { within }) });
    }, { layer });
  }

  /** @param {import('../../index.js').RolloutOptions} [options] */
  rollout(options) {
    const { query, ...asked } = checkOptions(options, ['fusion', 'discard', 'query']);
    const { fusion, discard } = checkRollout(asked);
    const left = discard ? `, ${Math.round(100 * discard)} % left out` : '';
    if (this.staged) throw unsupported('rollout', 'it multiplies the attention of all layers, between the same tokens, and here tokens attend within windows or are merged.');
    return this.#map(this.#rollout(fusion, discard, queryToken(query)), `Rollout, ${fusion} of heads${left}: what reaches ${this.#name(query)}`);
  }

  /**
   * A row of what was recorded as a rollout, or what comes of the attention of all layers.
   * @param {string} fusion
   * @param {number} discard
   * @param {string | undefined} query
   */
  #rollout(fusion, discard, query) {
    const { rollouts, rolled } = this;
    if (rollouts && rolled?.fusion === fusion && rolled.discard === discard) return this.#see((views) => views.headMap(rollouts, '0', query), { heads: 1 });
    const or = `rollout: {fusion: '${fusion}', discard: ${discard}}, or `;
    recordedRows(this, 'rollout', or);
    return this.#see((views) => views.rollout(recordedAll(this, 'attentions', 'rollout', or), fusion, discard, query), { layers: this.layers });
  }

  /** @param {{layer?: number}} [options] */
  featureMap(options) {
    const { layer = this.#last } = checkOptions(options, ['layer']);
    return this.#map(this.#see((views) => views.features(this.#tokens('featureMap', layer)), { layer }), `Layer ${layer}: principal components of the patches as red, green, blue`, { layer, channels: 3 });
  }

  /** @param {{layer?: number, query?: import('../../index.js').Query}} [options] */
  similarity(options) {
    const { layer = this.#last, query } = checkOptions(options, ['layer', 'query']);
    return this.#map(this.#see((views) => views.similarity(this.#tokens('similarity', layer), queryToken(query)), { layer }), `Layer ${layer}: how similar each patch is to ${this.#name(query)}`, { layer, signed: true });
  }

  attentionDistance() {
    return this.#table('attentionDistance', 'distance', 'Mean distance of attention in pixels');
  }

  attentionEntropy() {
    return this.#table('attentionEntropy', 'entropy', 'Mean entropy of attention in nats');
  }

  /** @param {{signal?: AbortSignal}} [options] */
  logitLens(options) {
    return this.#lens('logitLens', this, options);
  }

  /** @param {import('../../index.js').LensOptions} [options] */
  patchLens(options) {
    return this.#lens('patchLens', this, options);
  }

  /** @param {import('../../index.js').QueryOptions} [options] */
  query(options) {
    return this.#lens('query', this, options);
  }

  /** @param {import('../../index.js').MlpOptions} [options] */
  mlp(options) {
    return this.#lens('mlp', this, options);
  }

  /** @param {import('../../index.js').UnitOptions} options */
  unit(options) {
    return this.#lens('unit', this, options);
  }

  /** @param {{layer?: number, signal?: AbortSignal}} [options] */
  norms(options) {
    return this.#lens('norms', this, options);
  }

  toSafetensors() {
    const { layers, recorded, queries, rolled, without, order, tokens, rollouts = new Float32Array(), logits, features } = this;
    const all = {
      logits: { shape: [logits.length], data: logits },
      features: { shape: [features.length], data: features },
      ...arrays(this),
      rollout: { shape: [tokens, tokens], data: rollouts },
    };
    const there = Object.entries(all).filter(([, { data }]) => data.length);
    const said = Object.entries({ layers: recorded.length < layers ? recorded : undefined, queries, rollout: rolled, without, order }).filter(([, value]) => value);
    return toSafetensors(Object.fromEntries(there), Object.fromEntries(said.map(([name, value]) => [name, JSON.stringify(value)])));
  }

  get staged() {
    return Array.isArray(this.attentions) ? /** @type {any} */ (this) : undefined;
  }

  get #last() {
    return this.layers - 1;
  }

  /** @param {import('../../index.js').Query | undefined} query */
  #name(query) {
    return queryName(query, this.prefix);
  }

  /**
   * The tokens after a layer.
   * @param {string} view
   * @param {number} layer
   */
  #tokens(view, layer) {
    return arrayOf(this, 'hiddenStates', recorded(this, 'hiddenStates', view, layer) + 1);
  }

  /**
   * @template T
   * @param {(views: InstanceType<Views>) => T} view
   * @param {{layer?: number, layers?: number, heads?: number}} [array] what it reads: one layer's, whose shape that is
   */
  #see(view, { layer = 0, layers = 1, heads } = {}) {
    return guard(() => {
      const { grid: [rows, cols], patchSize: [height, width], hiddenSize, heads: own, window } = this.stages[checkLayer(layer, this.layers)];
      const views = new this.#views(layers, heads ?? own, this.prefix, rows, cols, height, width, hiddenSize);
      if (window) views.cut(window.kind === 'strided', ...window.size, ...window.shift, window.padsFirst);
      const seen = view(views);
      views.free(); // what failed may still hold it
      return seen;
    });
  }

  /**
   * @param {Float32Array} data
   * @param {string} text
   * @param {{layer?: number, channels?: 1 | 3, signed?: boolean, within?: Uint8Array}} [kind]
   * @returns {ViewMap}
   */
  #map(data, text, { layer = 0, ...kind } = {}) {
    const [rows, cols] = this.stages[layer].grid;
    return viewMap(rows, cols, data, text, { ...kind, crop: cropOf(this, layer) });
  }

  /**
   * A number for each head: NaN where another layer has more.
   * @param {string} name
   * @param {'distance' | 'entropy'} view
   * @param {string} text
   */
  #table(name, view, text) {
    recordedRows(this, name);
    const { recorded, layers, stages } = this;
    const most = Math.max(...recorded.map((layer) => stages[layer].heads));
    const data = guard(() => {
      const all = new Float32Array(recorded.length * most).fill(NaN);
      recorded.forEach((layer, place) => all.set(this.#see((views) => views[view](arrayOf(this, 'attentions', place)), { layer }), place * most));
      return all;
    });
    const which = recorded.length < layers ? `layers ${recorded.join(', ')}` : 'each layer';
    return viewMap(recorded.length, most, data, `${text}, of each head (columns) in ${which} (rows)`);
  }
}

/**
 * What was recorded as tensors: of stages each layer's.
 * @param {Recording} trace
 */
function arrays({ recorded, queries, heads, tokens, hiddenSize, stages, ...trace }) {
  const rows = queries?.length ?? tokens;
  /** @type {any} */
  const { attentions, hiddenStates } = trace;
  if (!Array.isArray(attentions)) {
    return {
      attentions: { shape: [recorded.length, heads, rows, tokens], data: attentions },
      hidden_states: { shape: [recorded.length + 1, tokens, hiddenSize], data: hiddenStates },
    };
  }
  const named = (/** @type {string} */ name, /** @type {Float32Array[]} */ list, /** @type {(data: Float32Array, i: number) => number[]} */ shape) =>
    list.map((data, i) => [`${name}.${i}`, { shape: shape(data, i), data }]);
  const attended = named('attentions', attentions, (data, i) => {
    const { heads, grid, window } = stages[recorded[i]];
    if (queries) return [heads, queries.length, grid[0] * grid[1]];
    const count = window?.count ?? 1;
    const n = Math.round(Math.sqrt(data.length / (count * heads)));
    return [count, heads, n, n];
  });
  const streams = named('hidden_states', hiddenStates, (data, i) => {
    const width = stages[i ? recorded[i - 1] : 0].hiddenSize;
    return [data.length / width, width];
  });
  return Object.fromEntries([...attended, ...streams]);
}
