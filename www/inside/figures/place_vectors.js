/** Figure 7 of the ViT paper: how alike the vectors of all places are, on the photo for one of them, and all in one picture. */
import { make } from '../../explorer/dom.js';
import { createPlaces, positionMaps } from '../../explorer/views/position_maps.js';
import { createCells, overlaid, seen } from '../kit/cells.js';

/** @typedef {import('../figure.js').Context} Context */

/** @param {import('../figure.js').Hands} hands */
export function createPlaceVectors({ choose }) {
  const photo = createCells('The photo: choose a place', { onPick: (patch) => choose({ patch }), onHover: (place) => preview(place) });
  const canvas = make('canvas', { class: 'mosaic picks', role: 'img', tabindex: '0' });
  const places = createPlaces(canvas, (patch) => choose({ patch }));
  const mark = make('div', { class: 'cell query' });
  const all = make('div', { class: 'all' }, [canvas, mark]);
  const element = make('div', { class: 'place-vectors' }, [make('div', { class: 'row grow' }, [photo.element, make('div', { class: 'square' }, [all])])]);
  /** @type {(place: number | null) => void} */
  let preview = () => {};

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace: { grid: [rows, cols], crop }, patch, picked, signal } = context;
      const [maps, seenPart] = await Promise.all([positionMaps(context), seen(context)]);
      if (signal.aborted || !maps) return '';
      const place = picked ? patch : Math.floor(rows / 2) * cols + Math.floor(cols / 2);
      preview = (at) => photo.show(
        { grid: [rows, cols], ratio: crop.width / crop.height, place, text: `The photo: how alike the vectors of all places are to that of row ${row}, column ${col}` },
        overlaid(seenPart, maps[at ?? place], { ...context.look, style: 'colours' }),
      );
      all.style.setProperty('--ratio', String(cols / rows));
      const [width, height] = [cols * (cols + 1) - 1, rows * (rows + 1) - 1];
      const [row, col] = [Math.floor(place / cols), place % cols];
      Object.assign(mark.style, { left: `${(100 * col * (cols + 1)) / width}%`, top: `${(100 * row * (rows + 1)) / height}%`, width: `${(100 * cols) / width}%`, height: `${(100 * rows) / height}%` });
      places.show(maps, context.look, place);
      preview(null);
      const mean = means(maps[place].data, [rows, cols], row, col);
      return `The place in row ${row}, column ${col}: its vector has a cosine similarity of ${mean.near} to those right beside it, ${mean.row} to its row, ${mean.column} to its column and ${mean.rest} to all others, on average. `
        + 'Right: the same map for every place.';
    },
  };
}

/**
 * Of one place's similarities: those to its neighbours, to the others of its row and of its column, and to the rest.
 * @param {ArrayLike<number>} data
 * @param {[number, number]} grid
 * @param {number} row
 * @param {number} col
 */
function means(data, [rows, cols], row, col) {
  const sums = { near: [0, 0], row: [0, 0], column: [0, 0], rest: [0, 0] };
  for (let i = 0; i < rows * cols; i++) {
    const [down, across] = [Math.abs(Math.floor(i / cols) - row), Math.abs((i % cols) - col)];
    if (!down && !across) continue;
    const sum = sums[down + across === 1 ? 'near' : !down ? 'row' : !across ? 'column' : 'rest'];
    sum[0] += data[i];
    sum[1]++;
  }
  const say = (/** @type {number[]} */ [sum, n]) => (n ? (sum / n).toFixed(2).replace('-', '−') : '–');
  return { near: say(sums.near), row: say(sums.row), column: say(sums.column), rest: say(sums.rest) };
}
