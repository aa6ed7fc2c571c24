/** The way of one token through an MLP: narrow, wide, narrow; as high as the vectors are long lists, the hidden units with their values as colours. */
import { colourise } from '../../../pkg/dist/index.js';
import { svg } from '../../explorer/chart.js';
import { context2d, make } from '../../explorer/dom.js';
import { count } from '../facts.js';

/** @typedef {import('../../../pkg/index.js').MlpInside} MlpInside */

const [TOP, BOTTOM] = [44, 26];

/** @param {{onPoint: (unit: number | null) => void, onPick: (unit: number) => void}} handlers */
export function createWide({ onPoint, onPick }) {
  const element = make('div', { class: 'wide-way grow', tabindex: '0', role: 'img' });
  /** @type {{units: MlpInside, width: number, chosen: number, f: string, label: string} | undefined} */
  let shown;

  /** Where the strips are, in CSS pixels. */
  let [top, high] = [TOP, 1];

  function draw() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!shown || width < 100 || height < 2 * (TOP + BOTTOM)) return;
    const { units, width: size, chosen, f, label } = shown;
    const { before, gate, hidden } = units;
    const bar = Math.max(10, Math.min(26, 0.045 * width));
    // The longer list has all the height.
    const unit = (height - TOP - BOTTOM) / Math.max(size, hidden.length);
    const [tall, short] = [unit * hidden.length, Math.max(2, unit * size)];
    const middle = TOP + Math.max(tall, short) / 2;
    top = middle - tall / 2;
    high = tall;
    const [into, out] = [Math.max(0.07 * width, 24), Math.min(0.93 * width, width - 24)];
    const strips = (gate ? [{ values: gate, at: 0.34, name: 'gate' }, { values: before, at: 0.43, name: 'values' }, { values: hidden, at: 0.66, name: 'product' }] : [{ values: before, at: 0.37, name: 'before' }, { values: hidden, at: 0.63, name: 'after' }])
      .map((strip) => ({ ...strip, x: strip.at * width - bar / 2 }));
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' });
    const [first, last] = [strips[0].x, strips[strips.length - 1].x + bar];
    const from = strips[strips.length - 2].x + bar;
    picture.append(
      svg('path', { class: 'linear', d: `M${into + bar / 2} ${middle - short / 2}L${first} ${top}V${top + tall}L${into + bar / 2} ${middle + short / 2}Z` }),
      svg('path', { class: 'linear', d: `M${out - bar / 2} ${middle - short / 2}L${last} ${top}V${top + tall}L${out - bar / 2} ${middle + short / 2}Z` }),
      svg('path', { class: 'arrow', d: `M${from + 8} ${middle}H${strips[strips.length - 1].x - 9}m-6 -4l6 4l-6 4` }),
      ...[into, out].map((x) => svg('rect', { class: 'stream', x: x - bar / 2, y: middle - short / 2, width: bar, height: short })),
      svg('text', { class: 'name', x: (from + strips[strips.length - 1].x) / 2, y: middle - 12, 'text-anchor': 'middle' }, f),
      ...(/** @type {[number, string][]} */ ([[(into + first) / 2, gate ? 'W₁, W₃' : 'W₁'], [(out + last) / 2, 'W₂']]).map(([x, text]) => svg('text', { class: 'name', x, y: middle + 4, 'text-anchor': 'middle' }, text))),
      ...(/** @type {[number, string][]} */ ([[into, 'token'], [out, 'adds']]).flatMap(([x, text]) => [
        svg('text', { x, y: middle - short / 2 - 8, 'text-anchor': 'middle' }, text),
        svg('text', { class: 'name', x, y: middle + short / 2 + 17, 'text-anchor': 'middle' }, count(size)),
      ])),
      ...strips.flatMap(({ x, name }, i) => [
        svg('text', { x: x + bar / 2, y: gate && i === 0 ? top - 24 : top - 8, 'text-anchor': 'middle' }, name),
        ...(gate && i === 0 ? [] : [svg('text', { class: 'name', x: x + bar / 2, y: top + tall + 17, 'text-anchor': 'middle' }, count(hidden.length))]),
        svg('path', { class: 'at', d: `M${x - 9} ${top + ((chosen + 0.5) / hidden.length) * tall}h7m${bar + 4} 0h7` }),
      ]),
    );
    const rows = Math.round(tall * (window.devicePixelRatio || 1));
    const canvases = strips.map(({ values, x }) => {
      const canvas = make('canvas', { width: '1', height: String(rows), 'aria-hidden': 'true' });
      Object.assign(canvas.style, { left: `${x}px`, top: `${top}px`, width: `${bar}px`, height: `${tall}px` });
      paint(canvas, values, rows);
      return canvas;
    });
    element.replaceChildren(picture, ...canvases);
    element.setAttribute('aria-label', label);
  }
  new ResizeObserver(draw).observe(element);

  /** The strongest of the units that share the pixel. @param {MouseEvent} event */
  function unitAt({ clientY }) {
    const hidden = shown?.units.hidden ?? new Float32Array(1);
    const at = clientY - element.getBoundingClientRect().top - top;
    const [start, end] = rangeOf(Math.min(high - 1, Math.max(0, Math.floor(at))), high, hidden.length);
    return start + strongest(hidden, start, end);
  }
  element.addEventListener('pointermove', (event) => shown && onPoint(unitAt(event)));
  element.addEventListener('pointerleave', () => onPoint(null));
  element.addEventListener('click', (event) => shown && onPick(unitAt(event)));
  element.addEventListener('keydown', (event) => {
    const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    if (!by || !shown) return;
    event.preventDefault();
    onPick(Math.min(shown.units.hidden.length - 1, Math.max(0, shown.chosen + by)));
  });

  return {
    element,

    /** @param {MlpInside} units @param {number} width of a token @param {number} chosen @param {string} f what the activation is called @param {string} label */
    show(units, width, chosen, f, label) {
      shown = { units, width, chosen, f, label };
      draw();
    },
  };
}

/** Which values a row of pixels has. @param {number} row @param {number} rows @param {number} values @returns {[number, number]} */
function rangeOf(row, rows, values) {
  const start = Math.floor((row / rows) * values);
  return [start, Math.max(start + 1, Math.floor(((row + 1) / rows) * values))];
}

/** @param {Float32Array} values @param {number} start @param {number} end */
function strongest(values, start, end) {
  const sizes = Array.from(values.subarray(start, end), Math.abs);
  return sizes.indexOf(Math.max(...sizes));
}

/** @param {HTMLCanvasElement} canvas @param {Float32Array} values @param {number} rows */
function paint(canvas, values, rows) {
  const data = Float32Array.from({ length: rows }, (_, row) => {
    const [start, end] = rangeOf(row, rows, values.length);
    return values[start + strongest(values, start, end)];
  });
  const map = { rows, cols: 1, channels: /** @type {1} */ (1), data, signed: true, text: 'hidden units' };
  context2d(canvas).putImageData(new ImageData(colourise(map), 1, rows), 0, 0);
}
