import { checkChoice, checkNumber, checkOptions, checkWhole } from '../common/checks.js';
import { guard } from '../common/errors.js';
import { toSafetensors } from './files.js';
import { viewMap } from './map.js';
import { queryName, queryToken } from './query.js';

/**
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {import('../../index.js').Recording} Recording
 * @typedef {import('../../wasm/relaxed/vitscope.js').Views} Views
 * @typedef {{logitLens: (trace: Trace) => any, patchLens: (trace: Trace, options?: import('../../index.js').LensOptions) => any}} Lenses
 *   what needs the model's head: maps from an engine in this thread, promises of them from one in a worker
 */

/** How heads become one. */
const FUSIONS = ['mean', 'max', 'min'];

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

  #views;
  #lenses;

  /**
   * @param {Recording} data
   * @param {Views} views
   * @param {Lenses} lenses
   */
  constructor(data, views, lenses) {
    super(data);
    this.#views = views;
    this.#lenses = lenses;
  }

  /** @param {import('../../index.js').HeadOptions} [options] */
  headMap(options) {
    const { layer = this.#last, head = 'mean', query, mass, clip } = checkOptions(options, ['layer', 'head', 'query', 'mass', 'clip']);
    if (typeof head !== 'number') checkChoice('head, unless it is a number,', head, FUSIONS);
    const chosen = typeof head === 'number' ? `head ${checkWhole('head', head)}` : `${head} of heads`;
    const kept = mass === undefined ? '' : `, ${Math.round(100 * checkNumber('mass', mass))} % of the mass`;
    return this.#map(
      this.#see((views) => views.headMap(this.attentions, checkWhole('layer', layer), String(head), queryToken(query), mass, clip === undefined ? clip : checkNumber('clip', clip))),
      `Layer ${layer}, ${chosen}: where ${this.#name(query)} looks${kept}`,
    );
  }

  /** @param {import('../../index.js').RolloutOptions} [options] */
  rollout(options) {
    const { fusion = 'mean', discard = 0, query } = checkOptions(options, ['fusion', 'discard', 'query']);
    checkChoice('fusion', fusion, FUSIONS);
    const left = checkNumber('discard', discard) ? `, ${Math.round(100 * discard)} % left out` : '';
    return this.#map(
      this.#see((views) => views.rollout(this.attentions, fusion, discard, queryToken(query))),
      `Rollout, ${fusion} of heads${left}: what reaches ${this.#name(query)}`,
    );
  }

  /** @param {{layer?: number}} [options] */
  featureMap(options) {
    const { layer = this.#last } = checkOptions(options, ['layer']);
    return this.#map(
      this.#see((views) => views.features(this.hiddenStates, checkWhole('layer', layer))),
      `Layer ${layer}: principal components of the patches as red, green, blue`,
      { channels: 3 },
    );
  }

  /** @param {{layer?: number, query?: import('../../index.js').Query}} [options] */
  similarity(options) {
    const { layer = this.#last, query } = checkOptions(options, ['layer', 'query']);
    return this.#map(
      this.#see((views) => views.similarity(this.hiddenStates, checkWhole('layer', layer), queryToken(query))),
      `Layer ${layer}: how similar each patch is to ${this.#name(query)}`,
      { signed: true },
    );
  }

  attentionDistance() {
    return this.#table(this.#see((views) => views.distance(this.attentions)), 'Mean distance of attention in pixels, of each head (columns) in each layer (rows)');
  }

  attentionEntropy() {
    return this.#table(this.#see((views) => views.entropy(this.attentions)), 'Mean entropy of attention in nats, of each head (columns) in each layer (rows)');
  }

  logitLens() {
    return this.#lenses.logitLens(this);
  }

  /** @param {import('../../index.js').LensOptions} [options] */
  patchLens(options) {
    return this.#lenses.patchLens(this, options);
  }

  toSafetensors() {
    const { layers, heads, tokens, hiddenSize, attentions, hiddenStates, logits, features } = this;
    return toSafetensors({
      ...(logits.length ? { logits: { shape: [logits.length], data: logits } } : {}),
      features: { shape: [features.length], data: features },
      attentions: { shape: [layers, heads, tokens, tokens], data: attentions },
      hidden_states: { shape: [layers + 1, tokens, hiddenSize], data: hiddenStates },
    });
  }

  get #last() {
    return this.layers - 1;
  }

  /** @param {import('../../index.js').Query | undefined} query */
  #name(query) {
    return queryName(query, this.prefix);
  }

  /** @param {(views: Views) => Float32Array} view */
  #see(view) {
    return guard(() => view(this.#views));
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
