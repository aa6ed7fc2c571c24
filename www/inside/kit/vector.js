import { colourise } from '../../../pkg/dist/index.js';
import { context2d, make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';

/**
 * Numbers as a strip of coloured cells, the middle of the scale for 0. Under the pointer, or by arrow keys, a cell says its number.
 * @param {string} label
 * @param {(index: number | null) => void} [onHover]
 */
export function createVector(label, onHover = () => {}) {
  const canvas = make('canvas', { tabindex: '0', role: 'img', 'aria-label': label });
  const value = make('output', { class: 'value' }, ['\u00a0']);
  const element = make('div', { class: 'vector' }, [canvas, value]);
  /** @type {ArrayLike<number>} */
  let shown = [];
  let at = -1;

  /** @param {number} index */
  function point(index) {
    at = index;
    const known = index >= 0 && index < shown.length;
    value.textContent = known ? `${label} [${index}] = ${number(shown[index])}` : '\u00a0';
    onHover(known ? index : null);
  }
  canvas.addEventListener('pointermove', ({ offsetX }) => point(Math.min(shown.length - 1, Math.max(0, Math.floor((offsetX / canvas.clientWidth) * shown.length)))));
  canvas.addEventListener('pointerleave', () => point(-1));
  canvas.addEventListener('blur', () => point(-1));
  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !shown.length) return;
    event.preventDefault();
    point(Math.min(shown.length - 1, Math.max(0, at + step)));
  });

  return {
    element,

    /**
     * @param {ArrayLike<number>} values
     * @param {number} [most] of the scale; the largest of them unless told
     */
    show(values, most = Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1) {
      shown = values;
      const map = { rows: 1, cols: values.length, channels: /** @type {1} */ (1), data: Float32Array.from(values), signed: true, text: label };
      Object.assign(canvas, { width: values.length, height: 1 });
      context2d(canvas).putImageData(new ImageData(colourise(map, { range: [-most, most] }), values.length, 1), 0, 0);
      canvas.setAttribute('aria-label', `${label}: ${values.length} numbers from ${number(Math.min(...Array.from(values)))} to ${number(Math.max(...Array.from(values)))}`);
    },
  };
}
