/** All hidden units of a token, a cell each in the order that they have in the model: how few of them fire. */
import { colourise } from '../../../pkg/dist/index.js';
import { context2d, make } from '../../explorer/dom.js';

/** Of the strongest unit's value, below which a unit counts as near 0. */
const NEAR = 0.1;
/** What share of the squared length is asked for. */
const MOST = 0.9;

/**
 * @param {ArrayLike<number>} hidden
 * @returns {{order: number[], near: number, holding: number}} order: units, the strongest first; near: how many are near 0; holding: how many of the strongest hold nine tenths of
 *   the squared length
 */
export function strengthsOf(hidden) {
  const sizes = Array.from(hidden, Math.abs);
  const order = sizes.map((_, unit) => unit).sort((a, b) => sizes[b] - sizes[a]);
  const near = sizes.filter((size) => size < NEAR * sizes[order[0]]).length;
  const all = sizes.reduce((sum, size) => sum + size * size, 0);
  let held = 0;
  let holding = 0;
  while (holding < order.length && held < MOST * all) held += sizes[order[holding++]] ** 2;
  return { order, near, holding };
}

/** Opacity of a cell at 0, so that on dark paper too it is the units that fire that shine. */
const FAINTEST = 0.3;

/** @param {{onPoint: (unit: number | null) => void, onPick: (unit: number) => void}} handlers */
export function createUnits({ onPoint, onPick }) {
  const canvas = make('canvas', { width: '1', height: '1', 'aria-hidden': 'true' });
  const element = make('div', { class: 'units grow', tabindex: '0', role: 'img' }, [canvas]);
  /** @type {{hidden: ArrayLike<number>, chosen: number, label: string} | undefined} */
  let shown;
  /** Cells a row, and CSS pixels of a cell. */
  let place = { columns: 1, cell: 1 };

  function draw() {
    const { clientWidth: width, clientHeight: height } = element;
    if (!shown || !width || !height) return;
    const { hidden, chosen, label } = shown;
    const ratio = window.devicePixelRatio || 1;
    // The largest cells, a whole number of the screen's pixels, of which all have room.
    let cell = Math.max(1, Math.floor(Math.sqrt((width * height) / hidden.length) * ratio));
    while (cell > 1 && Math.floor((width * ratio) / cell) * Math.floor((height * ratio) / cell) < hidden.length) cell--;
    const columns = Math.max(1, Math.floor((width * ratio) / cell));
    place = { columns, cell: cell / ratio };
    const rows = Math.ceil(hidden.length / columns);
    Object.assign(canvas, { width: columns * cell, height: rows * cell });
    Object.assign(canvas.style, { width: `${(columns * cell) / ratio}px`, height: `${(rows * cell) / ratio}px` });
    const context = context2d(canvas);
    const colours = colourise({ rows: 1, cols: hidden.length, channels: 1, data: Float32Array.from(hidden), signed: true, text: label });
    const most = Math.max(...Array.from(hidden, Math.abs)) || 1;
    const gap = cell > 5 ? Math.max(1, Math.round(cell / 9)) : 0;
    for (let i = 0; i < hidden.length; i++) {
      context.globalAlpha = FAINTEST + (1 - FAINTEST) * Math.min(1, (3 * Math.abs(hidden[i])) / most);
      context.fillStyle = `rgb(${colours[4 * i]} ${colours[4 * i + 1]} ${colours[4 * i + 2]})`;
      context.fillRect((i % columns) * cell, Math.floor(i / columns) * cell, cell - gap, cell - gap);
    }
    context.globalAlpha = 1;
    const styles = getComputedStyle(element);
    const [x, y] = [(chosen % columns) * cell, Math.floor(chosen / columns) * cell];
    for (const [colour, out] of /** @type {[string, number][]} */ ([['--signal', 3], ['--paper', 1]])) {
      context.fillStyle = styles.getPropertyValue(colour);
      context.fillRect(x - out * ratio, y - out * ratio, cell - gap + 2 * out * ratio, cell - gap + 2 * out * ratio);
    }
    context.fillStyle = `rgb(${colours[4 * chosen]} ${colours[4 * chosen + 1]} ${colours[4 * chosen + 2]})`;
    context.fillRect(x, y, cell - gap, cell - gap);
    element.setAttribute('aria-label', label);
  }
  new ResizeObserver(draw).observe(element);

  /** @param {MouseEvent} event */
  function unitAt({ clientX, clientY }) {
    const { left, top } = canvas.getBoundingClientRect();
    const [column, row] = [Math.floor((clientX - left) / place.cell), Math.floor((clientY - top) / place.cell)];
    const unit = row * place.columns + column;
    return column >= 0 && column < place.columns && unit >= 0 && unit < (shown?.hidden.length ?? 0) ? unit : null;
  }
  element.addEventListener('pointermove', (event) => onPoint(unitAt(event)));
  element.addEventListener('pointerleave', () => onPoint(null));
  element.addEventListener('click', (event) => {
    const unit = unitAt(event);
    if (unit !== null) onPick(unit);
  });
  element.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -place.columns, ArrowDown: place.columns }[event.key];
    if (!by || !shown) return;
    event.preventDefault();
    const unit = shown.chosen + by;
    if (unit >= 0 && unit < shown.hidden.length) onPick(unit);
  });

  return {
    element,

    /** @param {ArrayLike<number>} hidden @param {number} chosen @param {string} label */
    show(hidden, chosen, label) {
      shown = { hidden, chosen, label };
      draw();
    },
  };
}
