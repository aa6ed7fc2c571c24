/** How maps look on this page: over a photo, as small pictures, and what their colours mean. */
import { colourise } from '../../pkg/dist/index.js';
import { context2d } from './dom.js';

/**
 * @typedef {import('../../pkg/index.js').ViewMap} ViewMap
 * @typedef {import('../../pkg/index.js').Colormap} Colormap
 * @typedef {{style: 'spotlight' | 'colours', opacity: number, colormap: Colormap, smooth: boolean}} Look  style: over a photo; small maps are in colours always
 */

/**
 * Below 0 is another thing than above it, which only a scale with a middle shows.
 * @param {ViewMap} map
 * @param {Look} look
 * @returns {Colormap}
 */
export function colormapOf({ signed }, { colormap }) {
  return signed ? 'diverging' : colormap;
}

/** Opacity at most of colours that cover all of a photo. */
const RECOGNISABLE = 0.65;

/**
 * How a map is drawn over a photo, by the package.
 * @param {ViewMap} map
 * @param {Look} look
 * @returns {import('../../pkg/index.js').OverlayOptions}
 */
export function overlayOptions(map, look) {
  const { style, smooth } = look;
  const opacity = map.channels === 3 ? RECOGNISABLE * look.opacity : look.opacity;
  return { style, opacity, interpolation: smooth ? 'bilinear' : 'nearest', ...(map.channels === 1 && { colormap: colormapOf(map, look) }) };
}

/**
 * Whether a map over a photo is drawn as light, not in colours. As the package has it.
 * @param {ViewMap} map
 * @param {Look} look
 */
export function isLight({ channels, signed }, { style }) {
  return style === 'spotlight' && channels === 1 && !signed;
}

/**
 * What the ends of a map's scale mean: its colours, or up to where a value stays in the dark, and from where on it is in full light.
 * @param {ViewMap} map
 * @param {Look} look
 * @returns {[low: number, high: number]}
 */
export function rangeOf(map, look) {
  const most = largest(map);
  if (!isLight(map, look)) return [map.signed ? -most : 0, most];
  const cells = map.within?.reduce((count, is) => count + is, 0) ?? map.data.length;
  const mean = map.data.reduce((sum, value) => sum + Math.max(0, value), 0) / cells;
  return [mean / 2, Math.min(3 * mean, most)];
}

/**
 * The ends of a scale, in words.
 * @param {ViewMap} map
 * @param {Look} look
 * @param {[low: number, high: number]} range
 * @param {(value: number) => string} format
 */
export function rangeWords(map, look, [low, high], format) {
  return isLight(map, look) ? [`≤ ${format(low)}`, `≥ ${format(high)}`] : [map.signed ? format(low) : '0', format(high)];
}

/**
 * What is between them.
 * @param {ViewMap} map
 * @param {Look} look
 * @returns {Colormap}
 */
export function rampOf(map, look) {
  return isLight(map, look) ? 'grey' : colormapOf(map, look);
}

/** Cells along an edge, above which a small picture has fewer pixels than cells. */
const FINE = 40;

/**
 * A map as a small picture: a pixel a cell.
 * @param {HTMLCanvasElement} canvas
 * @param {ViewMap} map
 * @param {Look} look
 */
export function drawCells(canvas, map, look) {
  if (canvas.width !== map.cols || canvas.height !== map.rows) Object.assign(canvas, { width: map.cols, height: map.rows });
  canvas.classList.toggle('fine', Math.max(map.cols, map.rows) > FINE);
  context2d(canvas).putImageData(new ImageData(colourise(map, { colormap: colormapOf(map, look) }), map.cols, map.rows), 0, 0);
}

/**
 * Of a query within a window that window alone: among thousands of patches it would be a speck.
 * @param {ViewMap} map of one channel
 * @returns {ViewMap}
 */
export function windowOf(map) {
  const inside = map.within ? Array.from(map.within).flatMap((is, at) => (is ? [at] : [])) : [];
  if (!inside.length) return map;
  const [rows, cols] = [inside.map((at) => Math.floor(at / map.cols)), inside.map((at) => at % map.cols)].map((all) => [...new Set(all)].sort((a, b) => a - b));
  const data = Float32Array.from(rows.flatMap((row) => cols.map((col) => map.data[row * map.cols + col])));
  return { ...map, rows: rows.length, cols: cols.length, data, within: undefined };
}

/**
 * The colours themselves, from left to right.
 * @param {HTMLCanvasElement} canvas one pixel high
 * @param {Colormap} colormap
 */
export function drawRamp(canvas, colormap) {
  const { width } = canvas;
  const ramp = { rows: 1, cols: width, channels: /** @type {1} */ (1), data: Float32Array.from({ length: width }, (_, i) => i), signed: false, text: 'a scale' };
  context2d(canvas).putImageData(new ImageData(colourise(ramp, { colormap }), width, 1), 0, 0);
}

/**
 * Several maps side by side, a cell apart.
 * @param {ViewMap[]} maps of one shape
 * @param {number} columns
 * @param {string} text
 * @returns {ViewMap}
 */
export function mosaic(maps, columns, text) {
  const { rows, cols, channels, signed } = maps[0];
  const height = Math.ceil(maps.length / columns) * (rows + 1) - 1;
  const width = columns * (cols + 1) - 1;
  const data = new Float32Array(height * width * channels);
  maps.forEach((map, i) => {
    const [top, left] = [Math.floor(i / columns) * (rows + 1), (i % columns) * (cols + 1)];
    // A common scale would leave some of them pale: each is shown over its own.
    const most = map.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < cols * channels; x++) data[((top + y) * width + left) * channels + x] = map.data[y * cols * channels + x] / most;
    }
  });
  return { rows: height, cols: width, channels, data, signed, text };
}

/**
 * @param {ViewMap} map
 * @returns {number} the value of the last colour
 */
export function largest({ data, signed }) {
  return data.reduce((a, b) => Math.max(a, signed ? Math.abs(b) : b), 0);
}
