/** A map over a photo, on a canvas of the caller's: the one way in which page, package and files draw it. */
import { checkChoice, checkMap, checkNumbers, checkOptions, checkShare } from '../common/checks.js';
import { invalid } from '../common/errors.js';
import { COLOUR_OPTIONS, checkColours, paint, scaleOf, strength, upsample } from './render.js';

/**
 * @typedef {import('../../index.js').ViewMap} ViewMap
 * @typedef {import('../../index.js').OverlayOptions} OverlayOptions
 * @typedef {import('../../index.js').Rectangle} Rectangle
 * @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context
 */

export const OVERLAY_OPTIONS = [...COLOUR_OPTIONS, 'style', 'opacity', 'interpolation', 'crop'];

/** What is left of the photo's light and colour where nothing stands out: it stays recognisable. */
const DIMMED = 0.4;
/** Opacity of colours over a photo: where they are strongest, and where three channels leave nothing out. */
const [STRONGEST, EVERYWHERE] = [0.8, 0.5];
/** Pixels a cell of a map that is interpolated here; the canvas does the rest. */
const SMOOTH = 8;

/**
 * Fills the canvas with the image and the map over its crop, or with the map alone.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {CanvasImageSource | null} image
 * @param {ViewMap} map
 * @param {OverlayOptions} [options]
 */
export function drawOverlay(canvas, image, map, options) {
  checkMap(map);
  const given = checkOptions(options, OVERLAY_OPTIONS);
  checkColours(given);
  const { style = 'colours', interpolation = 'bilinear', crop = map.crop, colormap, range } = given;
  checkChoice('style', style, ['colours', 'spotlight']);
  checkNumbers('crop', crop, ['x', 'y', 'width', 'height']);
  // Below 0 is another thing than little, and three channels are no more or less: light can't say either.
  const spotlight = style === 'spotlight' && image && map.channels === 1 && !map.signed;
  const { faintest = spotlight ? DIMMED : image ? 0 : 1, opacity = spotlight || !image ? 1 : map.channels === 3 ? EVERYWHERE : STRONGEST } = given;
  checkShare('opacity', opacity);
  const context = /** @type {Context | null | undefined} */ (canvas?.getContext?.('2d'));
  if (!context) throw invalid('There must be a canvas to draw on, without a context or with one for 2D.');
  const place = placeOf(canvas, image, crop);

  // All that may fail is done before the canvas is touched, which then changes at once.
  const scale = scaleOf(map, range);
  const size = interpolation === 'nearest' ? 1 : Math.max(1, Math.min(SMOOTH, Math.max(place.width, place.height) / Math.max(map.rows, map.cols)));
  const values = upsample(map, Math.round(map.cols * size), Math.round(map.rows * size), interpolation);
  const picture = asPicture(spotlight ? shadow(values, scale) : paint(values, { colormap, faintest }, scale), values);

  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalAlpha = 1;
  context.globalCompositeOperation = 'source-over';
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = true;
  // Only what is made much smaller looks better for it, and it takes several times as long.
  context.imageSmoothingQuality = image && imageSize(image).width > 1.5 * canvas.width ? 'high' : 'low';
  if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'low';
  context.imageSmoothingEnabled = interpolation !== 'nearest';
  context.globalAlpha = spotlight ? opacity * (1 - faintest) : opacity;
  for (const fading of spotlight ? [true, false] : [false]) {
    context.globalCompositeOperation = fading ? 'saturation' : 'source-over';
    context.drawImage(picture, place.x, place.y, place.width, place.height);
    if (spotlight) darkenOutside(context, canvas, place);
  }
  context.restore();
}

/**
 * Where the map comes to lie: in whole pixels, so that no seam is seen at its edges.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {CanvasImageSource | null} image
 * @param {Rectangle} [crop]
 * @returns {Rectangle}
 */
function placeOf({ width, height }, image, crop) {
  if (!image) return { x: 0, y: 0, width, height };
  const size = imageSize(image);
  if (size.width === 0 || size.height === 0) throw invalid('The image has no pixels: it is closed, broken or not there yet. Draw it when it has been decoded, a video from its first frame on.');
  if (!crop) return { x: 0, y: 0, width, height };
  const [left, right] = [crop.x, crop.x + crop.width].map((x) => Math.round((x * width) / size.width));
  const [top, bottom] = [crop.y, crop.y + crop.height].map((y) => Math.round((y * height) / size.height));
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/**
 * Black, the less of it the more a value stands out.
 * @param {ViewMap} map
 * @param {import('./render.js').Scale} scale
 */
function shadow({ data, signed }, scale) {
  const out = new Uint8ClampedArray(4 * data.length);
  for (let i = 0; i < data.length; i++) out[4 * i + 3] = 255 * (1 - strength(data[i], signed, scale));
  return out;
}

/**
 * What the model did not see, it did not look at.
 * @param {Context} context
 * @param {{width: number, height: number}} canvas
 * @param {Rectangle} place
 */
function darkenOutside(context, canvas, place) {
  context.fillStyle = '#000';
  context.beginPath();
  context.rect(0, 0, canvas.width, canvas.height);
  context.rect(place.x, place.y, place.width, place.height);
  context.fill('evenodd');
}

/**
 * @param {Uint8ClampedArray<ArrayBuffer>} bytes
 * @param {ViewMap} map
 */
function asPicture(bytes, { rows, cols }) {
  const picture = new OffscreenCanvas(cols, rows);
  picture.getContext('2d')?.putImageData(new ImageData(bytes, cols, rows), 0, 0);
  return picture;
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
