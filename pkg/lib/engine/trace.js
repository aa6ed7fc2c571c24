import { orAborted } from '../common/abort.js';
import { checkChoice, checkNumber, checkOptions, checkWhole, describe } from '../common/checks.js';
import { guard, invalid } from '../common/errors.js';
import { toSafetensors } from '../views/files.js';
import { viewMap } from '../views/map.js';
import { queryName, queryToken } from '../views/query.js';
import { keptRow, recorded, recordedAll, recordedRows } from '../views/recorded.js';
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
    const { attentions, hiddenStates, rollouts = attentions, recorded, queries = [], prefix, grid, patchSize } = data ?? {};
    if (![attentions, hiddenStates, rollouts].every((values) => values instanceof Float32Array) || ![recorded, queries, prefix, grid, patchSize].every(Array.isArray)) {
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
    return this.#map(
      this.#see((views) => views.headMap(this.attentions, recorded(this, 'attentions', 'headMap', layer), String(head), queryToken(query), mass, clip === undefined ? clip : checkNumber('clip', clip)), { kept: keptRow(this, 'headMap', query, head) }),
      `Layer ${layer}, ${chosen}: where ${this.#name(query)} looks${kept}`,
    );
  }

  /** @param {import('../../index.js').RolloutOptions} [options] */
  rollout(options) {
    const { query, ...asked } = checkOptions(options, ['fusion', 'discard', 'query']);
    const { fusion, discard } = checkRollout(asked);
    const left = discard ? `, ${Math.round(100 * discard)} % left out` : '';
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
    if (rollouts && rolled?.fusion === fusion && rolled.discard === discard) return this.#see((views) => views.headMap(rollouts, 0, '0', query), { layers: 1, heads: 1 });
    const or = `rollout: {fusion: '${fusion}', discard: ${discard}}, or `;
    recordedRows(this, 'rollout', or);
    return this.#see((views) => views.rollout(recordedAll(this, 'attentions', 'rollout', or), fusion, discard, query));
  }

  /** @param {{layer?: number}} [options] */
  featureMap(options) {
    const { layer = this.#last } = checkOptions(options, ['layer']);
    return this.#map(
      this.#see((views) => views.features(this.hiddenStates, recorded(this, 'hiddenStates', 'featureMap', layer))),
      `Layer ${layer}: principal components of the patches as red, green, blue`,
      { channels: 3 },
    );
  }

  /** @param {{layer?: number, query?: import('../../index.js').Query}} [options] */
  similarity(options) {
    const { layer = this.#last, query } = checkOptions(options, ['layer', 'query']);
    return this.#map(
      this.#see((views) => views.similarity(this.hiddenStates, recorded(this, 'hiddenStates', 'similarity', layer), queryToken(query))),
      `Layer ${layer}: how similar each patch is to ${this.#name(query)}`,
      { signed: true },
    );
  }

  attentionDistance() {
    return this.#table(this.#see((views) => views.distance(recordedRows(this, 'attentionDistance'))), 'Mean distance of attention in pixels');
  }

  attentionEntropy() {
    return this.#table(this.#see((views) => views.entropy(recordedRows(this, 'attentionEntropy'))), 'Mean entropy of attention in nats');
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
    const { layers, recorded, queries, rolled, without, order, heads, tokens, hiddenSize, attentions, hiddenStates, rollouts = new Float32Array(), logits, features } = this;
    const all = {
      logits: { shape: [logits.length], data: logits },
      features: { shape: [features.length], data: features },
      attentions: { shape: [recorded.length, heads, queries?.length ?? tokens, tokens], data: attentions },
      hidden_states: { shape: [recorded.length + 1, tokens, hiddenSize], data: hiddenStates },
      rollout: { shape: [tokens, tokens], data: rollouts },
    };
    const there = Object.entries(all).filter(([, { data }]) => data.length);
    const said = Object.entries({ layers: recorded.length < layers ? recorded : undefined, queries, rollout: rolled, without, order }).filter(([, value]) => value);
    return toSafetensors(Object.fromEntries(there), Object.fromEntries(said.map(([name, value]) => [name, JSON.stringify(value)])));
  }

  get #last() {
    return this.layers - 1;
  }

  /** @param {import('../../index.js').Query | undefined} query */
  #name(query) {
    return queryName(query, this.prefix);
  }

  /**
   * @param {(views: InstanceType<Views>) => Float32Array} view
   * @param {{layers?: number, heads?: number, kept?: [number, number]}} [array] what it reads, if not all that was recorded
   */
  #see(view, { layers = this.recorded.length, heads = this.heads, kept } = {}) {
    return guard(() => {
      const { prefix, grid: [rows, cols], patchSize: [height, width], hiddenSize } = this;
      const views = new this.#views(layers, heads, prefix, rows, cols, height, width, hiddenSize);
      if (kept) views.keep(...kept);
      const values = view(views);
      views.free(); // what failed may still hold it
      return values;
    });
  }

  /**
   * @param {Float32Array} data
   * @param {string} text
   * @param {{channels?: 1 | 3, signed?: boolean}} [kind]
   * @returns {ViewMap}
   */
  #map(data, text, kind) {
    const [rows, cols] = this.grid;
    return viewMap(rows, cols, data, text, { ...kind, crop: this.crop });
  }

  /**
   * @param {Float32Array} data
   * @param {string} text
   */
  #table(data, text) {
    const { recorded, layers, heads } = this;
    const which = recorded.length < layers ? `layers ${recorded.join(', ')}` : 'each layer';
    return viewMap(recorded.length, heads, data, `${text}, of each head (columns) in ${which} (rows)`);
  }
}
