/** Maps as colours, and enlarged, which needs no canvas. */
import { checkChoice, checkMap, checkNumbers, checkOptions, checkShare, checkWhole } from '../common/checks.js';
import { COLORMAPS, colourTable } from './colormaps.js';

export { COLORMAPS } from './colormaps.js';

/**
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {import('../../index.js').ColourOptions} ColourOptions
 * @typedef {[number, number]} Span
 * @typedef {{ranges: Span[], middle: number, reach: Span}} Scale  of colours, for each channel; of what stands out, and from where
 */

export const COLOUR_OPTIONS = ['colormap', 'range', 'faintest'];

/**
 * In means of the map, between which a value stands out more and more. The largest won't do: often one patch of no
 * meaning has thirty times the mean, another in the next frame, and by it all that is looked at would be as if nothing were.
 */
const STANDS_OUT = [0.5, 3];

/** @param {ColourOptions} options */
export function checkColours({ colormap, range, faintest }) {
  if (colormap !== undefined) checkChoice('colormap', colormap, COLORMAPS);
  checkNumbers('range', range, ['0', '1']);
  if (faintest !== undefined) checkShare('faintest', faintest);
}

/**
 * Colours go from 0 to the largest value, or as far below 0 as above where the map is signed; channels from least to most.
 * @param {ViewMap} map before it is enlarged: interpolation may not reach its extremes
 * @param {Span} [range] instead, for colours and what stands out
 * @returns {Scale}
 */
export function scaleOf({ channels, data, signed, within }, range) {
  if (range) {
    const middle = (range[0] + range[1]) / 2;
    return { ranges: Array(channels).fill(range), middle, reach: signed ? [0, range[1] - middle] : range };
  }
  const ranges = Array.from({ length: channels }, () => /** @type {Span} */ ([Infinity, -Infinity]));
  let sum = 0;
  data.forEach((value, i) => {
    const range = ranges[i % channels];
    if (value < range[0]) range[0] = value;
    if (value > range[1]) range[1] = value;
    sum += (signed ? Math.abs(value) : Math.max(0, value)) || 0; // of what is no number nothing
  });
  const most = Math.max(...ranges.map((range) => (signed ? Math.max(-range[0], range[1]) : Math.max(0, range[1]))));
  const cells = within?.reduce((count, is) => count + is, 0) ?? data.length; // of a window the mean is that window's
  const [low, high] = STANDS_OUT.map((means) => (means * sum) / cells);
  return { ranges: signed ? ranges.map(() => [-most, most]) : channels === 1 ? [[0, most]] : ranges, middle: 0, reach: [low, Math.min(high, most)] };
}

/**
 * @param {number} value
 * @param {Span} span
 * @param {number} [point] where the span is none
 */
const share = (value, [low, high], point = 0) => (high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : point);

/**
 * How much a value of a map of one channel stands out, 0 to 1.
 * @param {number} value
 * @param {boolean} signed
 * @param {Scale} scale
 */
export const strength = (value, signed, { middle, reach }) => share(signed ? Math.abs(value - middle) : value, reach);

/**
 * @param {ViewMap} map
 * @param {ColourOptions} [options]
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA, [rows, cols, 4]
 */
export function colourise(map, options) {
  checkMap(map);
  const given = checkOptions(options, COLOUR_OPTIONS);
  checkColours(given);
  return paint(map, given, scaleOf(map, given.range));
}

/**
 * @param {ViewMap} map
 * @param {ColourOptions} options
 * @param {Scale} scale
 */
export function paint({ rows, cols, channels, data, signed }, { colormap = signed ? 'diverging' : 'viridis', faintest = 1 }, scale) {
  const table = colourTable(colormap);
  const out = new Uint8ClampedArray(4 * rows * cols);
  for (let i = 0; i < rows * cols; i++) {
    for (let c = 0; c < channels; c++) {
      const value = data[i * channels + c];
      const part = share(value, scale.ranges[c], signed ? 0.5 : 0);
      if (channels === 3) {
        out[4 * i + c] = 255 * part;
        out[4 * i + 3] = 255;
      } else {
        const colour = 3 * Math.round(255 * part);
        for (let k = 0; k < 3; k++) out[4 * i + k] = table[colour + k];
        out[4 * i + 3] = 255 * (faintest + (1 - faintest) * strength(value, signed, scale));
      }
    }
  }
  return out;
}

/**
 * Enlarges a map. Values are interpolated, not colours: they hold at the cells' centres, and beyond the outermost centres.
 * @param {ViewMap} map
 * @param {number} width
 * @param {number} height
 * @param {'bilinear' | 'nearest'} [mode]
 * @returns {ViewMap}
 */
export function upsample(map, width, height, mode = 'bilinear') {
  checkMap(map);
  checkChoice('interpolation', mode, ['bilinear', 'nearest']);
  checkWhole('width', width);
  checkWhole('height', height);
  const { rows, cols, channels, data } = map;
  const out = new Float32Array(width * height * channels);
  const xs = taps(width, cols, mode);
  const ys = taps(height, rows, mode);
  let i = 0;
  for (const { low: y0, high: y1, part: fy } of ys) {
    for (const { low: x0, high: x1, part: fx } of xs) {
      for (let c = 0; c < channels; c++) {
        const top = data[(y0 * cols + x0) * channels + c] * (1 - fx) + data[(y0 * cols + x1) * channels + c] * fx;
        const bottom = data[(y1 * cols + x0) * channels + c] * (1 - fx) + data[(y1 * cols + x1) * channels + c] * fx;
        out[i++] = top * (1 - fy) + bottom * fy;
      }
    }
  }
  if (!map.within) return { ...map, rows: height, cols: width, data: out };
  // Nothing of a window gets beyond its edge.
  const within = new Uint8Array(width * height);
  ys.forEach((y, row) => xs.forEach((x, col) => (within[row * width + col] = /** @type {any} */ (map).within[y.nearest * cols + x.nearest])));
  return { ...map, rows: height, cols: width, data: out.map((value, i) => (within[Math.floor(i / channels)] ? value : 0)), within };
}

/**
 * @param {number} size
 * @param {number} cells
 * @param {'bilinear' | 'nearest'} mode
 */
function taps(size, cells, mode) {
  return Array.from({ length: size }, (_, i) => {
    const at = ((i + 0.5) / size) * cells;
    const low = Math.min(cells - 1, Math.max(0, Math.floor(mode === 'nearest' ? at : at - 0.5)));
    const high = Math.min(cells - 1, low + 1);
    return { low, high, nearest: Math.min(cells - 1, Math.floor(at)), part: mode === 'nearest' ? 0 : Math.min(1, Math.max(0, at - 0.5 - low)) };
  });
}
