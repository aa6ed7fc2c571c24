/** A view that was pinned: its map and what it lay over, as they were. */
import { drawOverlay } from '../../../pkg/dist/index.js';
import { context2d } from '../dom.js';
import { isLight, overlayOptions, rampOf, rangeOf, rangeWords } from '../maps.js';
import { classNames } from '../names.js';
import { scoreFormat } from '../scores.js';
import { number } from '../words.js';

/**
 * @typedef {import('../maps.js').ViewMap} ViewMap
 * @typedef {[low: number, high: number]} Range
 * @typedef {{
 *   map: ViewMap, picture: ImageBitmap | undefined, look: import('../maps.js').Look,
 *   title: string, about: string, kind: string, format: (value: number) => string,
 * }} Card  picture: missing where the map lies on none; about: photo, answer and model; kind: values of one kind can share a scale
 */

/** Of every card's picture, in pixels: on the page and in the file. */
export const SIZE = { width: 480, height: 360 };
/** Of a picture that is kept, at the longer edge. */
const LONGEST = 960;

/**
 * What is shown.
 * @param {{
 *   map: ViewMap, look: import('../maps.js').Look, picture: Card['picture'], subject: import('../viewer.js').Subject,
 *   text: string | undefined, words: import('../view.js').Words | undefined, view: string,
 * }} shown
 * @returns {Card}
 */
export function cardOf({ map, look, picture, subject: { trace, vit, title }, text = map.text, words: { unit = '', format = number } = {}, view }) {
  const [top] = trace.top;
  const answer = top ? `: ${classNames(vit.config.labels)[top.index]}, ${scoreFormat(trace.scores)(top.score)}` : '';
  const over = map.crop && picture;
  return { map, picture: over, look: over ? look : { ...look, style: 'colours' }, title: text, about: title + answer, kind: `${view} ${unit}`, format };
}

/**
 * A card that stays as it is, whatever becomes of the photo.
 * @param {Card} card
 * @returns {Promise<Card>}
 */
export async function snapshot(card) {
  if (!card.picture) return card;
  const copy = await createImageBitmap(card.picture);
  const scale = LONGEST / Math.max(copy.width, copy.height);
  if (scale >= 1) return { ...card, picture: copy };
  const [width, height] = [Math.round(copy.width * scale), Math.round(copy.height * scale)];
  const picture = await createImageBitmap(copy, { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' });
  const { crop } = card.map;
  const [x, y] = [width / copy.width, height / copy.height];
  copy.close();
  return { ...card, picture, map: { ...card.map, crop: crop && { x: crop.x * x, y: crop.y * y, width: crop.width * x, height: crop.height * y } } };
}

/** @param {Card} card */
export function release({ picture }) {
  picture?.close();
}

/** @param {Card} card @returns {Range | undefined} undefined: colours of its own, or nothing but zeros */
function ownRange({ map, look }) {
  if (map.channels !== 1) return undefined;
  const range = rangeOf(map, look);
  return range[1] || isLight(map, look) ? range : undefined;
}

/**
 * What the ends of each card's scale mean: its own values, or all of those of its kind.
 * @param {Card[]} cards
 * @param {boolean} common
 * @returns {(Range | undefined)[]}
 */
export function rangesOf(cards, common) {
  const own = cards.map(ownRange);
  if (!common) return own;
  const scale = (/** @type {Card} */ { kind, map, look }) => `${kind} ${isLight(map, look)}`;
  return cards.map((card, i) => {
    const like = own.flatMap((range, k) => (own[i] && range && scale(cards[k]) === scale(card) ? [range] : []));
    return like.length ? [Math.min(...like.map(([low]) => low)), Math.max(...like.map(([, high]) => high))] : undefined;
  });
}

/** @param {Card} card */
export function scaleColours({ map, look }) {
  return rampOf(map, look);
}

/** The ends of a card's scale, in words. @param {Card} card @param {Range} range */
export function scaleWords({ map, look, format }, range) {
  return rangeWords(map, look, range, format);
}

/**
 * @param {HTMLCanvasElement} canvas of SIZE
 * @param {Card} card
 * @param {Range | undefined} range
 */
export function drawCard(canvas, card, range) {
  const { map, picture, look } = card;
  const own = picture ?? { width: map.cols, height: map.rows };
  const scale = Math.min(SIZE.width / own.width, SIZE.height / own.height);
  const drawn = document.createElement('canvas');
  Object.assign(drawn, { width: Math.max(1, Math.round(own.width * scale)), height: Math.max(1, Math.round(own.height * scale)) });
  const options = overlayOptions(map, look);
  drawOverlay(drawn, picture ?? null, map, picture ? { ...options, range } : { colormap: options.colormap, interpolation: 'nearest', range });
  const context = context2d(canvas);
  context.clearRect(0, 0, SIZE.width, SIZE.height);
  context.drawImage(drawn, Math.round((SIZE.width - drawn.width) / 2), Math.round((SIZE.height - drawn.height) / 2));
}
