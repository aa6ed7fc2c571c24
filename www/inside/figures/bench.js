/** Where a patch is worked on, large: its pixels, its colours, what a filter makes of it, all filters, and what one of them leaves of the photo. */
import { colourise } from '../../../pkg/dist/index.js';
import { context2d } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { createPlane, fit } from '../kit/plane.js';

/**
 * @typedef {import('../kit/plane.js').Sheet} Sheet
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 * @typedef {import('../../../pkg/index.js').Rectangle} Rectangle
 * @typedef {{
 *   kind: 'pixels' | 'colours' | 'products' | 'filters' | 'map', title: string, patchSize: [height: number, width: number], pixels: Float32Array,
 *   at?: {image: ImageBitmap, x: number, y: number, width: number, height: number}, weights?: Float32Array, products?: Float32Array, sums?: number[],
 *   filters?: ViewMap[], order?: number[], output?: number, grid?: [rows: number, cols: number], values?: {values: Float32Array, done: number}, label?: string, window?: number | null,
 * }} Shown
 *   pixels, weights, products: [3, height, width]; at: the patch in the photo; order: outputs in the order in which their filters are shown
 */

export const COLOURS = /** @type {const} */ (['red', 'green', 'blue']);
const CHANNELS = [[255, 80, 60], [70, 190, 80], [90, 130, 255]];
const LINE = 20;
const GAP = 10;
/** Of a filter's weights, in their root mean squares, what is given the last colour. */
const SCALE = 3.5;

/**
 * Small pictures of numbers, a pixel each.
 * @param {number} width
 * @param {number} height
 * @param {Uint8ClampedArray} data
 */
function small(width, height, data) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  image.data.set(data);
  context2d(canvas).putImageData(image, 0, 0);
  return canvas;
}

/**
 * One colour's numbers, from black at the patch's least to the colour itself.
 * @param {Float32Array} values
 * @param {number} channel
 * @param {[low: number, high: number]} range
 */
function tinted(values, channel, [low, high]) {
  return Uint8ClampedArray.from({ length: 4 * values.length }, (_, i) => (i % 4 === 3 ? 255 : ((values[i >> 2] - low) / (high - low || 1)) * CHANNELS[channel][i % 4]));
}

/** @param {Float32Array} data @param {number} rows @param {number} cols @param {number} most */
function diverging(data, rows, cols, most) {
  return small(cols, rows, colourise({ rows, cols, channels: 1, data: Float32Array.from(data), signed: true, text: '' }, { range: [-most, most] }));
}

/** @param {Float32Array} values */
const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;

/**
 * Filters in rows, a pixel apart, each over a scale of its own.
 * @param {HTMLCanvasElement} canvas
 * @param {ViewMap[]} filters
 * @param {number} columns
 */
function drawFilterSheet(canvas, filters, columns) {
  const { rows, cols } = filters[0];
  Object.assign(canvas, { width: columns * (cols + 1) - 1, height: Math.ceil(filters.length / columns) * (rows + 1) - 1 });
  filters.forEach((filter, i) => {
    const most = SCALE * Math.sqrt(filter.data.reduce((sum, weight) => sum + weight * weight, 0) / filter.data.length) || 1;
    const image = new ImageData(cols, rows);
    image.data.set(colourise(filter, { range: [-most, most] }));
    context2d(canvas).putImageData(image, (i % columns) * (cols + 1), Math.floor(i / columns) * (rows + 1));
  });
}

/** @param {{onPixel: (index: number | null) => void, onOutput: (output: number) => void}} handlers */
export function createBench({ onPixel, onOutput }) {
  /** @type {Shown | undefined} */
  let shown;
  let marked = -1;
  /** Where pictures of numbers lie, each of a colour. @type {{box: Rectangle, channel: number}[]} */
  let squares = [];
  /** Where the filters lie. */
  let tiles = { x: 0, y: 0, size: 0, gap: 0, columns: 1 };
  /** The last mosaic of all filters. @type {{of?: ViewMap[], order?: number[], canvas: HTMLCanvasElement, columns: number}} */
  const sheet = { canvas: document.createElement('canvas'), columns: 1 };

  const plane = createPlane('The patch, large', (place) => {
    squares = [];
    if (!shown) return;
    place.context.fillStyle = place.colour('--ink');
    place.context.imageSmoothingEnabled = false;
    ({ pixels: drawPixels, colours: drawColours, products: drawProducts, filters: drawFilters, map: drawMap })[shown.kind](place, shown);
  }, { tabindex: '0' });

  /**
   * A picture, its cells apart where they are large.
   * @param {Sheet} sheet @param {CanvasImageSource} picture @param {Rectangle} box @param {[rows: number, cols: number]} cells
   */
  function put({ context, colour }, picture, { x, y, width, height }, [rows, cols]) {
    context.drawImage(picture, x, y, width, height);
    if (width / cols < 9) return;
    context.fillStyle = colour('--paper');
    for (let i = 1; i < cols; i++) context.fillRect(Math.round(x + (i * width) / cols), y, 1, height);
    for (let i = 1; i < rows; i++) context.fillRect(x, Math.round(y + (i * height) / rows), width, 1);
    context.fillStyle = colour('--ink');
  }

  /** @param {Sheet} sheet @param {Rectangle} box @param {number} cell @param {[rows: number, cols: number]} cells */
  function ring({ context, colour }, { x, y, width, height }, cell, [rows, cols]) {
    context.strokeStyle = colour('--signal');
    context.lineWidth = 2;
    context.strokeRect(x + ((cell % cols) * width) / cols, y + (Math.floor(cell / cols) * height) / rows, width / cols, height / rows);
  }

  /** The patch as it is in the photo. @param {Shown} shown */
  function patchOf({ patchSize: [height, width], at }) {
    if (!at) return undefined;
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width, height });
    const context = context2d(canvas);
    context.imageSmoothingQuality = 'high';
    context.drawImage(at.image, at.x, at.y, at.width, at.height, 0, 0, width, height);
    return canvas;
  }

  /** @param {Sheet} place @param {Shown} shown */
  function drawPixels(place, shown) {
    const { patchSize: [height, width], title } = shown;
    const box = fit(width / height, { y: LINE, width: place.width, height: place.height - LINE });
    place.context.fillText(title, box.x, box.y - 7);
    const picture = patchOf(shown);
    if (picture) put(place, picture, box, [height, width]);
  }

  /** The patch and its three colours, two by two. @param {Sheet} place @param {Shown} shown */
  function drawColours(place, shown) {
    const { patchSize: [height, width], pixels } = shown;
    const cell = fit(width / height, { width: (place.width - GAP) / 2, height: (place.height - GAP) / 2 - LINE });
    const [left, top] = [(place.width - 2 * cell.width - GAP) / 2, (place.height - 2 * (cell.height + LINE) - GAP) / 2 + LINE];
    const area = height * width;
    const range = /** @type {[number, number]} */ ([Math.min(...pixels), Math.max(...pixels)]);
    ['patch', ...COLOURS].forEach((name, i) => {
      const c = i - 1;
      const box = { x: left + (i % 2) * (cell.width + GAP), y: top + (i >> 1) * (cell.height + LINE + GAP), width: cell.width, height: cell.height };
      place.context.fillText(name, box.x, box.y - 7);
      const picture = c < 0 ? patchOf(shown) : small(width, height, tinted(pixels.subarray(c * area, (c + 1) * area), c, range));
      if (picture) put(place, picture, box, [height, width]);
      if (c < 0) return;
      squares.push({ box, channel: c });
      if (Math.floor(marked / area) === c) ring(place, box, marked % area, [height, width]);
    });
  }

  /** Colour by colour: the patch, times the filter, are the products. @param {Sheet} place @param {Shown} shown */
  function drawProducts(place, { patchSize: [height, width], pixels, weights, products, sums }) {
    if (!weights || !products || !sums) return;
    const { context } = place;
    const area = height * width;
    const sign = 18;
    const room = { width: (place.width - 2 * sign) / 3, height: (place.height - LINE - 2 * GAP) / 3 };
    const range = /** @type {[number, number]} */ ([Math.min(...pixels), Math.max(...pixels)]);
    const [mostWeight, mostProduct] = [largest(weights), largest(products)];
    const tall = fit(width / height, room);
    const left = (place.width - 3 * tall.width - 2 * sign) / 2;
    const top = (place.height - LINE - 3 * tall.height - 2 * GAP) / 2 + LINE;
    const column = (/** @type {number} */ i) => left + i * (tall.width + sign);
    ['patch', 'filter', 'products'].forEach((name, i) => context.fillText(name, column(i), top - 7));
    COLOURS.forEach((_, c) => {
      const y = top + c * (tall.height + GAP);
      const part = (/** @type {Float32Array} */ values) => values.subarray(c * area, (c + 1) * area);
      const pictures = [small(width, height, tinted(part(pixels), c, range)), diverging(part(weights), height, width, mostWeight), diverging(part(products), height, width, mostProduct)];
      pictures.forEach((picture, i) => {
        const box = { x: column(i), y, width: tall.width, height: tall.height };
        put(place, picture, box, [height, width]);
        squares.push({ box, channel: c });
        if (Math.floor(marked / area) === c) ring(place, box, marked % area, [height, width]);
      });
      context.textAlign = 'center';
      ['·', '='].forEach((text, i) => context.fillText(text, column(i + 1) - sign / 2, y + tall.height / 2 + 4));
      context.textAlign = 'left';
    });
  }

  /** @param {Sheet} place @param {Shown} shown */
  function drawFilters(place, { filters = [], order = [], output = 0, patchSize: [height, width] }) {
    const columns = Math.max(1, Math.round(Math.sqrt((filters.length * place.width * (height + 1)) / ((place.height - LINE) * (width + 1)))));
    if (sheet.of !== filters || sheet.order !== order || sheet.columns !== columns) {
      Object.assign(sheet, { of: filters, order, columns });
      drawFilterSheet(sheet.canvas, order.map((j) => filters[j]), columns);
    }
    const { canvas } = sheet;
    const box = fit(canvas.width / canvas.height, { y: LINE, width: place.width, height: place.height - LINE });
    place.context.imageSmoothingEnabled = box.width < canvas.width;
    place.context.imageSmoothingQuality = 'high';
    place.context.fillText(`${filters.length} filters, strongest first`, box.x, box.y - 7);
    place.context.drawImage(canvas, box.x, box.y, box.width, box.height);
    const scale = box.width / canvas.width;
    tiles = { x: box.x, y: box.y, size: width * scale, gap: scale, columns };
    const at = order.indexOf(output);
    place.context.strokeStyle = place.colour('--signal');
    place.context.lineWidth = 2;
    place.context.strokeRect(box.x + (at % columns) * (width + 1) * scale - 1, box.y + Math.floor(at / columns) * (height + 1) * scale - 1, width * scale + 2, height * scale + 2);
  }

  /** @param {Sheet} place @param {Shown} shown */
  function drawMap(place, { grid: [rows, cols] = [1, 1], values, label = '', window = null }) {
    if (!values) return;
    const box = fit(cols / rows, { y: LINE, width: place.width, height: place.height - LINE });
    const { context, colour } = place;
    const here = values.values.slice(0, values.done);
    const range = /** @type {[number, number]} */ (here.length ? [Math.min(...here), Math.max(...here)] : [0, 1]);
    context.fillText(values.done < values.values.length ? `${label}: ${values.done} of ${values.values.length}` : `${label}, ${number(range[0])} (dark) to ${number(range[1])} (light)`, box.x, box.y - 7);
    context.fillStyle = colour('--well');
    context.fillRect(box.x, box.y, box.width, box.height);
    const colours = colourise({ rows: 1, cols: Math.max(1, here.length), channels: 1, data: here.length ? here : new Float32Array(1), signed: false, text: label }, { range, colormap: 'grey' });
    const data = new Uint8ClampedArray(4 * rows * cols);
    if (here.length) data.set(colours);
    put(place, small(cols, rows, data), box, [rows, cols]);
    if (window !== null) ring(place, box, window, [rows, cols]);
  }

  /** The number under the pointer. @param {MouseEvent} event */
  function pixelAt({ offsetX, offsetY }) {
    if (!shown) return null;
    const { patchSize: [height, width] } = shown;
    for (const { box, channel } of squares) {
      const [x, y] = [(offsetX - box.x) / box.width, (offsetY - box.y) / box.height];
      if (x >= 0 && x < 1 && y >= 0 && y < 1) return (channel * height + Math.floor(y * height)) * width + Math.floor(x * width);
    }
    return null;
  }
  plane.canvas.addEventListener('pointermove', (event) => onPixel(pixelAt(event)));
  plane.canvas.addEventListener('pointerleave', () => onPixel(null));
  plane.canvas.addEventListener('blur', () => onPixel(null));
  plane.canvas.addEventListener('keydown', (event) => {
    if (!shown) return;
    const { kind, patchSize: [, width], pixels, order = [], output = 0 } = shown;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -(kind === 'filters' ? tiles.columns : width), ArrowDown: kind === 'filters' ? tiles.columns : width }[event.key];
    if (!step || (kind !== 'colours' && kind !== 'products' && kind !== 'filters')) return;
    event.preventDefault();
    const [at, count] = kind === 'filters' ? [order.indexOf(output), order.length] : [marked, pixels.length];
    const next = at < 0 ? 0 : at + step;
    if (next < 0 || next >= count) return;
    if (kind === 'filters') onOutput(order[next]);
    else onPixel(next);
  });
  plane.canvas.addEventListener('click', ({ offsetX, offsetY }) => {
    if (shown?.kind !== 'filters' || !shown.order) return;
    const { x, y, size, gap, columns } = tiles;
    const [height, width] = shown.patchSize;
    const [col, row] = [Math.floor((offsetX - x) / (size + gap)), Math.floor((offsetY - y) / ((size * height) / width + gap))];
    const at = row * columns + col;
    if (col >= 0 && col < columns && row >= 0 && at < shown.order.length) onOutput(shown.order[at]);
  });

  return {
    element: plane.element,
    draw: plane.draw,

    /** @param {Shown} next */
    show(next) {
      shown = next;
      marked = -1;
      plane.canvas.setAttribute('aria-label', {
        pixels: `The patch, large: ${next.title}`, colours: 'The patch in red, green and blue', products: 'Patch, filter and products, colour by colour', filters: `All ${next.filters?.length} filters`,
        map: `${next.label}: ${next.values?.done} of ${next.values?.values.length}`,
      }[next.kind]);
      plane.draw();
    },

    /** @param {number | null} index of a number of the patch */
    mark(index) {
      marked = index ?? -1;
      plane.draw();
    },
  };
}
