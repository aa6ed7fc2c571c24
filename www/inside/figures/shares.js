import { make, percent } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { softmax } from '../kit/softmax.js';
import { frac, math, num, op, row, sub, sum, sup, sym, words } from '../math.js';
import { tokenName } from './asking.js';

/** @typedef {import('../../../pkg/index.js').Trace} Trace */

const NS = 'http://www.w3.org/2000/svg';
/** Of a drawing, in units of its own; it is stretched. */
const HIGH = 100;

/**
 * The row of a query: all scores, sorted, and below each the share that softmax makes of it. Under the pointer, or by arrow keys, a token is chosen.
 * @param {{onHover: (token: number | null) => void, onPick: (token: number) => void}} handlers
 */
export function createShares({ onHover, onPick }) {
  const upper = plot('scores');
  const lower = plot('shares');
  const cell = make('p', { class: 'sum' });
  const field = make('div', { class: 'plots', tabindex: '0', role: 'application', 'aria-label': 'Scores and shares of all tokens: arrow keys choose a token' }, [upper.element, lower.element]);
  const element = make('div', { class: 'shares panel-part' }, [field, cell]);
  /** Tokens by their scores. @type {number[]} */
  let order = [];
  let key = 0;

  /** @param {MouseEvent} event */
  const tokenAt = ({ clientX }) => {
    const { left, width } = upper.svg.getBoundingClientRect();
    return order[Math.min(order.length - 1, Math.max(0, Math.floor(((clientX - left) / width) * order.length)))];
  };
  field.addEventListener('pointermove', (event) => event.pointerType === 'mouse' && onHover(tokenAt(event)));
  field.addEventListener('pointerleave', () => onHover(null));
  field.addEventListener('click', (event) => onPick(tokenAt(event)));
  field.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    onPick(order[Math.min(order.length - 1, Math.max(0, order.indexOf(key) + step))]);
  });

  return {
    element,
    /**
     * @param {Trace} trace
     * @param {ArrayLike<number>} scores
     * @param {number} temperature
     * @param {number} chosen the key whose arithmetic is written out
     */
    show(trace, scores, temperature, chosen) {
      key = chosen;
      order = Array.from(scores, (_, token) => token).sort((a, b) => scores[b] - scores[a]);
      const { shares, powers, sum: total } = softmax(scores, temperature);
      const rank = order.indexOf(chosen);
      const special = order.flatMap((token, i) => (token < trace.prefixTokens ? [i] : []));
      const sorted = order.map((token) => scores[token]);
      upper.show(sorted, Math.min(0, sorted[sorted.length - 1]), Math.max(0, sorted[0]), rank, special, [number(sorted[0]), number(sorted[sorted.length - 1])]);
      const most = shares[order[0]];
      lower.show(order.map((token) => shares[token]), 0, most, rank, special, [percent(most), percent(shares[order[order.length - 1]])]);
      const power = (/** @type {string} */ of) => {
        const above = row(sub(sym('s', 's'), sym(of)), op('−'), sub(sym('s', 's'), words('max')));
        return temperature === 1 ? above : row(op('('), above, op(')'), op('/'), num(number(temperature)));
      };
      cell.innerHTML = `${tokenName(trace, chosen)}: ${math(
        sub(sym('a', 's'), sym('j')), op('='), frac(sup(sym('e'), power('j')), row(sum(sym('i')), sup(sym('e'), power('i')))), op('='),
        frac(num(number(powers[chosen])), num(number(total))), op('='), `<mn class="s">${percent(shares[chosen])}</mn>`,
      )}`;
    },
  };
}

/** Bars of one kind, as many as there are tokens. @param {string} name */
function plot(name) {
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const [all, special, chosen] = ['all', 'special', 'chosen'].map((kind) => {
    const path = document.createElementNS(NS, 'path');
    path.setAttribute('class', `bars-${kind}`);
    svg.append(path);
    return path;
  });
  const [high, low] = [make('span'), make('span')];
  const scale = make('div', { class: 'scale' }, [make('b', {}, [name]), high, low]);
  const element = make('div', { class: `plot ${name}` }, [scale, svg]);

  return {
    element,
    svg,
    /**
     * @param {number[]} values
     * @param {number} min
     * @param {number} max
     * @param {number} at the chosen one
     * @param {number[]} others that stand apart
     * @param {string[]} ends in words
     */
    show(values, min, max, at, others, ends) {
      svg.setAttribute('viewBox', `0 0 ${values.length} ${HIGH}`);
      const up = (/** @type {number} */ value) => (HIGH * (max - value)) / (max - min || 1);
      const bar = (/** @type {number} */ i, wide = 0) => `M${i - wide} ${up(0).toFixed(2)}V${up(values[i]).toFixed(2)}H${i + 1 + wide}V${up(0).toFixed(2)}Z`;
      all.setAttribute('d', values.map((_, i) => bar(i)).join(''));
      const least = Math.max(0, values.length / 300 - 1) / 2; // so that one is seen among many
      special.setAttribute('d', others.map((i) => bar(i, least)).join(''));
      chosen.setAttribute('d', `${bar(at, least)}M${at - least} ${HIGH}h${1 + 2 * least}v6h${-1 - 2 * least}Z`);
      [high.textContent, low.textContent] = ends;
    },
  };
}
