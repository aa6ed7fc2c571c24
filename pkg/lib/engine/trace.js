import { orAborted } from '../common/abort.js';
import { checkChoice, checkNumber, checkOptions, checkWhole, describe } from '../common/checks.js';
import { guard, invalid } from '../common/errors.js';
import { toSafetensors } from '../views/files.js';
import { viewMap } from '../views/map.js';
import { queryName, queryToken } from '../views/query.js';
import { recorded, recordedAll } from '../views/recorded.js';
import { viewsAlone } from './views.js';

/**
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {import('../../index.js').Recording} Recording
 * @typedef {import('../assets.js').Glue['Views']} Views
 * @typedef {{logitLens: (trace: Trace, options?: any) => any, patchLens: (trace: Trace, options?: any) => any}} Lenses
 *   what needs the model's head: maps from an engine in this thread, promises of them from one in a worker
 */

/** How heads become one. */
const FUSIONS = ['mean', 'max', 'min'];

const needsModel = async () => {
  throw invalid('A trace made of data has no model, whose head the lenses need. Ask them of the trace that the model gave.');
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
  #lenses;

  /**
   * @param {Recording} data
   * @param {Views} views
   * @param {Lenses} lenses
   */
  constructor(data, views, lenses) {
    super(data);
    this.#views = Trace.#known = views;
    this.#lenses = lenses;
  }

  /**
   * @param {any} data of a trace, which came here as a copy
   * @param {{assets?: import('../../index.js').AssetOptions, signal?: AbortSignal}} [options]
   */
  static async from(data, options) {
    const { assets, signal } = checkOptions(options, ['assets', 'signal']);
    const { attentions, hiddenStates, recorded, prefix, grid, patchSize } = data ?? {};
    if (!(attentions instanceof Float32Array && hiddenStates instanceof Float32Array && [recorded, prefix, grid, patchSize].every(Array.isArray))) {
      throw invalid(`Trace.from takes a trace, or what structuredClone makes of one; not ${describe(data)}.`);
    }
    const views = async () => Trace.#known ?? viewsAlone(assets);
    return new Trace(data, await orAborted(views(), signal), { logitLens: needsModel, patchLens: needsModel });
  }

  /** @param {import('../../index.js').HeadOptions} [options] */
  headMap(options) {
    const { layer = this.#last, head = 'mean', query, mass, clip } = checkOptions(options, ['layer', 'head', 'query', 'mass', 'clip']);
    if (typeof head !== 'number') checkChoice('head, unless it is a number,', head, FUSIONS);
    const chosen = typeof head === 'number' ? `head ${checkWhole('head', head)}` : `${head} of heads`;
    const kept = mass === undefined ? '' : `, ${Math.round(100 * checkNumber('mass', mass))} % of the mass`;
    return this.#map(
      this.#see((views) => views.headMap(this.attentions, recorded(this, 'attentions', 'headMap', layer), String(head), queryToken(query), mass, clip === undefined ? clip : checkNumber('clip', clip))),
      `Layer ${layer}, ${chosen}: where ${this.#name(query)} looks${kept}`,
    );
  }

  /** @param {import('../../index.js').RolloutOptions} [options] */
  rollout(options) {
    const { fusion = 'mean', discard = 0, query } = checkOptions(options, ['fusion', 'discard', 'query']);
    checkChoice('fusion', fusion, FUSIONS);
    const left = checkNumber('discard', discard) ? `, ${Math.round(100 * discard)} % left out` : '';
    return this.#map(
      this.#see((views) => views.rollout(recordedAll(this, 'attentions', 'rollout'), fusion, discard, queryToken(query))),
      `Rollout, ${fusion} of heads${left}: what reaches ${this.#name(query)}`,
    );
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
    return this.#table(this.#see((views) => views.distance(recordedAll(this, 'attentions', 'attentionDistance'))), 'Mean distance of attention in pixels, of each head (columns) in each layer (rows)');
  }

  attentionEntropy() {
    return this.#table(this.#see((views) => views.entropy(recordedAll(this, 'attentions', 'attentionEntropy'))), 'Mean entropy of attention in nats, of each head (columns) in each layer (rows)');
  }

  /** @param {{signal?: AbortSignal}} [options] */
  logitLens(options) {
    return this.#lenses.logitLens(this, options);
  }

  /** @param {import('../../index.js').LensOptions} [options] */
  patchLens(options) {
    return this.#lenses.patchLens(this, options);
  }

  toSafetensors() {
    const { layers, recorded, heads, tokens, hiddenSize, attentions, hiddenStates, logits, features } = this;
    const all = {
      logits: { shape: [logits.length], data: logits },
      features: { shape: [features.length], data: features },
      attentions: { shape: [recorded.length, heads, tokens, tokens], data: attentions },
      hidden_states: { shape: [recorded.length + 1, tokens, hiddenSize], data: hiddenStates },
    };
    const there = Object.entries(all).filter(([, { data }]) => data.length);
    return toSafetensors(Object.fromEntries(there), recorded.length < layers ? { layers: JSON.stringify(recorded) } : undefined);
  }

  get #last() {
    return this.layers - 1;
  }

  /** @param {import('../../index.js').Query | undefined} query */
  #name(query) {
    return queryName(query, this.prefix);
  }

  /** @param {(views: InstanceType<Views>) => Float32Array} view */
  #see(view) {
    return guard(() => {
      const { recorded, heads, prefix, grid: [rows, cols], patchSize: [height, width], hiddenSize } = this;
      const views = new this.#views(recorded.length, heads, prefix, rows, cols, height, width, hiddenSize);
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
    return viewMap(this.layers, this.heads, data, text);
  }
}
