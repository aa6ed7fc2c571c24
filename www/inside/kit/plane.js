/** A canvas as large as its place, drawn in CSS pixels. */
import { context2d, make } from '../../explorer/dom.js';
import { remember } from '../../explorer/views/cache.js';

/**
 * @typedef {{context: CanvasRenderingContext2D, width: number, height: number, colour: (name: string) => string}} Sheet
 *   width, height: CSS pixels, in which the context draws; colour: a custom property's value, '--signal' say
 */

/**
 * @param {string} label
 * @param {(sheet: Sheet) => void} paint called whenever what is drawn, the size or the colours are others
 * @param {Record<string, string>} [attributes] of the canvas
 */
export function createPlane(label, paint, attributes = {}) {
  const canvas = make('canvas', { role: 'img', 'aria-label': label, ...attributes });
  const element = make('div', { class: 'plane' }, [canvas]);
  let [width, height] = [0, 0];

  function draw() {
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    const context = context2d(canvas);
    const style = getComputedStyle(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `12px ${style.fontFamily}`;
    paint({ context, width, height, colour: (name) => style.getPropertyValue(name).trim() });
  }
  new ResizeObserver(() => {
    [width, height] = [element.clientWidth, element.clientHeight];
    draw();
  }).observe(element);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

  return { element, canvas, draw };
}

/**
 * A photo's pixels, decoded once.
 * @param {Blob | ImageBitmap} image
 * @returns {Promise<ImageBitmap>}
 */
export function pictureOf(image) {
  return remember(image, 'picture', () => createImageBitmap(image));
}

/**
 * A rectangle of this shape, as large as fits and in the middle.
 * @param {number} ratio width over height
 * @param {{x?: number, y?: number, width: number, height: number}} room
 */
export function fit(ratio, { x = 0, y = 0, width, height }) {
  const across = Math.min(width, height * ratio);
  return { x: x + (width - across) / 2, y: y + (height - across / ratio) / 2, width: across, height: across / ratio };
}

/**
 * Calls with what of the way is done, from 0 to 1; at once with 1 where nothing shall move. A newer one ends it.
 * @param {number} duration ms
 * @param {(done: number) => void} step
 */
export function createTween(duration, step) {
  let frame = 0;
  return {
    /** @param {boolean} still */
    run(still) {
      cancelAnimationFrame(frame);
      if (still) return step(1);
      /** @type {number | undefined} */
      let begun;
      const tick = (/** @type {number} */ now) => {
        begun ??= now;
        const done = Math.min(1, (now - begun) / duration);
        step(1 - (1 - done) ** 3);
        if (done < 1) frame = requestAnimationFrame(tick);
      };
      frame = requestAnimationFrame(tick);
    },
    stop: () => cancelAnimationFrame(frame),
  };
}

/**
 * The patch to which an arrow key leads.
 * @param {string} key
 * @param {number} patch
 * @param {[rows: number, cols: number]} grid
 * @returns {number | undefined} undefined for other keys
 */
export function stepped(key, patch, [rows, cols]) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
  if (!step) return undefined;
  const [row, col] = [Math.floor(patch / cols) + step[0], (patch % cols) + step[1]];
  return row < 0 || row >= rows || col < 0 || col >= cols ? patch : row * cols + col;
}
