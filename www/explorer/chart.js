/** A small chart: lines or dots over numbered steps. */

/**
 * @typedef {{
 *   x: string, y: string, steps: string[], max: number, format: (value: number) => string,
 *   lines?: {values: ArrayLike<number>, kind: string}[], dots?: {step: number, value: number, kind?: string}[],
 *   min?: number, ticks?: number[], mark?: number, label: string,
 * }} Chart
 *   x, y: what the axes are; steps: names along x; ticks: values with a rule, the ends and the middle unless told; mark: the step that is chosen; label: all of it in words
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

/**
 * @param {HTMLElement} root
 * @param {{fill?: boolean, onPick?: (step: number) => void, onPoint?: (step: number | null) => void}} [options] fill: as high as the root is; onPick: a step was clicked; onPoint: it is under the
 *   pointer, null: none is
 */
export function createChart(root, { fill = false, onPick, onPoint } = {}) {
  root.classList.add('chart');
  /** @type {Chart | undefined} */
  let shown;

  /** Where a step is, from left to right. @param {number} step */
  function place(step) {
    const { steps = [], dots = [] } = shown ?? {};
    return dots.length ? (step + 0.5) / steps.length : step / Math.max(1, steps.length - 1);
  }

  /** The step that is nearest to the pointer. @param {MouseEvent} event */
  function nearest({ clientX }) {
    const at = (clientX - root.getBoundingClientRect().left - LEFT) / (root.clientWidth - LEFT - RIGHT);
    const distances = (shown?.steps ?? ['']).map((_, step) => Math.abs(place(step) - at));
    return distances.indexOf(Math.min(...distances));
  }

  function draw() {
    const width = root.clientWidth;
    const height = fill ? root.clientHeight : HEIGHT;
    if (!shown || !width || height <= TOP + BOTTOM) return;
    const { x, y, steps, max, min = 0, ticks = [min, (min + max) / 2, max], mark, format, lines = [], dots = [], label } = shown;
    const across = (/** @type {number} */ step) => LEFT + place(step) * (width - LEFT - RIGHT);
    const up = (/** @type {number} */ value) => TOP + (1 - (value - min) / (max - min || 1)) * (height - TOP - BOTTOM);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label });
    if (mark !== undefined) picture.append(svg('line', { class: 'mark', x1: across(mark), x2: across(mark), y1: TOP, y2: height - BOTTOM }));
    for (const value of ticks) {
      picture.append(
        svg('line', { class: 'rule', x1: LEFT, x2: width - RIGHT, y1: up(value), y2: up(value) }),
        svg('text', { x: LEFT - 6, y: up(value) + 4, 'text-anchor': 'end' }, format(value)),
      );
    }
    const longest = Math.max(...steps.map((name) => name.length));
    const every = Math.ceil(((12 + 7 * longest) * steps.length) / (width - LEFT - RIGHT));
    steps.forEach((name, i) => {
      const room = mark === undefined || Math.abs(i - mark) >= every;
      if ((i % every === 0 && room) || i === mark) picture.append(svg('text', { ...(i === mark && { class: 'current' }), x: across(i), y: height - BOTTOM + 16, 'text-anchor': 'middle' }, name));
    });
    picture.append(
      svg('text', { x: LEFT, y: 9 }, y),
      svg('text', { x: width - RIGHT, y: height - 3, 'text-anchor': 'end' }, x),
    );
    for (const { values, kind } of lines) {
      const points = Array.from(values, (value, i) => `${across(i).toFixed(1)},${up(value).toFixed(1)}`);
      picture.append(svg('polyline', { class: `line ${kind}`, points: points.join(' ') }));
    }
    for (const { step, value, kind = '' } of dots) picture.append(svg('circle', { class: `dot ${kind}`, cx: across(step), cy: up(value), r: 3 }));
    root.replaceChildren(picture);
  }
  new ResizeObserver(draw).observe(root);
  if (onPick) {
    root.classList.add('picks');
    root.addEventListener('click', (event) => onPick(nearest(event)));
  }
  if (onPoint) {
    root.addEventListener('pointermove', (event) => onPoint(nearest(event)));
    root.addEventListener('pointerleave', () => onPoint(null));
  }

  return {
    /** @param {Chart | undefined} chart */
    show(chart) {
      shown = chart;
      if (chart) draw();
      else root.replaceChildren();
    },
  };
}
