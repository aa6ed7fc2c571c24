/** A picture cut into places, as large as its room allows: they answer to a pointer and to arrow keys. */
import { drawOverlay } from '../../../pkg/dist/index.js';
import { context2d, make } from '../../explorer/dom.js';
import { overlayOptions } from '../../explorer/maps.js';
import { moved } from '../../explorer/panels/stage.js';
import { remember } from '../../explorer/views/cache.js';
import { drawCrop } from './photo.js';

/** Pixels of the longer edge in which the part that the model sees is kept for small pictures. */
const KEPT = 800;

/**
 * The part of the photo that the model sees.
 * @param {Pick<import('../figure.js').Context, 'image' | 'trace'>} context
 * @returns {Promise<HTMLCanvasElement>}
 */
export function seen({ image, trace }) {
  return remember(trace, 'the part that is seen', async () => {
    const canvas = make('canvas');
    const bitmap = await createImageBitmap(image);
    drawCrop(canvas, bitmap, trace.crop, KEPT);
    bitmap.close();
    return canvas;
  });
}

/**
 * @typedef {(context: CanvasRenderingContext2D, width: number, height: number) => void} Paint  in CSS pixels
 * @typedef {{onPick?: (place: number | null) => void, onHover?: (place: number | null) => void, onTake?: (place: number) => void, onDrop?: (from: number, to: number) => void}} Handlers
 *   onPick: by click, arrow keys, or null by Escape; onTake: by click or Enter; onDrop: dragged from one place to another
 */

/**
 * @param {string} label
 * @param {Handlers} [handlers] none: it is only looked at
 */
export function createCells(label, handlers) {
  const { onPick = () => {}, onHover = () => {}, onTake, onDrop } = handlers ?? {};
  const canvas = make('canvas', { role: 'img', 'aria-label': label, ...(handlers && { tabindex: '0' }) });
  const hover = make('div', { class: 'cell hover', hidden: '' });
  const query = make('div', { class: 'cell query', hidden: '' });
  const frame = make('div', { class: 'frame' }, [canvas, hover, query]);
  const element = make('div', { class: handlers ? 'cells picks' : 'cells' }, [frame]);
  /** @type {[rows: number, cols: number]} */
  let grid = [1, 1];
  /** @type {number | null} */
  let chosen = null;
  /** @type {number | null} */
  let from = null;
  /** @type {Paint} */
  let paint = () => {};

  function draw() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    const [across, down] = [width, height].map((side) => Math.round(side * ratio));
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    const context = context2d(canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, across, down);
    context.setTransform(across / width, 0, 0, down / height, 0, 0);
    paint(context, width, height);
  }
  new ResizeObserver(draw).observe(canvas);

  /** @param {PointerEvent | MouseEvent} event */
  function placeAt({ clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const [x, y] = [(clientX - left) / width, (clientY - top) / height];
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return null;
    return Math.floor(y * grid[0]) * grid[1] + Math.floor(x * grid[1]);
  }

  /** @param {HTMLElement} cell @param {number | null} place */
  function put(cell, place) {
    cell.hidden = place === null;
    if (place === null) return;
    const [rows, cols] = grid;
    Object.assign(cell.style, { left: `${(100 * (place % cols)) / cols}%`, top: `${(100 * Math.floor(place / cols)) / rows}%`, width: `${100 / cols}%`, height: `${100 / rows}%` });
  }

  if (handlers) {
    canvas.addEventListener('pointermove', (event) => {
      if (event.pointerType !== 'mouse' && from === null) return;
      const place = placeAt(event);
      put(hover, place);
      onHover(place);
    });
    canvas.addEventListener('pointerleave', () => {
      put(hover, null);
      onHover(null);
    });
    canvas.addEventListener('pointerdown', (event) => (from = placeAt(event)));
    canvas.addEventListener('pointerup', (event) => {
      const [start, end] = [from, placeAt(event)];
      from = null;
      if (start === null || end === null) return;
      if (onDrop && start !== end) onDrop(start, end);
      else {
        onPick(end);
        onTake?.(end);
      }
    });
    canvas.addEventListener('pointercancel', () => (from = null));
    canvas.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === 'Enter' && onTake && chosen !== null) {
        event.preventDefault();
        return onTake(chosen);
      }
      const next = moved(event.key, chosen, grid);
      if (next === undefined) return;
      event.preventDefault();
      onPick(next);
    });
  }

  return {
    element,
    canvas,

    /**
     * @param {{grid: [rows: number, cols: number], ratio?: number, place?: number | null, text?: string}} shape ratio: width by height, that of the grid unless told; place: the one that is marked
     * @param {Paint} next
     */
    show({ grid: cut, ratio = cut[1] / cut[0], place = null, text = label }, next) {
      [grid, chosen, paint] = [cut, place, next];
      element.style.setProperty('--ratio', String(ratio));
      canvas.setAttribute('aria-label', text);
      put(query, place);
      draw();
    },

    /** Points at a place from elsewhere. @param {number | null} place */
    point: (place) => put(hover, place),

    draw,
  };
}

/**
 * A map over the part that the model sees, as the lesson's photos show it.
 * @param {HTMLCanvasElement} photo `seen`
 * @param {import('../../../pkg/index.js').ViewMap} map
 * @param {import('../figure.js').Context['look']} look
 * @returns {Paint}
 */
export function overlaid(photo, map, look) {
  return ({ canvas }) => drawOverlay(canvas, photo, { ...map, crop: undefined }, overlayOptions(map, look));
}

/**
 * Lines between the places of a grid.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {[rows: number, cols: number]} grid
 */
export function rule(context, width, height, [rows, cols]) {
  context.fillStyle = 'rgb(255 255 255 / 0.35)';
  for (let i = 1; i < cols; i++) context.fillRect(Math.round((i * width) / cols), 0, 1, height);
  for (let i = 1; i < rows; i++) context.fillRect(0, Math.round((i * height) / rows), width, 1);
}
