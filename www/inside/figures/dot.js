import { make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { frac, math, num, op, root, row, sub, sym } from '../math.js';
import { createStrips } from './strips.js';

/** @typedef {import('../../../pkg/index.js').HeadInside} HeadInside */

const Q = sym('q', 'q');
const K = sym('k', 'k');

/** One cell of attention: a query, a key, what they make multiplied place by place, and the arithmetic of the score written out. */
export function createDot() {
  const strips = createStrips([
    { label: math(Q), name: 'q' },
    { label: math(K), name: 'k' },
    { label: math(sub(Q, sym('i')), sub(K, sym('i'))), name: 'q × k', thumb: false },
  ], (index) => tell(index));
  const place = make('p', { class: 'place' });
  const sum = make('p', { class: 'sum' });
  const element = make('div', { class: 'dot panel-part' }, [strips.element, place, sum]);
  /** @type {{q: ArrayLike<number>, k: ArrayLike<number>, products: number[]} | undefined} */
  let shown;

  /** The arithmetic of one place; of the one that counts most unless one is pointed at. @param {number | null} index */
  function tell(index) {
    if (!shown) return;
    const { q, k, products } = shown;
    const at = index ?? products.reduce((best, value, i) => (Math.abs(value) > Math.abs(products[best]) ? i : best), 0);
    const words = index === null ? 'Counts most' : 'Here';
    place.innerHTML = `${words}: ${math(sub(Q, num(at)), sub(K, num(at)), op('='), num(number(q[at])), op('×'), bracketed(k[at]), op('='), num(number(products[at])))}`;
    strips.point(at);
  }

  return {
    element,
    /**
     * @param {HeadInside} inside
     * @param {number} key
     * @param {{trace: import('../../../pkg/index.js').Trace, picture: ImageBitmap | undefined}} of
     */
    show({ q, k, scores, bias, token }, key, of) {
      const own = k.subarray(key * q.length, (key + 1) * q.length);
      const products = Array.from(q, (value, i) => value * own[i]);
      const dot = products.reduce((a, b) => a + b, 0);
      strips.show(0, { values: q }, { ...of, token });
      strips.show(1, { values: own }, { ...of, token: key });
      strips.show(2, { values: products, tail: `Σ ${number(dot)}` });
      shown = { q, k: own, products };
      tell(null);
      sum.innerHTML = math(
        sym('s', 's'), op('='), frac(row(Q, op('·'), K), root(sub(sym('d'), sym('k')))), ...(bias ? [op('+'), sym('b')] : []), op('='),
        frac(num(number(dot)), root(num(q.length))), ...(bias ? [op('+'), bracketed(bias[key])] : []), op('='), `<mn class="s">${number(scores[key])}</mn>`,
      );
    },
  };
}

/** A number, in brackets if it is below 0. @param {number} value */
function bracketed(value) {
  return value < 0 ? row(op('('), num(number(value)), op(')')) : num(number(value));
}
