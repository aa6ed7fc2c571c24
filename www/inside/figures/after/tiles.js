/** Several small pictures of the photo in one, each with its name. */
import { drawOverlay } from '../../../../pkg/dist/index.js';
import { overlayOptions } from '../../../explorer/maps.js';

/** Between pictures, in CSS pixels. */
const GAP = 6;

/**
 * @param {HTMLCanvasElement} photo what is beneath
 * @param {(import('../../../../pkg/index.js').ViewMap | undefined)[]} maps none: the photo as it is
 * @param {string[]} names
 * @param {[rows: number, cols: number]} grid of the pictures
 * @param {import('../../figure.js').Context['look']} look
 * @returns {import('../../kit/cells.js').Paint}
 */
export function tiled(photo, maps, names, grid, look) {
  return (target, width, height) => {
    const scale = target.getTransform().a;
    maps.forEach((map, i) => {
      const { x, y, width: w, height: h } = tileAt(i, width, height, grid);
      if (map) {
        const small = new OffscreenCanvas(Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale)));
        drawOverlay(small, photo, { ...map, crop: undefined }, overlayOptions(map, look));
        target.drawImage(small, x, y, w, h);
      } else target.drawImage(photo, x, y, w, h);
      target.font = `${w < 90 ? 11 : 13}px ${getComputedStyle(target.canvas).fontFamily}`;
      const wide = target.measureText(names[i]).width + 10;
      target.fillStyle = 'rgb(0 0 0 / 0.6)';
      target.fillRect(x, y, wide, 18);
      Object.assign(target, { fillStyle: '#fff', textBaseline: 'middle' });
      target.fillText(names[i], x + 5, y + 9.5);
    });
  };
}

/**
 * Where one of the pictures is.
 * @param {number} i
 * @param {number} width
 * @param {number} height
 * @param {[rows: number, cols: number]} grid
 */
export function tileAt(i, width, height, [rows, cols]) {
  const [w, h] = [width / cols, height / rows];
  return { x: (i % cols) * w + GAP / 2, y: Math.floor(i / cols) * h + GAP / 2, width: w - GAP, height: h - GAP };
}

/**
 * Rows and columns in which pictures fill a room of a shape best.
 * @param {number} count
 * @param {number} ratio of one picture, width by height
 * @param {HTMLElement} room
 * @returns {[rows: number, cols: number]}
 */
export function arranged(count, ratio, { clientWidth, clientHeight }) {
  const size = (/** @type {number} */ cols) => Math.min(clientWidth / cols, (clientHeight / Math.ceil(count / cols)) * ratio);
  const cols = Array.from({ length: count }, (_, i) => i + 1).reduce((best, cols) => (size(cols) > size(best) + 0.5 ? cols : best), 1);
  return [Math.ceil(count / cols), cols];
}
