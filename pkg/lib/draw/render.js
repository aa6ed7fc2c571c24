/** Maps as colours: on a canvas of the caller's, over a photo or alone. */
import { checkChoice, checkMap, checkOptions, checkShare, checkWhole, mustBe } from '../common/checks.js';
import { invalid } from '../common/errors.js';
import { COLORMAPS, colourTable } from './colormaps.js';

export { COLORMAPS } from './colormaps.js';

/**
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {import('../../index.js').ColourOptions} ColourOptions
 * @typedef {import('../../index.js').OverlayOptions} OverlayOptions
 */

const COLOUR_OPTIONS = ['colormap', 'range', 'faintest'];
export const OVERLAY_OPTIONS = [...COLOUR_OPTIONS, 'opacity', 'interpolation', 'crop'];

/** Opacity of the lowest values against the highest over a photo, which shows through where there is little to see. */
const FAINTEST = 0.5;
/** Pixels at the longer edge of a map that is interpolated here; the canvas does the rest. */
const SMOOTH_SIDE = 256;

/**
 * The values of the first and the last colour, for each channel: where the map is signed, as far below 0 as above.
 * @param {ViewMap} map
 * @returns {[number, number][]}
 */
export function rangeOf({ channels, data, signed }) {
  const ranges = Array.from({ length: channels }, () => /** @type {[number, number]} */ ([Infinity, -Infinity]));
  data.forEach((value, i) => {
    const range = ranges[i % channels];
    if (value < range[0]) range[0] = value;
    if (value > range[1]) range[1] = value;
  });
  const most = Math.max(...ranges.flat().map(Math.abs));
  if (signed) return ranges.map(() => [-most, most]);
  return channels === 1 ? [[0, Math.max(0, ranges[0][1])]] : ranges;
}

/**
 * @param {ViewMap} map
 * @param {ColourOptions} [options]
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA, [rows, cols, 4]
 */
export function colourise(map, options) {
  checkMap(map);
  return paint(map, checkOptions(options, COLOUR_OPTIONS), rangeOf(map));
}

/**
 * @param {ViewMap} map
 * @param {ColourOptions} options
 * @param {[number, number][]} ranges of its channels, unless the options have one
 */
function paint({ rows, cols, channels, data, signed }, { colormap = signed ? 'diverging' : 'viridis', range, faintest = 1 }, ranges) {
  checkChoice('colormap', colormap, COLORMAPS);
  checkShare('faintest', faintest);
  checkNumbers('range', range, ['0', '1']);
  const table = colourTable(colormap);
  const out = new Uint8ClampedArray(4 * rows * cols);
  for (let i = 0; i < rows * cols; i++) {
    for (let c = 0; c < channels; c++) {
      const [low, high] = range ?? ranges[c];
      const part = high > low ? Math.min(1, Math.max(0, (data[i * channels + c] - low) / (high - low))) : signed ? 0.5 : 0;
      if (channels === 3) {
        out[4 * i + c] = 255 * part;
        out[4 * i + 3] = 255;
      } else {
        const colour = 3 * Math.round(255 * part);
        for (let k = 0; k < 3; k++) out[4 * i + k] = table[colour + k];
        out[4 * i + 3] = 255 * (faintest + (1 - faintest) * (signed ? Math.abs(2 * part - 1) : part));
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
  return { ...map, rows: height, cols: width, data: out };
}

/**
 * @param {string} name
 * @param {any} value where it is not left out
 * @param {string[]} keys
 */
function checkNumbers(name, value, keys) {
  if (value === undefined || (value && keys.every((key) => Number.isFinite(value[key])))) return;
  throw mustBe(name, `${keys.length > 2 ? `{${keys.join(', ')}}` : '[low, high]'} with numbers, or left out`, value);
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
    return { low, high, part: mode === 'nearest' ? 0 : Math.min(1, Math.max(0, at - 0.5 - low)) };
  });
}

/**
 * Fills the canvas with the image and the map over its crop, or with the map alone.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {CanvasImageSource | null} image
 * @param {ViewMap} map
 * @param {OverlayOptions} [options]
 */
export function drawOverlay(canvas, image, map, options) {
  checkMap(map);
  const { opacity = image ? 0.7 : 1, interpolation = 'bilinear', crop = map.crop, faintest = image ? FAINTEST : 1, ...colours } = checkOptions(options, OVERLAY_OPTIONS);
  checkShare('opacity', opacity);
  checkNumbers('crop', crop, ['x', 'y', 'width', 'height']);
  const context = /** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null | undefined} */ (canvas?.getContext?.('2d'));
  if (!context) throw invalid('There must be a canvas to draw on, without a context or with one for 2D.');
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  let place = { x: 0, y: 0, width, height };
  if (image) {
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, width, height);
    const size = imageSize(image);
    const [sx, sy] = [width / size.width, height / size.height];
    if (crop) place = { x: crop.x * sx, y: crop.y * sy, width: crop.width * sx, height: crop.height * sy };
  }
  const scale = interpolation === 'nearest' ? 1 : Math.max(1, SMOOTH_SIDE / Math.max(map.rows, map.cols));
  const values = upsample(map, Math.round(map.cols * scale), Math.round(map.rows * scale), interpolation);
  const picture = new OffscreenCanvas(values.cols, values.rows);
  // The range is the map's own: interpolation may not reach its extremes.
  const bytes = paint(values, { ...colours, faintest }, rangeOf(map));
  picture.getContext('2d')?.putImageData(new ImageData(bytes, values.cols, values.rows), 0, 0);
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = interpolation !== 'nearest';
  context.drawImage(picture, place.x, place.y, place.width, place.height);
  context.globalAlpha = 1;
}

/**
 * In the image's own pixels, which a crop is in.
 * @param {any} image
 * @returns {{width: number, height: number}}
 */
export function imageSize(image) {
  return {
    width: image.naturalWidth || image.videoWidth || image.displayWidth || image.width,
    height: image.naturalHeight || image.videoHeight || image.displayHeight || image.height,
  };
}
