// The site's icons: the mark of the page's header, a grid of patches whose middle one looks.
import { png } from './png.mjs';

/** Of a picture of 16 × 16 units. */
const SQUARES = [1, 6, 11].flatMap((y) => [1, 6, 11].map((x) => ({ x, y, size: 4, looks: x === 6 && y === 6 })));
const CELL = [0x88, 0x8c, 0x90];
const FOCUS = [0xd2, 0x43, 0x1f];
const PAPER = [0xfb, 0xfb, 0xfa];
/** How much of a cell's colour there is. */
const FAINT = 0.55;

/** By their names in the site's folder `icons/`. @returns {Map<string, Buffer>} */
export function icons() {
  return new Map([
    ['mark.svg', Buffer.from(svg())],
    ['mark-192.png', square(192, 12)],
    ['mark-512.png', square(512, 32)],
    // Whatever shape a system cuts out of it, a circle of four fifths is left; and where it takes no hole, there is paper.
    ['maskable-512.png', square(512, 20, PAPER)],
  ]);
}

function svg() {
  const hex = (/** @type {number[]} */ colour) => `#${Buffer.from(colour).toString('hex')}`;
  const rects = SQUARES.map(({ x, y, size, looks }) => `<rect x="${x}" y="${y}" width="${size}" height="${size}" fill="${hex(looks ? FOCUS : CELL)}"${looks ? '' : ` opacity="${FAINT}"`}/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${rects.join('')}</svg>\n`;
}

/**
 * @param {number} edge in pixels
 * @param {number} unit in pixels; whole, so that no edge of a square falls into one
 * @param {number[]} [paper] none: it is transparent
 */
function square(edge, unit, paper) {
  const margin = (edge - 16 * unit) / 2;
  return png(edge, edge, (x, y) => {
    const [column, row] = [x, y].map((at) => (at - margin) / unit);
    const found = SQUARES.find((own) => column >= own.x && column < own.x + own.size && row >= own.y && row < own.y + own.size);
    const colour = found?.looks ? FOCUS : CELL;
    const share = found ? (found.looks ? 1 : FAINT) : 0;
    if (!paper) return [colour[0], colour[1], colour[2], Math.round(255 * share)];
    const [r, g, b] = paper.map((ground, i) => Math.round(share * colour[i] + (1 - share) * ground));
    return [r, g, b, 255];
  });
}
