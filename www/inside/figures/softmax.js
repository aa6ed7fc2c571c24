/** Logits of all classes, and what softmax makes of them, term by term. */
import { slider } from '../../explorer/controls.js';
import { make, percent } from '../../explorer/dom.js';
import { classNames } from '../../explorer/names.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { asked, refill } from '../kit/classes.js';
import { softmax } from '../kit/softmax.js';

/** @typedef {import('../figure.js').Context} Context */

/** Of a bar, as a share of all the width. */
const WIDEST = 0.03;
/** Classes that have a row of their own. */
const ROWS = 5;

/** Four decimals, so that a column can be added up; fewer would hide what is there. @param {number} power */
const small = (power) => (power >= 0.00005 ? power.toFixed(4) : number(power));

/** @param {number} logit */
const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

/** @param {import('../figure.js').Hands} hands */
export function createSoftmax({ choose, change }) {
  const all = createSpectrum();
  const temperature = slider('Temperature', { min: 0.25, max: 4, value: 1, step: 0.05 }, (value) => value.toFixed(2), change);
  const controls = make('div', { class: 'controls' }, [temperature.element]);
  const head = make('tr');
  const body = make('tbody');
  const table = make('table', {}, [make('thead', {}, [head]), body]);
  const element = make('div', { class: 'part softmax' }, [all.element, controls, table]);
  let step = -1;

  return {
    element,

    /** @param {Context} context with a target */
    show(context) {
      const { trace: { logits, top }, vit: { config }, target } = context;
      const { scores, labels } = config;
      if (step !== context.step) temperature.extend(4, 1);
      step = context.step;
      const [names, most] = [classNames(labels), Math.max(...logits)];
      const shares = step > 1 && scores !== 'none';
      const exact = shares && scores === 'softmax';
      controls.hidden = !exact;
      const T = exact ? temperature.value : 1;
      const { powers, sum, shares: parts } = softmax(logits, T);
      const classes = asked(context, ROWS);
      const rest = logits.length - classes.length;
      const least = Math.min(0, ...logits);
      all.show(logits, names, classes, target?.index ?? -1);

      const heads = ['class', ...(scores === 'none' ? ['value'] : ['logit']), ...(exact ? ['exp', 'share'] : shares ? ['sigmoid'] : []), ''];
      head.replaceChildren(...heads.map((text) => make('th', { scope: 'col', ...(text ? {} : { 'aria-hidden': 'true' }) }, [text])));
      const rows = classes.map((index) => {
        const button = make('button', { type: 'button', 'aria-pressed': String(index === target?.index), title: labels[index], 'data-class': String(index) }, [names[index]]);
        button.addEventListener('click', () => choose({ target: index }));
        const share = exact ? parts[index] : shares ? sigmoid(logits[index]) : (logits[index] - least) / (most - least || 1);
        return line(index === target?.index ? 'chosen' : '', button, [number(logits[index]), ...(exact ? [small(powers[index]), percent(share)] : shares ? [percent(share)] : [])], share);
      });
      if (exact) {
        const others = (/** @type {number[]} */ values) => values.reduce((total, value, index) => (classes.includes(index) ? total : total + value), 0);
        if (rest > 0) rows.push(line('rest', `the other ${count(rest)}`, ['', small(others(powers)), percent(others(parts))], others(parts)));
        rows.push(line('sum', 'sum', ['', small(sum), percent(1)]));
      }
      refill(body, rows);

      const name = target?.name ?? '';
      const index = target?.index ?? 0;
      const place = `${name} has ${number(logits[index])}`;
      if (logits.length === 1 && !shares) return `${place}, the only ${scores === 'none' ? 'value' : 'logit'} that this model gives.`;
      if (!shares) return `${count(logits.length)} ${scores === 'none' ? 'values' : 'logits'}, from ${number(Math.min(...logits))} to ${number(most)}: ${place}. ${scores === 'none' ? '' : `The highest is that of ${names[top[0].index]}.`}`;
      if (!exact) return `${place}, and its sigmoid is ${percent(sigmoid(logits[index]))}. Each class is judged by itself, so the values need not sum to 1.`;
      const said = T === 1 ? 'at temperature 1, as the model is used' : `at temperature ${T.toFixed(2)}, where the model, at 1, says ${percent(softmax(logits, 1).shares[index])}`;
      return `${name}: exp((${number(logits[index])} − ${most < 0 ? `(${number(most)})` : number(most)}) / ${T.toFixed(2)}) = ${small(powers[index])}; ${small(powers[index])} / ${small(sum)} = ${percent(parts[index])}, ${said}.`;
    },
  };
}

/**
 * @param {string} kind
 * @param {Node | string} name
 * @param {string[]} cells
 * @param {number} [share] of the bar
 */
function line(kind, name, cells, share) {
  const fill = make('i');
  fill.style.transform = `scaleX(${share ?? 0})`;
  const bar = make('td', { class: 'bar-cell', 'aria-hidden': 'true' }, share === undefined ? [] : [make('span', {}, [fill])]);
  return make('tr', { class: kind }, [make('th', { scope: 'row' }, [name]), ...cells.map((text) => make('td', {}, [text])), bar]);
}

/** All logits as bars, class by class; under the pointer, or by arrow keys, one says its class. */
function createSpectrum() {
  const shape = (/** @type {string} */ kind) => {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('class', kind);
    return path;
  };
  const [others, few, one, zero] = ['others', 'few', 'one', 'zero'].map(shape);
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(others, few, one, zero);
  const box = make('div', { class: 'spectrum grow', tabindex: '0', role: 'img', 'aria-label': 'The logits of all classes' });
  box.append(svg);
  const value = make('output', { class: 'note' }, ['\u00a0']);
  const element = make('div', { class: 'grow all' }, [box, value]);
  /** @type {{logits: ArrayLike<number>, names: string[], target: number}} */
  let shown = { logits: [], names: [], target: -1 };
  let at = -1;

  /** @param {number} index -1: none, so that the chosen class is told */
  function point(index) {
    at = index;
    const { logits, names, target } = shown;
    const told = index < 0 ? target : index;
    value.textContent = told < 0 ? '\u00a0' : `class ${told}, ${names[told]}: ${number(logits[told])}`;
    one.setAttribute('d', told < 0 ? '' : bars([told], logits));
  }
  box.addEventListener('pointermove', ({ clientX }) => {
    const { left, width } = box.getBoundingClientRect();
    point(Math.min(shown.logits.length - 1, Math.max(0, Math.floor(((clientX - left) / width) * shown.logits.length))));
  });
  box.addEventListener('pointerleave', () => point(-1));
  box.addEventListener('blur', () => point(-1));
  box.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !shown.logits.length) return;
    event.preventDefault();
    point(Math.min(shown.logits.length - 1, Math.max(0, (at < 0 ? shown.target : at) + step)));
  });

  return {
    element,

    /**
     * @param {ArrayLike<number>} logits
     * @param {string[]} names
     * @param {number[]} top
     * @param {number} target
     */
    show(logits, names, top, target) {
      shown = { logits, names, target };
      const values = Array.from(logits);
      const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
      svg.setAttribute('viewBox', `0 ${-high} ${values.length} ${high - low || 1}`);
      others.setAttribute('d', bars(values.map((_, index) => index), logits));
      few.setAttribute('d', bars(top, logits));
      zero.setAttribute('d', `M0,0H${values.length}`);
      box.setAttribute('aria-label', `The logits of ${values.length} classes, from ${number(Math.min(...values))} to ${number(Math.max(...values))}; the highest are in the table.`);
      point(-1);
    },
  };
}

/** @param {number[]} classes @param {ArrayLike<number>} logits */
function bars(classes, logits) {
  const width = Math.min(0.8, WIDEST * logits.length);
  return classes.map((index) => `M${index + (1 - width) / 2},0h${width}V${-logits[index]}h${-width}Z`).join('');
}

export const SOFTMAX_STYLES = /* css */ `
#answer .all { display: flex; flex-direction: column; gap: 4px; min-height: 60px; }
#answer .spectrum { position: relative; overflow: hidden; cursor: crosshair; }
#answer .spectrum svg { position: absolute; inset: 0; width: 100%; height: 100%; }
#answer .spectrum .others { fill: var(--bar-rest); }
#answer .spectrum .few { fill: var(--bar); }
#answer .spectrum .one { fill: var(--signal); }
#answer .spectrum .zero { fill: none; stroke: var(--strong-line); stroke-width: 1; vector-effect: non-scaling-stroke; }
#answer .softmax .controls input { width: min(180px, 34cqw); }
#answer .softmax table { flex: none; margin: 0; }
#answer .softmax th, #answer .softmax td { padding: 0 10px 0 0; height: 32px; white-space: nowrap; }
#answer .softmax td, #answer .softmax thead th:not(:first-child) { text-align: right; width: 5.5em; }
#answer .softmax thead th { height: 24px; }
#answer .softmax tbody th { width: auto; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 12em; }
#answer .softmax .bar-cell { width: 34%; padding: 0; }
#answer .softmax .bar-cell span { display: block; height: 8px; background: var(--well); }
#answer .softmax .bar-cell i { display: block; height: 100%; background: var(--bar-rest); transform-origin: left; }
#answer .softmax .chosen .bar-cell i { background: var(--signal); }
#answer .softmax .rest th, #answer .softmax .rest td { color: var(--soft); }
#answer .softmax .sum > * { border-bottom: 0; font-weight: 600; }
#answer .softmax button { width: 100%; height: 100%; padding: 0; overflow: hidden; text-overflow: ellipsis; font: inherit; text-align: left; color: inherit; background: none; border: 0; cursor: pointer; }
#answer .softmax button:hover { text-decoration: underline; text-underline-offset: 3px; }
#answer .softmax .chosen button { color: var(--signal); font-weight: 600; }
@container drawing (max-width: 520px) {
  #answer .softmax th, #answer .softmax td { height: 24px; padding-right: 6px; font-size: 12.5px; }
  #answer .softmax td, #answer .softmax thead th:not(:first-child) { width: 4.4em; }
  #answer .softmax thead th { height: 18px; font-size: 12px; }
  #answer .softmax .bar-cell { width: 16%; }
  #answer .softmax tbody th { max-width: 8em; }
  #answer .all { min-height: 40px; }
  #answer .all .note { font-size: 12px; }
}
`;
