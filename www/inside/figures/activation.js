/** The activation of an MLP, known by what it makes of numbers, and a token's hidden units on its curve. */
import { svg } from '../../explorer/chart.js';
import { make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';

/** @typedef {import('../../../pkg/index.js').MlpInside} MlpInside */

/** The error function, to 1.5 · 10⁻⁷ (Abramowitz and Stegun, 7.1.26). @param {number} x */
export function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x);
  return Math.sign(x) * (1 - rest);
}

/** GELU, x Φ(x). @param {number} x */
export const gelu = (x) => (x / 2) * (1 + erf(x / Math.SQRT2));
/** @param {number} x */
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** What ViTs have there. @type {[name: string, f: (x: number) => number][]} */
const ACTIVATIONS = [
  ['GELU', gelu],
  ["GELU by its tanh formula", (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
  ['QuickGELU, x times the sigmoid of 1.702 x,', (x) => x * sigmoid(1.702 * x)],
  ['SiLU, x times its sigmoid,', (x) => x * sigmoid(x)],
  ['ReLU', (x) => Math.max(0, x)],
];
/** Two of them differ by more than this somewhere near 0, the engine and this file by less. */
const CLOSE = 1e-4;

/**
 * The function between a token's numbers before and after: the one that is nearest, if it is near.
 * @param {Pick<MlpInside, 'before' | 'gate' | 'hidden'>} units
 * @returns {{name: string, f: (x: number) => number} | undefined} undefined: none that is known here
 */
export function activationOf({ before, gate, hidden }) {
  const off = ACTIVATIONS.map(([name, f]) => ({ name, f, most: hidden.reduce((most, value, i) => Math.max(most, Math.abs(value - (gate ? f(gate[i]) * before[i] : f(before[i])))), 0) }));
  const scale = hidden.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const nearest = off.reduce((a, b) => (b.most < a.most ? b : a));
  return nearest.most <= CLOSE * scale ? nearest : undefined;
}

const [LEFT, RIGHT, TOP, BOTTOM, COUNTS] = [44, 12, 20, 34, 46];
const BINS = 48;

/** @param {{onPoint: (unit: number | null) => void, onPick: (unit: number) => void}} handlers */
export function createActivationPlot({ onPoint, onPick }) {
  const element = make('div', { class: 'activation grow', tabindex: '0', role: 'img' });
  /** @type {{units: MlpInside, chosen: number, label: string} | undefined} */
  let shown;
  /** Where each unit's dot is. @type {{x: number, y: number}[]} */
  let dots = [];

  function draw() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!shown || width < 2 * LEFT || height < COUNTS + TOP + BOTTOM) return;
    const { units, chosen, label } = shown;
    const { before, gate, hidden } = units;
    const xs = gate ?? before;
    const f = activationOf(units)?.f;
    const [least, most] = [Math.min(...xs, -1), Math.max(...xs, 1)];
    const curve = f ? Array.from({ length: 161 }, (_, i) => least + (i / 160) * (most - least)).map((x) => [x, f(x)]) : [];
    const ys = [...hidden, ...curve.map(([, y]) => y)];
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    const floor = height - BOTTOM - COUNTS;
    const across = (/** @type {number} */ x) => LEFT + ((x - least) / (most - least)) * (width - LEFT - RIGHT);
    const up = (/** @type {number} */ y) => TOP + (1 - (y - low) / (high - low || 1)) * (floor - TOP);
    dots = Array.from(xs, (x, i) => ({ x: across(x), y: up(hidden[i]) }));
    const counts = new Array(BINS).fill(0);
    for (const x of xs) counts[Math.min(BINS - 1, Math.floor(((x - least) / (most - least)) * BINS))]++;
    const wide = (width - LEFT - RIGHT) / BINS;
    const tallest = Math.max(...counts);
    const bars = counts.map((count, i) => `M${(LEFT + i * wide).toFixed(1)} ${height - BOTTOM}v${(-(count / tallest) * (COUNTS - 8)).toFixed(1)}h${(wide - 1).toFixed(1)}V${height - BOTTOM}z`);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' });
    picture.append(
      svg('path', { class: 'counts', d: bars.join('') }),
      svg('path', { class: 'axes', d: `M${LEFT} ${up(0)}H${width - RIGHT}M${across(0)} ${TOP}V${height - BOTTOM}` }),
      svg('path', { class: 'curve', d: curve.map(([x, y], i) => `${i ? 'L' : 'M'}${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join('') }),
      svg('path', { class: 'dots', d: dots.map(({ x, y }) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join('') }),
      svg('text', { x: LEFT - 8, y: up(high) + 4, 'text-anchor': 'end' }, number(high)),
      svg('text', { x: LEFT - 8, y: up(0) + 4, 'text-anchor': 'end' }, '0'),
      svg('text', { x: LEFT, y: height - BOTTOM + 16 }, number(least)),
      svg('text', { x: across(0), y: height - BOTTOM + 16, 'text-anchor': 'middle' }, '0'),
      svg('text', { x: width - RIGHT, y: height - BOTTOM + 16, 'text-anchor': 'end' }, number(most)),
      svg('text', { x: width - RIGHT, y: height - 3, 'text-anchor': 'end' }, gate ? 'the gate g' : 'x, before'),
      svg('text', { x: LEFT - 8, y: 11 }, gate ? 'f(g) · h' : 'after'),
    );
    const { x, y } = dots[chosen];
    const flipped = x > width / 2;
    picture.append(
      svg('circle', { class: 'chosen', cx: x, cy: y, r: 5 }),
      svg('text', { class: 'name', x: x + (flipped ? -10 : 10), y: y + 4, 'text-anchor': flipped ? 'end' : 'start' }, `unit ${chosen}`),
    );
    element.replaceChildren(picture);
    element.setAttribute('aria-label', label);
  }
  new ResizeObserver(draw).observe(element);

  /** @param {MouseEvent} event */
  function nearest({ clientX, clientY }) {
    const { left, top } = element.getBoundingClientRect();
    const away = dots.map(({ x, y }) => (x - clientX + left) ** 2 + (y - clientY + top) ** 2);
    return away.indexOf(Math.min(...away));
  }
  element.addEventListener('pointermove', (event) => dots.length && onPoint(nearest(event)));
  element.addEventListener('pointerleave', () => onPoint(null));
  element.addEventListener('click', (event) => dots.length && onPick(nearest(event)));
  element.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !shown) return;
    event.preventDefault();
    const order = dots.map(({ x }, unit) => ({ x, unit })).sort((a, b) => a.x - b.x).map(({ unit }) => unit);
    onPick(order[Math.min(order.length - 1, Math.max(0, order.indexOf(shown.chosen) + by))]);
  });

  return {
    element,

    /** @param {MlpInside} units @param {number} chosen @param {string} label */
    show(units, chosen, label) {
      shown = { units, chosen, label };
      draw();
    },
  };
}
