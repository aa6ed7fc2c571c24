/**
 * Views that the model must run again for. They are generators, which yield after each pass how many of them are done, so
 * that a worker can hear of an abort in between.
 */
import { checkMap, checkNumber, checkWhole, describe } from './checks.js';
import { queryName, queryToken, targetIndex, targetOf } from './choices.js';
import { VitscopeError } from './errors.js';
import { viewMap } from './map.js';

/**
 * @typedef {import('../index.js').ModelConfig} ModelConfig
 * @typedef {import('../index.js').AttributeOptions} AttributeOptions
 * @typedef {import('../index.js').Passes} Passes
 * @typedef {import('../wasm/relaxed/vitscope.js').Engine} WasmEngine
 * @typedef {import('../wasm/relaxed/vitscope.js').Dropping} Dropping
 * @typedef {<T>(work: (wasm: WasmEngine) => T) => T} Call  runs something with the engine, and turns what it throws into our errors
 * @typedef {{pixels: Float32Array, crop?: import('../index.js').Rectangle}} Input
 * @typedef {ReturnType<typeof checkAttribution>} AttributionRequest
 * @typedef {ReturnType<typeof checkCurves>} CurvesRequest
 */

export const METHODS = /** @type {const} */ (['chefer', 'gradient-rollout', 'grad-cam', 'occlusion']);
const STEPS = 20;

/**
 * Options as the engine takes them; those that are wrong are refused before any image is read.
 * @param {AttributeOptions} options
 * @param {ModelConfig} config
 */
export function checkAttribution({ method = 'chefer', target, layer, query, discard = 0, window, stride }, { labels, prefix }) {
  if (!METHODS.includes(method)) throw new VitscopeError('invalid-argument', `method must be one of ${METHODS.join(', ')}; not ${describe(method)}.`);
  const whole = (/** @type {string} */ name, /** @type {unknown} */ value) => (value === undefined ? undefined : checkWhole(name, value));
  const token = queryToken(query);
  return {
    method,
    target: targetIndex(target, labels),
    layer: whole('layer', layer),
    query: token,
    queryName: queryName(query, prefix),
    discard: checkNumber('discard', discard),
    window: whole('window', window),
    stride: whole('stride', stride),
  };
}

/**
 * @param {import('../index.js').ViewMap} map
 * @param {import('../index.js').CurvesOptions} options
 * @param {ModelConfig} config
 */
export function checkCurves(map, { target, steps = STEPS }, { labels }) {
  checkMap(map);
  return { map: map.data, target: targetIndex(target, labels), steps: checkWhole('steps', steps) };
}

/**
 * @param {Call} call
 * @param {ModelConfig} config
 * @param {Input} input
 * @param {AttributionRequest} request
 * @returns {Generator<Passes, import('../index.js').Attribution>}
 */
export function* attribute(call, { grid: [rows, cols], labels, layers }, { pixels, crop }, request) {
  const { method, layer } = request;
  const { target, data } = method === 'occlusion' ? yield* occlude(call, pixels, request) : byGradient(call, pixels, method, request);
  const signed = method === 'occlusion';
  const text = describeAttribution(request, labels[target], layer ?? layers - 1);
  return { ...viewMap(rows, cols, data, text, { signed, crop }), target: targetOf(target, labels) };
}

/**
 * @param {Call} call
 * @param {Float32Array} pixels
 * @param {'chefer' | 'gradient-rollout' | 'grad-cam'} method
 * @param {AttributionRequest} request
 */
function byGradient(call, pixels, method, { target, layer, query, discard }) {
  return call((wasm) => wasm.attribute(pixels, method, target, layer, query, discard));
}

/**
 * @param {Call} call
 * @param {Float32Array} pixels
 * @param {AttributionRequest} request
 */
function* occlude(call, pixels, { target, window, stride }) {
  const dropping = call((wasm) => wasm.occlusion(pixels, target, window, stride));
  try {
    yield* run(call, [dropping]);
    return call(() => ({ target: dropping.target, data: dropping.result() }));
  } finally {
    call(() => dropping.free());
  }
}

/**
 * @param {AttributionRequest} request
 * @param {string} label
 * @param {number} layer
 */
function describeAttribution({ method, discard, query, queryName }, label, layer) {
  const left = discard ? `, ${Math.round(100 * discard)} % left out` : '';
  const of = query === undefined ? '' : `, to ${queryName}`;
  return {
    chefer: `Relevance for ${label} (Chefer et al.)${of}`,
    'gradient-rollout': `Gradient rollout for ${label}${left}${of}`,
    'grad-cam': `Grad-CAM for ${label}, layer ${layer}`,
    occlusion: `Occlusion: how much less likely ${label} is without each patch`,
  }[method];
}

/**
 * @param {Call} call
 * @param {ModelConfig} config
 * @param {Input} input
 * @param {CurvesRequest} request
 * @returns {Generator<Passes, import('../index.js').Curves>}
 */
export function* curves(call, { labels }, { pixels }, { map, target, steps }) {
  /** @type {Dropping[]} */
  const droppings = [];
  try {
    for (const kind of ['deletion', 'insertion']) droppings.push(call((wasm) => wasm.curve(pixels, map, kind, target, steps)));
    yield* run(call, droppings);
    const [deletion, insertion] = droppings.map((dropping) => curve(call(() => dropping.result())));
    return { deletion, insertion, target: targetOf(droppings[0].target, labels) };
  } finally {
    for (const dropping of droppings) call(() => dropping.free());
  }
}

/** @param {Float32Array} probabilities */
function curve(probabilities) {
  const last = probabilities.length - 1;
  const fractions = Float32Array.from(probabilities, (_, i) => i / last);
  const area = probabilities.reduce((sum, p, i) => sum + (i === 0 || i === last ? p / 2 : p) / last, 0);
  return { fractions, probabilities: /** @type {Float32Array<ArrayBuffer>} */ (probabilities), area };
}

/**
 * One pass after the other, those of several droppings counted together.
 * @param {Call} call
 * @param {Dropping[]} droppings
 * @returns {Generator<Passes, void>}
 */
function* run(call, droppings) {
  const total = droppings.reduce((sum, { passes }) => sum + passes, 0);
  for (const dropping of droppings) {
    while (call((wasm) => dropping.step(wasm))) yield { done: droppings.reduce((sum, { done }) => sum + done, 0), total };
  }
  yield { done: total, total };
}

/**
 * @template T
 * @param {Generator<Passes, T>} work
 * @param {(passes: Passes) => void} [onProgress]
 * @returns {T}
 */
export function finish(work, onProgress) {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    onProgress?.(value);
  }
}
