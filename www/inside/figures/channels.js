/** A token's numbers before a LayerNorm and after, channel by channel and on one scale. */
import { svg } from '../../explorer/chart.js';
import { make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';

const LEFT = 44;
const GAP = 42;
const TOP = 20;
/** Deviations that are drawn; what goes beyond ends at the edge, with its number. */
const SPREADS = 4;
/** What most ViTs add to the variance, so that nothing is divided by zero. */
const EPSILON = 1e-6;

/**
 * Mean and standard deviation of a token's numbers.
 * @param {ArrayLike<number>} values
 */
export function momentsOf(values) {
  const all = Array.from(values);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  return { mean, deviation: Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length) };
}

/**
 * LayerNorm without what is learned.
 * @param {ArrayLike<number>} values
 */
export function normalised(values) {
  const { mean, deviation } = momentsOf(values);
  return Array.from(values, (value) => (value - mean) / Math.sqrt(deviation ** 2 + EPSILON));
}

/**
 * The channels whose bars are cut off, the two largest of them.
 * @param {ArrayLike<number>} values @param {number} most
 */
function beyond(values, most) {
  return Array.from(values, (value, channel) => /** @type {[number, number]} */ ([channel, value])).filter(([, value]) => Math.abs(value) > most).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a)).slice(0, 2);
}

/** @param {(channel: number | null) => void} onPoint */
export function createChannels(onPoint) {
  const element = make('div', { class: 'channels grow', tabindex: '0', role: 'img' });
  /** @type {{before: ArrayLike<number>, after: number[], label: string} | undefined} */
  let shown;
  let at = -1;

  function draw() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!shown || !width || height < 2 * GAP) return;
    const { before, after, label } = shown;
    const { mean, deviation } = momentsOf(before);
    const most = SPREADS * Math.max(1, Math.abs(mean) + deviation);
    const high = (height - TOP - GAP - 20) / 2;
    const step = (width - LEFT) / before.length;
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' });
    const rows = /** @type {[ArrayLike<number>, string, string, number, number][]} */ ([[before, 'before', `before: mean ${number(mean)}, deviation ${number(deviation)}`, mean, deviation], [after, 'after', 'after (z − μ) / σ: mean 0, deviation 1', 0, 1]]);
    rows.forEach(([values, kind, title, middle, spread], row) => {
      const zero = TOP + row * (high + GAP) + high / 2;
      const up = (/** @type {number} */ value) => zero - (Math.max(-most, Math.min(most, value)) / most) * (high / 2);
      const bars = Array.from(values, (value, i) => `V${up(value).toFixed(2)}H${(LEFT + (i + 1) * step).toFixed(2)}`).join('');
      picture.append(
        svg('rect', { class: 'spread', x: LEFT, width: width - LEFT, y: up(middle + spread), height: Math.max(1, up(middle - spread) - up(middle + spread)) }),
        svg('path', { class: `values ${kind}`, d: `M${LEFT} ${zero}${bars}V${zero}Z` }),
        svg('line', { class: 'zero', x1: LEFT, x2: width, y1: zero, y2: zero }),
        svg('text', { x: LEFT, y: zero - high / 2 - 7 }, title),
        ...[-most, 0, most].map((value) => svg('text', { x: LEFT - 6, y: up(value) + 4, 'text-anchor': 'end' }, number(value))),
      );
      beyond(values, most).forEach(([channel, value], i) => {
        const before = channel > 0.8 * values.length;
        picture.append(svg('text', { class: 'beyond', x: LEFT + (channel + 0.5) * step + (before ? -4 : 4), y: value > 0 ? up(most) + 10 + 13 * i : up(-most) - 2 - 13 * i, 'text-anchor': before ? 'end' : 'start' }, number(value)));
      });
      if (at >= 0) picture.append(svg('line', { class: 'at', x1: LEFT + (at + 0.5) * step, x2: LEFT + (at + 0.5) * step, y1: zero - high / 2, y2: zero + high / 2 }));
    });
    picture.append(svg('text', { x: width, y: height - 2, 'text-anchor': 'end' }, `channel 0 to ${before.length - 1}`));
    element.replaceChildren(picture);
    element.setAttribute('aria-label', label);
  }
  new ResizeObserver(draw).observe(element);

  /** @param {number} channel */
  function point(channel) {
    const size = shown?.before.length ?? 0;
    at = channel < 0 || !size ? -1 : Math.min(size - 1, channel);
    draw();
    onPoint(at < 0 ? null : at);
  }
  element.addEventListener('pointermove', ({ clientX }) => {
    const { left } = element.getBoundingClientRect();
    const share = (clientX - left - LEFT) / (element.clientWidth - LEFT);
    point(share < 0 ? -1 : Math.floor(share * (shown?.before.length ?? 0)));
  });
  element.addEventListener('pointerleave', () => point(-1));
  element.addEventListener('blur', () => point(-1));
  element.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    point(Math.max(0, at + by));
  });

  return {
    element,

    /** @param {ArrayLike<number>} before @param {string} label */
    show(before, label) {
      shown = { before, after: normalised(before), label };
      draw();
    },
  };
}
