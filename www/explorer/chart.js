/** A small chart: lines or dots over numbered steps. */

/**
 * @typedef {{
 *   x: string, y: string, steps: string[], max: number, format: (value: number) => string,
 *   lines?: {values: ArrayLike<number>, kind: string}[], dots?: {step: number, value: number, kind?: string}[],
 *   min?: number, label: string,
 * }} Chart
 *   x, y: what the axes are; steps: names along x; label: all of it in words
 */

const HEIGHT = 190;
const [TOP, RIGHT, BOTTOM, LEFT] = [18, 18, 34, 44];

/** An element of a drawing. @param {string} tag @param {Record<string, string | number>} attributes @param {string} [text] */
export function svg(tag, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** @param {HTMLElement} root */
export function createChart(root) {
  root.classList.add('chart');
  /** @type {Chart | undefined} */
  let shown;

  function draw() {
    const width = root.clientWidth;
    if (!shown || !width) return;
    const { x, y, steps, max, min = 0, format, lines = [], dots = [], label } = shown;
    const last = steps.length - 1;
    const across = (/** @type {number} */ step) => LEFT + (dots.length ? (step + 0.5) / steps.length : last ? step / last : 0) * (width - LEFT - RIGHT);
    const up = (/** @type {number} */ value) => TOP + (1 - (value - min) / (max - min || 1)) * (HEIGHT - TOP - BOTTOM);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: 'img', 'aria-label': label });
    for (const part of [0, 0.5, 1]) {
      const value = min + part * (max - min);
      picture.append(
        svg('line', { class: 'rule', x1: LEFT, x2: width - RIGHT, y1: up(value), y2: up(value) }),
        svg('text', { x: LEFT - 6, y: up(value) + 4, 'text-anchor': 'end' }, format(value)),
      );
    }
    const longest = Math.max(...steps.map((name) => name.length));
    const every = Math.ceil(((12 + 7 * longest) * steps.length) / (width - LEFT - RIGHT));
    steps.forEach((name, i) => i % every || picture.append(svg('text', { x: across(i), y: HEIGHT - BOTTOM + 16, 'text-anchor': 'middle' }, name)));
    picture.append(
      svg('text', { x: LEFT, y: 9 }, y),
      svg('text', { x: width - RIGHT, y: HEIGHT - 3, 'text-anchor': 'end' }, x),
    );
    for (const { values, kind } of lines) {
      const points = Array.from(values, (value, i) => `${across(i).toFixed(1)},${up(value).toFixed(1)}`);
      picture.append(svg('polyline', { class: `line ${kind}`, points: points.join(' ') }));
    }
    for (const { step, value, kind = '' } of dots) picture.append(svg('circle', { class: `dot ${kind}`, cx: across(step), cy: up(value), r: 3 }));
    root.replaceChildren(picture);
  }
  new ResizeObserver(draw).observe(root);

  return {
    /** @param {Chart | undefined} chart */
    show(chart) {
      shown = chart;
      if (chart) draw();
      else root.replaceChildren();
    },
  };
}
