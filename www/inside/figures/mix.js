import { make, percent } from '../../explorer/dom.js';
import { math, sub, sum, sym } from '../math.js';
import { createStrips } from './strips.js';

/** @typedef {import('../../../pkg/index.js').HeadInside} HeadInside */

/** How many tokens are shown by themselves, at most. */
const ROWS = 8;
/** Height of one, CSS pixels: where there is room, and on a phone. */
const HEIGHTS = { wide: 27, low: 21 };
/** Below this there is no room. */
const LOW = 140;

/** Milliseconds. */
const FADE = 1200;

const V = sym('v', 'v');
const A = sym('a', 's');

/** What a head gathers: the values, each as strong as its share, and their sum. */
export function createMix() {
  const weighted = math(sub(A, sym('j')), sub(V, sym('j')));
  const strips = createStrips([
    ...Array.from({ length: ROWS }, () => ({ label: weighted, name: 'a × v' })),
    { label: 'others', name: 'a × v of all others', thumb: false, kind: 'others' },
    { label: math(sum(sym('j')), sub(A, sym('j')), sub(V, sym('j'))), name: 'their sum', thumb: false, kind: 'total' },
  ]);
  const element = make('div', { class: 'mix panel-part' }, [strips.element]);

  let count = 0;

  return {
    element,
    /** How many tokens are shown by themselves. */
    get shown() {
      return count;
    },
    /**
     * @param {HeadInside} inside
     * @param {{trace: import('../../../pkg/index.js').Trace, picture: ImageBitmap | undefined}} of
     * @param {number} room CSS pixels
     * @param {AbortSignal} [moving] the values fade from all of their strength to their shares of it, until this is aborted
     */
    show({ attention, v, context }, of, room, moving) {
      const size = context.length;
      count = Math.min(ROWS, attention.length - 1, Math.max(2, Math.floor(room / (room < LOW ? HEIGHTS.low : HEIGHTS.wide)) - 2));
      const shown = Array.from(attention.keys()).sort((a, b) => attention[b] - attention[a]).slice(0, count);
      const values = shown.map((token) => v.subarray(token * size, (token + 1) * size));
      const parts = values.map((value, i) => value.map((x) => attention[shown[i]] * x));
      const others = context.map((value, i) => value - parts.reduce((total, part) => total + part[i], 0));
      const most = [...parts, others, context].reduce((most, part) => part.reduce((a, b) => Math.max(a, Math.abs(b)), most), 0) || 1;
      const rest = 1 - shown.reduce((total, token) => total + attention[token], 0);

      /** @param {number} strength 0: the values as they are, 1: each as strong as its share */
      const draw = (strength) => shown.forEach((token, i) => {
        strips.show(i, { values: strength === 1 ? parts[i] : values[i].map((x) => x * (1 + strength * (attention[token] - 1))), most, tail: percent(attention[token]) }, strength === 1 ? { ...of, token } : undefined);
      });
      draw(1);
      for (let i = count; i < ROWS; i++) strips.hide(i);
      strips.show(ROWS, { values: others, most, tail: percent(Math.max(0, rest)) });
      strips.show(ROWS + 1, { values: context, most, tail: '100 %' });
      if (!moving) return;
      const start = performance.now();
      const frame = (/** @type {number} */ now) => {
        if (moving.aborted) return; // something newer is drawn
        const part = Math.min(1, Math.max(0, now - start) / FADE);
        draw(part * part * (3 - 2 * part));
        if (part < 1) requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    },
  };
}
