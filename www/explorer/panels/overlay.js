import { find } from '../dom.js';
import { drawRamp } from '../maps.js';

/**
 * How the overlay is drawn: as a spotlight or in colours, how strongly, how smoothly.
 * @param {HTMLElement} root
 * @param {() => void} onChange
 */
export function createOverlay(root, onChange) {
  const opacity = /** @type {HTMLInputElement} */ (find(root, '[name=opacity]'));
  const smooth = /** @type {HTMLInputElement} */ (find(root, '[name=smooth]'));
  const colours = /** @type {HTMLFieldSetElement} */ (find(root, 'fieldset'));
  const output = find(root, 'output');

  for (const input of root.querySelectorAll('input[name=colormap]:not([value=spotlight])')) {
    const canvas = /** @type {HTMLCanvasElement} */ (find(/** @type {Element} */ (input.parentElement), 'canvas'));
    drawRamp(canvas, /** @type {import('../maps.js').Colormap} */ (/** @type {HTMLInputElement} */ (input).value));
  }
  const say = () => (output.textContent = `${opacity.value} %`);
  root.addEventListener('input', () => {
    say();
    onChange();
  });
  say();

  return {
    /** @returns {import('../maps.js').Look} */
    read() {
      const checked = /** @type {HTMLInputElement} */ (find(root, 'input[name=colormap]:checked'));
      const shared = { opacity: Number(opacity.value) / 100, smooth: smooth.checked };
      if (checked.value === 'spotlight') return { style: 'spotlight', colormap: 'viridis', ...shared };
      return { style: 'colours', colormap: /** @type {import('../maps.js').Colormap} */ (checked.value), ...shared };
    },

    /** What there is no control or no choice for is passed over. @param {Partial<import('../maps.js').Look>} look */
    show({ style, colormap, opacity: share, smooth: smoothed }) {
      const wanted = style === 'spotlight' ? style : colormap;
      for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (root.querySelectorAll('input[name=colormap]'))) input.checked ||= input.value === wanted;
      if (share !== undefined) opacity.value = String(Math.round(100 * share));
      if (smoothed !== undefined) smooth.checked = smoothed;
      say();
    },

    /** Maps with values below 0, or with colours of their own, leave no choice. @param {import('../maps.js').ViewMap | undefined} map */
    suit(map) {
      colours.disabled = Boolean(map && (map.signed || map.channels === 3));
    },
  };
}
