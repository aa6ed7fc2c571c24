import { paint } from '../colormaps.js';
import { context2d, find, percent } from '../dom.js';

/**
 * @typedef {import('../maps.js').AttentionMap} AttentionMap
 * @typedef {import('../maps.js').Choice} Choice
 * @typedef {import('../../pkg/index.js').PrefixToken} PrefixToken
 * @typedef {{choice: Choice, map: AttentionMap, prefix: PrefixToken[], colormap: import('../colormaps.js').ColormapName}} Shown
 */

/**
 * What the overlay shows, in words and with its scale, and the way back from a patch to the whole image.
 * @param {HTMLElement} root
 * @param {{onBack: () => void}} handlers
 */
export function createCaption(root, { onBack }) {
  const title = find(root, '[data-caption=title]');
  const detail = find(root, '[data-caption=detail]');
  const max = find(root, '[data-caption=max]');
  const scale = /** @type {HTMLCanvasElement} */ (find(root, '[data-caption=scale]'));
  const back = /** @type {HTMLButtonElement} */ (find(root, '[data-caption=back]'));
  const live = find(root, '.caption');
  const legend = find(root, '.legend p');
  const ramp = Float32Array.from({ length: scale.width }, (_, i) => i / (scale.width - 1));
  /** @type {Shown | undefined} */
  let shown;

  back.addEventListener('click', onBack);

  return {
    /**
     * @param {Shown | undefined} next
     * @param {{live?: boolean}} [state] while frames follow each other, nothing is read aloud
     */
    show(next, { live: running = false } = {}) {
      shown = next;
      live.setAttribute('aria-live', running ? 'off' : 'polite');
      back.disabled = !next || next.choice.query === null;
      if (next) back.textContent = next.prefix[0] === 'class' ? 'Back to class token' : 'Back to average';
      legend.hidden = !next;
      title.textContent = next ? headName(next.choice) : '\u00a0';
      detail.textContent = next ? sentence(next) : '\u00a0';
      max.textContent = next ? percent(next.map.max) : '\u00a0';
      if (next) context2d(scale).putImageData(paint(ramp, 1, next.colormap, scale.width, 1), 0, 0);
    },

    /** @param {number | null} patch under the pointer */
    hover(patch) {
      if (!shown) return;
      live.setAttribute('aria-live', 'off');
      const { map } = shown;
      detail.textContent = patch === null ? sentence(shown) : `${capital(patchName(patch, map.cols))} gets ${percent(map.data[patch])}.`;
    },
  };
}

/** @param {Choice} choice */
function headName({ layer, head }) {
  return head === 'mean' ? `Layer ${layer}, mean of heads` : `Layer ${layer}, head ${head}`;
}

/**
 * @param {number | null} query
 * @param {number} cols
 * @param {PrefixToken[]} prefix
 */
export function queryName(query, cols, prefix) {
  if (query !== null) return patchName(query, cols);
  return prefix[0] === 'class' ? 'the class token' : 'the average patch';
}

/** @param {Shown} shown */
function sentence({ choice: { query }, map, prefix }) {
  const where = `Where ${queryName(query, map.cols, prefix)} looks.`;
  if (prefix.length === 0) return where;
  if (prefix.length > 1 || prefix[0] !== 'class') return `${where} ${percent(map.rest)} to special tokens.`;
  return `${where} ${percent(map.rest)} ${query === null ? 'stays on itself' : 'to the class token'}.`;
}

/**
 * Row and column, from 0.
 * @param {number} patch
 * @param {number} cols
 */
function patchName(patch, cols) {
  return `patch (${Math.floor(patch / cols)}, ${patch % cols})`;
}

/** @param {string} text */
function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
