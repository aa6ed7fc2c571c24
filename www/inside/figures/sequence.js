/** Tokens side by side, each a strip of coloured cells, those before the patches set apart; each is found by pointer. */
import { colourise } from '../../../pkg/dist/index.js';
import { context2d } from '../../explorer/dom.js';
import { createPlane } from '../kit/plane.js';

/**
 * @typedef {{image: HTMLCanvasElement, count: number, prefix: number}} Strips  image: a pixel a number, [size, count]
 * @typedef {{strips: Strips, label: string, photo?: HTMLCanvasElement, grid: [rows: number, cols: number]}} Row  photo: of which each patch is shown above its strip
 * @typedef {{token: number, x: number, y: number, width: number, height: number}} Place
 */

/** CSS pixels: a strip's width by itself, at least, and in a block; between strips; between those before the patches and these; a line of text; between bands of a block. */
const STRIP = 15;
const LEAST = 2;
const APART = 3;
const GAP = 14;
const LINE = 20;
const BETWEEN = 6;
/** Of the numbers' sizes, the one that is given the last colour: a few are far larger than all others. */
const FULL = 0.98;

/**
 * @param {Float32Array} values [count, size] at least
 * @param {number} count
 * @param {number} size
 * @param {number} prefix how many of them are no patches
 * @returns {Strips}
 */
export function stripsOf(values, count, size, prefix) {
  const sizes = values.slice(0, count * size).map(Math.abs).sort();
  const most = sizes[Math.floor(FULL * (sizes.length - 1))] || 1;
  const data = new Float32Array(count * size);
  for (let token = 0; token < count; token++) {
    for (let i = 0; i < size; i++) data[i * count + token] = values[token * size + i];
  }
  const image = document.createElement('canvas');
  Object.assign(image, { width: count, height: size });
  const map = { rows: size, cols: count, channels: /** @type {1} */ (1), data, signed: true, text: 'tokens' };
  context2d(image).putImageData(new ImageData(colourise(map, { range: [-most, most] }), count, size), 0, 0);
  return { image, count, prefix };
}

/**
 * Where strips lie by themselves, as many as there is room for: the first, or if the chosen one is not among these, those around it.
 * @param {Strips} strips
 * @param {{width: number, top: number, height: number}} room
 * @param {number} chosen
 * @param {number} present how much of the prefix is there, 0 to 1
 * @returns {Place[]}
 */
function apart({ count, prefix }, { width, top, height }, chosen, present) {
  const each = STRIP + APART;
  const before = present * (prefix ? prefix * each - APART + GAP : 0);
  const patches = count - prefix;
  const fitting = Math.min(patches, Math.floor((width - before - GAP) / each));
  const first = chosen - prefix < fitting ? 0 : Math.min(patches - fitting, chosen - prefix - (fitting >> 1));
  const place = (/** @type {number} */ token, /** @type {number} */ x) => ({ token, x: x + 1, y: top + STRIP + APART, width: STRIP, height: height - STRIP - APART });
  return [
    ...Array.from({ length: prefix }, (_, i) => place(i, before - (prefix - i) * each + APART - GAP)),
    ...Array.from({ length: fitting }, (_, i) => place(prefix + first + i, before + i * each)),
  ];
}

/**
 * Where all strips lie close to each other, in as many bands as they need.
 * @param {Strips} strips
 * @param {{width: number, top: number, height: number}} room
 * @returns {Place[]}
 */
function together({ count, prefix }, { width, top, height }) {
  const before = prefix ? prefix * STRIP + GAP : 0;
  const patches = count - prefix;
  const bands = Math.ceil((patches * LEAST) / (width - before));
  const inBand = Math.ceil(patches / bands);
  const each = (width - before - 2) / inBand;
  const tall = (height - (bands - 1) * BETWEEN) / bands;
  return Array.from({ length: count }, (_, token) => {
    if (token < prefix) return { token, x: 1 + token * STRIP, y: top, width: STRIP - APART, height: tall };
    const at = token - prefix;
    return { token, x: 1 + before + (at % inBand) * each, y: top + Math.floor(at / inBand) * (tall + BETWEEN), width: each, height: tall };
  });
}

/**
 * @param {string} label
 * @param {{onHover: (token: number | null) => void, onPick: (token: number) => void, onKey: (event: KeyboardEvent) => void}} handlers
 */
export function createSequence(label, { onHover, onPick, onKey }) {
  /** @type {Row[]} */
  let rows = [];
  let block = false;
  let chosen = -1;
  let present = 1;
  /** For the pointer. @type {Place[]} */
  let places = [];

  const plane = createPlane(label, ({ context, width, height, colour }) => {
    const each = height / (rows.length || 1);
    places = rows.flatMap(({ strips, label, photo, grid: [down, across] }, i) => {
      const top = i * each;
      const room = { width, top: top + LINE, height: each - LINE - BETWEEN };
      const here = block ? together(strips, room) : apart(strips, room, chosen, present);
      const { image, prefix, count } = strips;
      context.fillStyle = colour('--ink');
      context.fillText(label, 0, top + 13);
      for (const { token, x, y, width, height } of here) {
        context.globalAlpha = token < prefix ? present : 1;
        context.imageSmoothingEnabled = image.height > height;
        context.drawImage(image, token, 0, 1, image.height, x, y, width, height);
        if (block) continue;
        const [at, above] = [token - prefix, y - STRIP - APART];
        if (at < 0) {
          context.strokeStyle = colour('--strong-line');
          context.lineWidth = 1;
          context.strokeRect(x + 0.5, above + 0.5, STRIP - 1, STRIP - 1);
        } else if (photo) {
          const [w, h] = [photo.width / across, photo.height / down];
          context.drawImage(photo, (at % across) * w, Math.floor(at / across) * h, w, h, x, above, STRIP, STRIP);
        }
      }
      context.globalAlpha = 1;
      context.fillStyle = colour('--soft');
      const last = here[here.length - 1];
      const start = here.find(({ token }) => token >= prefix);
      if (!block && last.token < count - 1) context.fillText('…', last.x + STRIP + APART, room.top + 12);
      if (!block && start && start.token > prefix && prefix) context.fillText('…', start.x - GAP, room.top + 12);
      return here;
    });
    context.strokeStyle = colour('--signal');
    context.lineWidth = 2;
    for (const { token, x, y, width, height } of places) if (token === chosen) context.strokeRect(x - 1, y - 1, Math.max(width, 3) + 2, height + 2);
  }, { tabindex: '0' });

  /** @param {MouseEvent} event */
  const tokenAt = ({ offsetX, offsetY }) => places.find(({ x, y, width, height }) => offsetX >= x - 1 && offsetX < x + width + 2 && offsetY >= y - STRIP - APART && offsetY < y + height)?.token;
  plane.canvas.addEventListener('pointermove', (event) => event.pointerType === 'mouse' && onHover(tokenAt(event) ?? null));
  plane.canvas.addEventListener('pointerleave', () => onHover(null));
  plane.canvas.addEventListener('click', (event) => {
    const token = tokenAt(event);
    if (token !== undefined) onPick(token);
  });
  plane.canvas.addEventListener('keydown', onKey);

  return {
    element: plane.element,

    /**
     * @param {Row[]} next
     * @param {{present: number, block: boolean}} how present: how much of the prefix is there, from 0 to 1; block: whether all tokens are shown, close to each other
     */
    show(next, how) {
      rows = next;
      ({ present, block } = how);
      plane.draw();
    },

    /** @param {number} token */
    mark(token) {
      chosen = token;
      plane.draw();
    },
  };
}
