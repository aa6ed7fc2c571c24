/** Maps that claim to say what an answer rests on, and how each is judged. */
import { drawOverlay } from '../../../pkg/dist/index.js';
import { context2d } from '../../explorer/dom.js';
import { overlayOptions } from '../../explorer/maps.js';
import { asker } from '../../explorer/recordings.js';
import { isStaged } from '../../explorer/stages.js';
import { kept, remember } from '../../explorer/views/cache.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../kit/work.js').Piece} Piece
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 * @typedef {import('../../../pkg/index.js').Curves} Curves
 * @typedef {'attention' | 'rollout' | 'chefer' | 'grad-cam' | 'occlusion' | 'random'} Id
 * @typedef {{id: Id, name: string, kind: string, first: number, of?: (context: Context) => ViewMap | undefined}} Claim
 *   kind: of its line; first: the step that asks for it; of: what needs no pass of the model
 */

/** Points of a curve after the first, each a pass. */
const STEPS = 10;
const SEED = 1;

/** @type {Claim[]} */
export const CLAIMS = [
  { id: 'attention', name: 'attention', kind: 'other-1', first: 0, of: ({ trace }) => remember(trace, 'claim attention', () => trace.headMap()) },
  { id: 'rollout', name: 'rollout', kind: 'other-2', first: 0, of: ({ trace }) => (trace.queries ? kept(trace, 'claim rollout') : remember(trace, 'claim rollout', () => trace.rollout())) },
  { id: 'chefer', name: 'relevance', kind: 'other-3', first: 0 },
  { id: 'grad-cam', name: 'Grad-CAM', kind: 'other-4', first: 0 },
  { id: 'occlusion', name: 'occlusion', kind: 'other-5', first: 1 },
  { id: 'random', name: 'random', kind: 'random', first: 0, of: ({ trace }) => remember(trace, 'claim random', () => randomMap(trace.stages[trace.layers - 1].grid)) },
];

/** Those that there are for a model: without classes there is nothing to explain. @param {Context} context */
export const claimsOf = ({ target, trace }) => {
  const whole = isStaged(trace) ? CLAIMS.filter(({ id }) => id !== 'rollout' && id !== 'chefer') : CLAIMS; // what goes through all layers needs one grid
  return target ? whole : whole.filter(({ id }) => id === 'attention' || id === 'rollout');
};

const mapKey = (/** @type {Claim} */ { id }, /** @type {Context} */ { target }) => (id === 'rollout' ? 'claim rollout' : `claim ${id} ${target?.index}`);
const curvesKey = (/** @type {Claim} */ { id }, /** @type {Context} */ { target }) => `judged ${id} ${target?.index}`;

/** @param {Claim} claim @param {Context} context @returns {ViewMap | undefined} undefined: it is not made yet */
export const mapOf = (claim, context) => (claim.of ? claim.of(context) : kept(context.trace, mapKey(claim, context)));

/** @param {Claim} claim @param {Context} context @returns {Curves | undefined} */
export const curvesOf = (claim, context) => kept(context.trace, curvesKey(claim, context));

/** How many points a curve has after the first. @param {Context} context */
export const stepsOf = ({ trace: { stages } }) => Math.min(STEPS, ...stages.map(({ grid: [rows, cols] }) => rows * cols));

/**
 * What makes a map.
 * @param {Claim} claim
 * @param {Context} context
 * @returns {Piece | undefined} undefined: it is there
 */
export function makes(claim, context) {
  if (mapOf(claim, context)) return undefined;
  const { trace, vit, image, target } = context;
  const { id, name } = claim;
  const key = mapKey(claim, context);
  if (id === 'occlusion') return { key, label: 'leaving patches out', run: (signal, onProgress) => vit.attribute(image, { method: id, target: target?.index, signal, onProgress }) };
  if (id === 'chefer' || id === 'grad-cam') return { key, label: `${name}, by a pass backwards`, run: (signal) => vit.attribute(image, { method: id, target: target?.index, signal }) };
  // Of a large model not all rows of attention were written down: one more pass multiplies them as they come.
  const query = asker(trace.prefix, undefined);
  return { key, label: name, run: async (signal) => (await vit.trace(image, { hiddenStates: false, queries: [query], rollout: {}, signal })).rollout() };
}

/**
 * What judges it.
 * @param {Claim} claim
 * @param {Context} context
 * @returns {Piece | undefined} undefined: it is judged, or there is no map yet
 */
export function judges(claim, context) {
  const { vit, image, target } = context;
  const map = mapOf(claim, context);
  if (!map || curvesOf(claim, context)) return undefined;
  return {
    key: curvesKey(claim, context),
    label: `judging ${claim.name}`,
    run: (signal, onProgress) => vit.curves(image, map, { target: target?.index, steps: stepsOf(context), signal, onProgress }),
  };
}

/**
 * Drawn by lot, always the same.
 * @param {[number, number]} grid
 * @returns {ViewMap}
 */
export function randomMap([rows, cols]) {
  let state = SEED;
  // Mulberry32.
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { rows, cols, channels: 1, data: Float32Array.from({ length: rows * cols }, next), signed: false, text: 'A random map' };
}

/** Patches, the strongest first, equal ones by number: as the package drops them. @param {ViewMap} map */
export function orderOf({ data }) {
  return Array.from(data, (_, patch) => patch).sort((a, b) => data[b] - data[a]);
}

/**
 * What the model sees at a point of a curve.
 * @param {ViewMap} map
 * @param {'deletion' | 'insertion'} way
 * @param {number} step
 * @param {Context} context
 */
export function seenAt(map, way, step, context) {
  const order = orderOf(map);
  const steps = stepsOf(context);
  const part = Math.floor((order.length * step + Math.floor(steps / 2)) / steps);
  return new Set(way === 'deletion' ? order.slice(part) : order.slice(0, part));
}

/** @param {HTMLCanvasElement} canvas @param {HTMLCanvasElement} part */
function fit(canvas, { width, height }) {
  Object.assign(canvas, { width, height });
  canvas.style.aspectRatio = `${width} / ${height}`;
  return context2d(canvas);
}

/**
 * A map over that part; without one the part alone, faint.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} part
 * @param {ViewMap | undefined} map
 * @param {Context['look']} look
 */
export function drawClaim(canvas, part, map, look) {
  const context = fit(canvas, part);
  canvas.classList.toggle('pending', !map);
  if (map) return drawOverlay(canvas, part, map, { ...overlayOptions(map, look), crop: { x: 0, y: 0, width: part.width, height: part.height } });
  context.globalAlpha = 0.18;
  context.drawImage(part, 0, 0);
  context.globalAlpha = 1;
}

/**
 * The patches that are seen.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} part
 * @param {[number, number]} grid
 * @param {Set<number>} seen
 */
export function drawSeen(canvas, part, [rows, cols], seen) {
  const context = fit(canvas, part);
  const [width, height] = [part.width / cols, part.height / rows];
  for (const patch of seen) {
    const [left, top] = [Math.round((patch % cols) * width), Math.round(Math.floor(patch / cols) * height)];
    const [right, bottom] = [Math.round(((patch % cols) + 1) * width), Math.round((Math.floor(patch / cols) + 1) * height)];
    context.drawImage(part, left, top, right - left, bottom - top, left, top, right - left, bottom - top);
  }
}
