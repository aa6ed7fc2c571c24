/** All cards as one picture, with what they are and how large their values are. */
import { context2d } from '../dom.js';
import { drawRamp } from '../maps.js';
import { SIZE, drawCard, scaleColours, scaleWords } from './card.js';

/** @typedef {import('./card.js').Card} Card */

const GAP = 24;
const COLUMNS = [0, 1, 2, 3, 2, 3, 3, 4, 4];
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif';
/** Below the picture: two lines of the title, two of what it is about, the scale. */
const [TITLE, ABOUT, SCALE] = [24, 20, 38];
const TEXT = 12 + 2 * TITLE + 2 * ABOUT + SCALE;

/**
 * @param {Card[]} cards
 * @param {(import('./card.js').Range | undefined)[]} ranges
 * @returns {Promise<Blob>} a PNG
 */
export async function toSheet(cards, ranges) {
  const columns = COLUMNS[cards.length];
  const [width, height] = [SIZE.width + GAP, SIZE.height + TEXT + GAP];
  const sheet = document.createElement('canvas');
  Object.assign(sheet, { width: columns * width + GAP, height: Math.ceil(cards.length / columns) * height + GAP });
  const context = context2d(sheet);
  context.fillStyle = '#fff';
  context.fillRect(0, 0, sheet.width, sheet.height);
  const canvas = document.createElement('canvas');
  Object.assign(canvas, SIZE);
  cards.forEach((card, i) => {
    const [x, y] = [GAP + (i % columns) * width, GAP + Math.floor(i / columns) * height];
    context.fillStyle = '#eff0ee';
    context.fillRect(x, y, SIZE.width, SIZE.height);
    drawCard(canvas, card, ranges[i]);
    context.drawImage(canvas, x, y);
    drawText(context, card, ranges[i], x, y + SIZE.height + 12);
  });
  return new Promise((resolve, reject) => sheet.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The picture could not be made: memory is short. Remove a pin, and try again.')))));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Card} card
 * @param {import('./card.js').Range | undefined} range
 * @param {number} x
 * @param {number} y
 */
function drawText(context, card, range, x, y) {
  context.textBaseline = 'top';
  context.textAlign = 'left';
  for (const [text, font, colour, step] of /** @type {const} */ ([[card.title, `600 18px ${FONT}`, '#16181b', TITLE], [card.about, `15px ${FONT}`, '#5b6066', ABOUT]])) {
    context.font = font;
    context.fillStyle = colour;
    for (const [i, line] of lines(context, text).entries()) context.fillText(line, x, y + i * step);
    y += 2 * step;
  }
  if (!range) return;
  const ramp = document.createElement('canvas');
  Object.assign(ramp, { width: 256, height: 1 });
  drawRamp(ramp, scaleColours(card));
  context.drawImage(ramp, x, y + 6, SIZE.width, 10);
  const [low, high] = scaleWords(card, range);
  context.fillText(low, x, y + 20);
  context.textAlign = 'right';
  context.fillText(high, x + SIZE.width, y + 20);
}

/**
 * Two at most; what does not fit ends in an ellipsis.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 */
function lines(context, text) {
  const fits = (/** @type {string} */ line) => context.measureText(line).width <= SIZE.width;
  const words = text.split(' ');
  let first = words.shift() ?? '';
  while (words.length && fits(`${first} ${words[0]}`)) first += ` ${words.shift()}`;
  return [first, words.join(' ')].filter(Boolean).map((line) => {
    if (fits(line)) return line;
    let length = line.length;
    while (length > 1 && !fits(`${line.slice(0, length)}…`)) length--;
    return `${line.slice(0, length)}…`;
  });
}
