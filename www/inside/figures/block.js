/** One block as a drawing: the stream as a straight line, to which two branches add; as wide as the vectors are long. */
import { svg } from '../../explorer/chart.js';
import { make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';

/**
 * @typedef {{stream: number, norm1: number, attention: number, between: number, norm2: number, mlp: number, after: number}} Lengths  of one token's vectors
 * @typedef {{element: HTMLElement, show: (lengths: Lengths, layer: number, token: string) => void}} BlockDrawing
 */

/** Of the width, where the stream and the branches run; px, where that is too little for a number between two boxes. */
const [STREAM, BRANCH, NARROW_BRANCH] = [0.3, 0.72, 0.58];
const NARROW = 460;
/** Of the height: a branch leaves, its boxes, it returns. The second one is as the first. */
const PLACES = [
  { from: 0.1, norm: 0.2, sum: 0.315, box: 0.32, back: 0.44 },
  { from: 0.56, norm: 0.66, sum: 0.775, box: 0.78, back: 0.9 },
];
const THINNEST = 1.5; // px

/** As a subscript. @param {number} value */
const below = (value) => String(value).replace(/\d/g, (digit) => '₀₁₂₃₄₅₆₇₈₉'[Number(digit)]);

/**
 * Between two vectors, in degrees, by their lengths and that of their sum.
 * @param {number} a @param {number} b @param {number} sum
 */
export function angle(a, b, sum) {
  const cosine = (sum ** 2 - a ** 2 - b ** 2) / (2 * a * b || 1);
  return Math.round((180 / Math.PI) * Math.acos(Math.min(1, Math.max(-1, cosine))));
}

/** What a band is. @param {keyof Lengths} name @param {Lengths} lengths */
function wordsOf(name, lengths) {
  const { stream, attention, between, mlp, after } = lengths;
  const length = number(lengths[name]);
  if (name === 'attention') return `Attention adds ${length}, at ${angle(stream, attention, between)}° to the stream`;
  if (name === 'mlp') return `The MLP adds ${length}, at ${angle(between, mlp, after)}° to the stream`;
  return `The stream ${{ stream: 'before', between: 'between both', after: 'after' }[String(name)]}: ${length}`;
}

/**
 * @param {(text: string | null) => void} onPoint what is under the pointer, null: nothing
 * @returns {BlockDrawing}
 */
export function createBlock(onPoint) {
  const element = make('div', { class: 'block grow' });
  /** @type {{lengths: Lengths, layer: number, token: string} | undefined} */
  let shown;
  /** Bands whose width moves from one layer's to the next's. @type {Record<string, SVGElement>} */
  let bands = {};
  /** @type {Record<string, SVGElement>} */
  let texts = {};
  let size = '';
  let narrowed = false;

  /** @param {number} width @param {number} height */
  function build(width, height) {
    const narrow = width < NARROW && height < NARROW;
    narrowed = narrow;
    const [x0, x1] = [STREAM * width, (narrow ? NARROW_BRANCH : BRANCH) * width];
    const wide = Math.min((narrow ? 0.28 : 0.46) * width, 170);
    const y = (/** @type {number} */ place) => place * height;
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' });
    /** @param {keyof Lengths} name @param {string} kind @param {string} d */
    const band = (name, kind, d) => {
      const path = (bands[name] = svg('path', { class: `band ${kind}`, d }));
      path.addEventListener('pointerenter', () => shown && onPoint(wordsOf(name, shown.lengths)));
      path.addEventListener('pointerleave', () => onPoint(null));
      picture.append(path);
    };
    const text = (/** @type {string} */ name, /** @type {Record<string, string | number>} */ at) => picture.append((texts[name] = svg('text', at)));
    [bands, texts] = [{}, {}];
    const [one, two] = PLACES;
    band('attention', 'v', `M${x1} ${y(one.box)}V${y(one.back)}H${x0}`);
    band('mlp', 'm', `M${x1} ${y(two.box)}V${y(two.back)}H${x0}`);
    band('stream', 'z', `M${x0} 0V${y(one.back)}`);
    band('between', 'z', `M${x0} ${y(one.back)}V${y(two.back)}`);
    band('after', 'z', `M${x0} ${y(two.back)}V${height}`);
    PLACES.forEach(({ from, norm, box, back }, i) => {
      const high = Math.min(34, 0.088 * height);
      picture.append(svg('path', { class: 'copy', d: `M${x0} ${y(from)}H${x1}V${y(box)}` }));
      for (const [place, name] of /** @type {[number, string][]} */ ([[norm, 'LayerNorm'], [box, i ? 'MLP' : 'Attention']])) {
        picture.append(
          svg('rect', { class: 'box', x: x1 - wide / 2, y: y(place) - high / 2, width: wide, height: high, rx: 3 }),
          svg('text', { class: 'name', x: x1, y: y(place) + 4, 'text-anchor': 'middle' }, name),
        );
      }
      picture.append(
        svg('circle', { class: 'plus', cx: x0, cy: y(back), r: 9 }),
        svg('path', { class: 'sign', d: `M${x0 - 5} ${y(back)}h10M${x0} ${y(back) - 5}v10` }),
      );
    });
    const left = { x: x0 - 44, 'text-anchor': 'end' };
    text('stream', { ...left, y: y(0.06) });
    text('between', { ...left, y: y((one.back + two.from) / 2) + 4 });
    text('after', { ...left, y: y(0.975) });
    const beside = x1 + (narrow ? wide / 2 : 0) + 8;
    text('norm1', { x: beside, y: y((one.norm + one.box) / 2) + 4 });
    text('norm2', { x: beside, y: y((two.norm + two.box) / 2) + 4 });
    const added = narrow ? (x0 + x1 - wide / 2) / 2 + 5 : (x0 + x1) / 2;
    text('attention', { class: 'added', x: added, y: y(one.back) - 8, 'text-anchor': 'middle' });
    text('mlp', { class: 'added', x: added, y: y(two.back) - 8, 'text-anchor': 'middle' });
    element.replaceChildren(picture);
    return picture;
  }

  function draw() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!shown || !width || !height) return;
    const { lengths, layer, token } = shown;
    if (size !== `${width} ${height}`) build(width, height);
    size = `${width} ${height}`;
    const most = Math.max(lengths.stream, lengths.attention, lengths.between, lengths.mlp, lengths.after);
    const widest = Math.min(64, 0.12 * height, 0.14 * width);
    for (const [name, band] of Object.entries(bands)) band.style.setProperty('stroke-width', `${Math.max(THINNEST, (widest * lengths[/** @type {keyof Lengths} */ (name)]) / most)}px`);
    const lifted = (/** @type {number} */ length) => (0.5 * widest * length) / most;
    PLACES.forEach(({ back }, i) => texts[i ? 'mlp' : 'attention'].setAttribute('y', String(back * height - lifted(i ? lengths.mlp : lengths.attention) - 7)));
    const turned = { attention: angle(lengths.stream, lengths.attention, lengths.between), mlp: angle(lengths.between, lengths.mlp, lengths.after) };
    const symbols = /** @type {Record<string, string>} */ ({ stream: `z${below(layer)}`, between: `z′${below(layer)}`, after: `z${below(layer + 1)}`, attention: narrowed ? '' : 'adds', mlp: narrowed ? '' : 'adds', norm1: 'length', norm2: 'length' });
    for (const [name, text] of Object.entries(texts)) {
      text.replaceChildren(`${symbols[name]} `, svg('tspan', { class: 'number' }, number(lengths[/** @type {keyof Lengths} */ (name)])));
      if ((name === 'attention' || name === 'mlp') && !narrowed) text.append(` at ${turned[name]}°`);
    }
    element.firstElementChild?.setAttribute('aria-label', `Layer ${layer} for ${token}. Lengths: the stream ${number(lengths.stream)}, attention adds ${number(lengths.attention)}, the stream then ${number(lengths.between)}, the MLP adds ${number(lengths.mlp)}, after the block ${number(lengths.after)}.`);
  }
  new ResizeObserver(draw).observe(element);

  return {
    element,
    show(lengths, layer, token) {
      shown = { lengths, layer, token };
      draw();
    },
  };
}
