import { paint } from '../colormaps.js';
import { context2d, find } from '../dom.js';

/**
 * @typedef {{opacity: number, colormap: import('../colormaps.js').ColormapName, smooth: boolean}} View
 */

/**
 * How the overlay is drawn: opacity, colours, smoothing.
 * @param {HTMLElement} root
 * @param {(view: View) => void} onChange
 */
export function createView(root, onChange) {
  const opacity = /** @type {HTMLInputElement} */ (find(root, '[name=opacity]'));
  const smooth = /** @type {HTMLInputElement} */ (find(root, '[name=smooth]'));
  const output = find(root, 'output');

  for (const input of root.querySelectorAll('input[name=colormap]')) {
    const canvas = /** @type {HTMLCanvasElement} */ (find(/** @type {Element} */ (input.parentElement), 'canvas'));
    const ramp = Float32Array.from({ length: canvas.width }, (_, i) => i / (canvas.width - 1));
    const name = /** @type {View['colormap']} */ (/** @type {HTMLInputElement} */ (input).value);
    context2d(canvas).putImageData(paint(ramp, 1, name, canvas.width, 1), 0, 0);
  }

  /** @returns {View} */
  const read = () => {
    const checked = /** @type {HTMLInputElement} */ (find(root, 'input[name=colormap]:checked'));
    return { opacity: Number(opacity.value) / 100, colormap: /** @type {View['colormap']} */ (checked.value), smooth: smooth.checked };
  };
  root.addEventListener('input', () => {
    output.textContent = `${opacity.value} %`;
    onChange(read());
  });
  output.textContent = `${opacity.value} %`;
  return { read };
}
