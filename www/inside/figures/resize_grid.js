/** Places of a larger or smaller grid get their vectors from the learned ones around them. */
import { colourise } from '../../../pkg/dist/index.js';
import { slider } from '../../explorer/controls.js';
import { make } from '../../explorer/dom.js';
import { remember } from '../../explorer/views/cache.js';
import { positionMaps } from '../../explorer/views/position_maps.js';
import { createCells } from '../kit/cells.js';
import { components, nearest, resized } from './between.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {[rows: number, cols: number]} Grid
 */

const COLOURS = 3;
/** Of the other grid against the learned one, in percent. */
const SIZES = { min: 50, max: 250, value: 150, step: 5 };

/** @param {import('../figure.js').Hands} hands */
export function createResizeGrid({ change }) {
  const size = slider('Image', SIZES, (value) => `${value} %`, change);
  const from = createCells('The grid of places that the model has');
  const zoom = createCells('The sixteen nearest of them');
  const to = createCells('The places of the other grid: choose one', {
    onPick(place) {
      chosen = place;
      change();
    },
    onHover(place) {
      hovered = place;
      again();
    },
  });
  const titles = ['', 'the 16 nearest, in %', ''].map((text) => make('h3', {}, [text]));
  const element = make('div', { class: 'resize-grid' }, [
    make('div', { class: 'three' }, [from, zoom, to].map((cells, i) => make('div', { class: 'side' }, [titles[i], cells.element]))),
    make('div', { class: 'controls' }, [size.element]),
  ]);
  /** @type {number | null} of the other grid */
  let chosen = null;
  /** @type {number | null} */
  let hovered = null;
  let again = () => '';

  /** @param {Grid} grid @param {import('../../../pkg/index.js').Floats} colours @param {Context} context */
  function draw(grid, colours, { trace: { patchSize } }) {
    const [rows, cols] = grid;
    const ratio = (cols * patchSize[1]) / (rows * patchSize[0]);
    const other = /** @type {Grid} */ (grid.map((n) => Math.max(2, Math.round((n * size.value) / 100))));
    const all = resized(colours, grid, COLOURS, other);
    const middle = Math.round(other[0] * 0.35) * other[1] + Math.round(other[1] * 0.45);
    if (chosen !== null && chosen >= other[0] * other[1]) chosen = null;
    const place = hovered !== null && hovered < other[0] * other[1] ? hovered : (chosen ?? middle);
    const [row, col] = [Math.floor(place / other[1]), place % other[1]];
    const [down, across] = [nearest(row, other[0], rows), nearest(col, other[1], cols)];
    titles[0].textContent = `learned: ${cols} × ${rows}`;
    titles[2].textContent = `wanted: ${other[1]} × ${other[0]}`;

    from.show({ grid, ratio, text: `The ${cols} × ${rows} places that the model has, coloured by three principal components of their vectors` }, (target, width, height) => {
      paint(target, width, height, grid, colours);
      const [w, h] = [width / cols, height / rows];
      target.strokeStyle = '#fff';
      target.lineWidth = 2;
      const [left, top] = [across.taken[0].place, down.taken[0].place];
      target.strokeRect(left * w, top * h, (across.taken[3].place - left + 1) * w, (down.taken[3].place - top + 1) * h);
      dot(target, (across.at + 0.5) * w, (down.at + 0.5) * h);
    });
    to.show({ grid: other, ratio, place, text: `The ${other[1]} × ${other[0]} places of the other grid: arrow keys choose one` }, (target, width, height) => paint(target, width, height, other, all));
    zoom.show({ grid: [4, 4], ratio: 1, text: 'The sixteen nearest places and their weights' }, (target, width, height) => {
      const near = new Float32Array(16 * COLOURS);
      const cells = down.taken.flatMap((y) => across.taken.map((x) => ({ from: y.place * cols + x.place, weight: y.weight * x.weight })));
      cells.forEach(({ from }, i) => near.set(colours.subarray(from * COLOURS, (from + 1) * COLOURS), i * COLOURS));
      paint(target, width, height, [4, 4], near);
      const edge = Math.min(width, height) / 4;
      target.font = `${Math.max(11, Math.min(22, edge * 0.3))}px ${getComputedStyle(element).fontFamily}`;
      Object.assign(target, { textAlign: 'center', textBaseline: 'middle' });
      cells.forEach(({ weight }, i) => {
        const [x, y] = [((i % 4) + 0.5) * (width / 4), (Math.floor(i / 4) + 0.75) * (height / 4)];
        const text = (100 * weight).toFixed(Math.abs(weight) < 0.0995 && edge > 36 ? 1 : 0).replace(/^-0$/, '0').replace('-', '−');
        const wide = target.measureText(text).width + 8;
        target.fillStyle = `rgb(0 0 0 / ${weight > 0.005 ? 0.72 : 0.4})`;
        target.fillRect(x - wide / 2, y - edge * 0.22, wide, edge * 0.44);
        target.fillStyle = '#fff';
        target.fillText(text, x, y);
      });
      const within = (/** @type {number} */ at) => at - Math.floor(at) + 1.5;
      dot(target, within(across.at) * (width / 4), within(down.at) * (height / 4));
    });
    const most = Math.max(...down.taken.map(({ weight }) => weight)) * Math.max(...across.taken.map(({ weight }) => weight));
    return `Row ${row}, column ${col} of ${other[1]} × ${other[0]} lies at row ${down.at.toFixed(2).replace('-', '−')}, column ${across.at.toFixed(2).replace('-', '−')} of the ${cols} × ${rows}: the nearest place gives ${(100 * most).toFixed(0)} % of its vector, and all sixteen weights sum to 100 %. `
      + 'Colours are three principal components of the model’s vectors.';
  }

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace: { grid }, vit, signal } = context;
      const maps = await positionMaps(context);
      if (signal.aborted || !maps) return '';
      const n = maps.length;
      const colours = remember(vit, `position components ${grid}`, () => {
        const similarity = new Float32Array(n * n);
        maps.forEach(({ data }, i) => similarity.set(data, i * n));
        return components(similarity, n, COLOURS);
      });
      again = () => draw(grid, colours, context);
      return again();
    },
  };
}

/**
 * @param {CanvasRenderingContext2D} target
 * @param {number} width
 * @param {number} height
 * @param {Grid} grid
 * @param {import('../../../pkg/index.js').Floats} data [rows, cols, 3]
 */
function paint(target, width, height, [rows, cols], data) {
  const bytes = colourise({ rows, cols, channels: 3, data, signed: false, text: '' }, { range: [0, 1] });
  const small = new OffscreenCanvas(cols, rows);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext('2d')).putImageData(new ImageData(bytes, cols, rows), 0, 0);
  target.imageSmoothingEnabled = false;
  target.drawImage(small, 0, 0, width, height);
}

/** @param {CanvasRenderingContext2D} target @param {number} x @param {number} y */
function dot(target, x, y) {
  target.beginPath();
  target.arc(x, y, 4, 0, 2 * Math.PI);
  target.fillStyle = getComputedStyle(target.canvas).getPropertyValue('--signal');
  target.fill();
  target.strokeStyle = '#fff';
  target.lineWidth = 1.5;
  target.stroke();
}
