import { find } from '../dom.js';
import { drawRamp, rampOf, rangeOf, rangeWords } from '../maps.js';
import { number } from '../words.js';

/**
 * @typedef {import('../maps.js').ViewMap} ViewMap
 * @typedef {{
 *   map: ViewMap | undefined, text?: string, detail?: string, format?: (value: number) => string, look: import('../maps.js').Look, query: number | null,
 *   prefix: import('../../../pkg/index.js').PrefixToken[], live: boolean,
 * }} Shown
 */

/**
 * What the overlay shows, in words and with its scale, and the way back from a patch to the whole image.
 * @param {HTMLElement} root
 * @param {{onBack: () => void}} handlers
 */
export function createCaption(root, { onBack }) {
  const title = find(root, '[data-caption=title]');
  const detail = find(root, '[data-caption=detail]');
  const min = find(root, '[data-caption=min]');
  const max = find(root, '[data-caption=max]');
  const scale = /** @type {HTMLCanvasElement} */ (find(root, '[data-caption=scale]'));
  const back = /** @type {HTMLButtonElement} */ (find(root, '[data-caption=back]'));
  const words = find(root, '.caption');
  const legend = find(root, '.legend');
  /** @type {Shown | undefined} */
  let shown;

  back.addEventListener('click', onBack);

  /** @param {Shown} next */
  function showScale({ map, look, format = number }) {
    const scaled = map?.crop && map.channels === 1;
    legend.classList.toggle('empty', !scaled);
    if (!scaled) return;
    [min.textContent, max.textContent] = rangeWords(map, look, rangeOf(map, look), format);
    drawRamp(scale, rampOf(map, look));
  }

  return {
    /** @param {Shown | undefined} next */
    show(next) {
      shown = next;
      words.setAttribute('aria-live', next?.live ? 'off' : 'polite'); // while frames follow each other, nothing is read aloud
      back.disabled = !next || next.query === null;
      if (next) back.textContent = next.prefix[0] === 'class' ? 'Back to class token' : 'Back to average';
      title.textContent = next?.text ?? '\u00a0';
      title.title = next?.map?.text ?? '';
      detail.textContent = next?.detail ?? '\u00a0';
      detail.title = next?.detail ?? '';
      if (next) showScale(next);
      else legend.classList.add('empty');
    },

    /** @param {number | null} patch under the pointer */
    hover(patch) {
      if (!shown?.map) return;
      const { map, detail: sentence = '\u00a0', format = number } = shown;
      words.setAttribute('aria-live', 'off');
      if (patch === null) detail.textContent = sentence;
      else detail.textContent = `Patch (${Math.floor(patch / map.cols)}, ${patch % map.cols}): ${[...map.data.subarray(patch * map.channels, (patch + 1) * map.channels)].map(format).join(', ')}`;
    },
  };
}
