/** Relative positions: what a head adds to its scores for each distance, around one query. */
import { slider } from '../../explorer/controls.js';
import { make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { createPhoto } from '../kit/photo.js';
import { onStep } from '../kit/scenes.js';
import { distance } from './distance.js';

/** @typedef {import('../figure.js').Context} Context */

/** @param {import('../figure.js').Hands} hands */
export function createRelative({ choose, change }) {
  const photo = createPhoto('The photo: choose the query', { onPick: (patch) => choose({ patch }), onHover: (place) => tell(place) });
  const heads = slider('Bias of head', { min: 0, max: 0, value: 0 }, String, change);
  const words = make('p', { class: 'note' });
  const element = make('div', {}, [photo.element, words, make('div', { class: 'controls' }, [heads.element])]);
  const begin = onStep(({ trace, head }) => heads.extend(trace.heads - 1, head ?? 0));

  /** @type {(hovered: number | null) => void} */
  let tell = () => {};

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace: { grid: [rows, cols], crop, prefixTokens, heads: count }, trace, patch, picked, layer, signal } = context;
      begin(context);
      heads.extend(count - 1, Math.min(heads.value, count - 1));
      const query = picked ? patch : Math.floor(rows / 2) * cols + Math.floor(cols / 2);
      const place = /** @type {[number, number]} */ ([Math.floor(query / cols), query % cols]);
      const { bias, layer: of } = await trace.query({ layer: layer ?? 0, head: heads.value, query: place, signal });
      if (signal.aborted || !bias) return '';
      const data = bias.slice(prefixTokens);
      await photo.show(context, { rows, cols, channels: 1, data, signed: true, text: 'relative bias', crop }, { patch: query, look: { style: 'colours', opacity: 1 } });
      const [low, high] = [Math.min(...data), Math.max(...data)];
      const most = data.indexOf(high);
      tell = (hovered) => {
        const at = hovered ?? most;
        words.textContent = `${distance(Math.floor(at / cols) - place[0], (at % cols) - place[1])}: ${number(data[at])}`;
      };
      tell(null);
      return `Layer ${of}, head ${heads.value}: to the score of each key this adds between ${number(low)} and ${number(high)}, most for the key ${distance(Math.floor(most / cols) - place[0], (most % cols) - place[1])}. `
        + 'Choose another query: the pattern goes along.';
    },
  };
}
