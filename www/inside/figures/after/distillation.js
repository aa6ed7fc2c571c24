/** DeiT: a second token, which learns what another network says. */
import { context2d, make, percent } from '../../../explorer/dom.js';
import { createCells, overlaid, seen } from '../../kit/cells.js';
import { count } from '../../facts.js';

/** @typedef {import('../../figure.js').Context} Context */

/** Patches that are drawn of all. */
const SHOWN = 5;

/** @param {import('../../figure.js').Hands} hands */
export function createDistillation({ choose }) {
  const tokens = make('div', { class: 'tokens' });
  const layers = make('div', { class: 'block' });
  const ends = make('div', { class: 'ends' }, [
    make('p', {}, [make('b', { class: 'z' }, ['class']), ' → head → trained on the label that a person gave']),
    make('p', {}, [make('b', { class: 's' }, ['distillation']), ' → head → trained on what the teacher says, a convolutional network']),
  ]);
  const maps = [createCells('What the class token looks at', { onPick: (patch) => choose({ patch }) }), createCells('What the distillation token looks at', { onPick: (patch) => choose({ patch }) })];
  const titles = ['', 'what the distillation token looks at'].map((text) => make('h3', {}, [text]));
  const sides = maps.map((map, i) => make('div', { class: 'side' }, [titles[i], map.element]));
  const element = make('div', { class: 'distillation' }, [tokens, layers, ends, make('div', { class: 'row grow' }, sides)]);

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, vit, patch, picked, look, signal } = context;
      const photo = await seen(context);
      if (signal.aborted) return '';
      const [rows, cols] = trace.grid;
      const has = vit.config.prefix.includes('distillation');
      const pieces = Array.from({ length: SHOWN }, (_, i) => {
        const at = Math.floor(((i + 0.5) * rows * cols) / SHOWN);
        const canvas = make('canvas', { width: '48', height: '48', 'aria-hidden': 'true' });
        const [w, h] = [photo.width / cols, photo.height / rows];
        context2d(canvas).drawImage(photo, (at % cols) * w, Math.floor(at / cols) * h, w, h, 0, 0, 48, 48);
        return canvas;
      });
      tokens.replaceChildren(make('b', { class: 'z' }, ['class']), make('b', { class: has ? 's' : 's absent' }, ['distillation']), ...pieces, `… ${count(rows * cols)} patches`);
      layers.textContent = `${count(trace.layers)} layers`;
      const own = [trace.headMap(), has && !trace.queries ? trace.headMap({ query: 'distillation' }) : undefined];
      const shape = { grid: trace.grid, ratio: trace.crop.width / trace.crop.height, place: picked ? patch : null };
      own.forEach((map, i) => {
        sides[i].hidden = !map;
        if (map) maps[i].show({ ...shape, text: map.text }, overlaid(photo, map, look));
      });
      const asks = vit.config.prefix.includes('class') ? 'the class token looks' : 'all patches look';
      titles[0].textContent = `what ${asks} at`;
      const said = 'A distillation token goes through the same layers as the class token and has a head of its own.';
      if (!has) return `${said} The loaded model has none; the map is what ${asks} at in its last layer.`;
      const [first, second] = own;
      return `${said} ${first && second ? `In the last layer ${percent(shared(first.data, second.data))} of what the two look at is the same.` : ''}`;
    },
  };
}

/** What two maps share, each taken as fractions of its sum. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function shared(a, b) {
  const total = (/** @type {ArrayLike<number>} */ map) => Array.from(map).reduce((sum, value) => sum + value, 0);
  const [all, other] = [total(a), total(b)];
  return Array.from(a).reduce((sum, value, i) => sum + Math.min(value / all, b[i] / other), 0);
}
