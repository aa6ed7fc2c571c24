/** The head, asked of each patch alone. */
import { segments } from '../../explorer/controls.js';
import { moved } from '../../explorer/detail.js';
import { find, make } from '../../explorer/dom.js';
import { drawRamp, largest } from '../../explorer/maps.js';
import { classNames } from '../../explorer/names.js';
import { remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { asked, createClasses, refill } from '../kit/classes.js';
import { createPhoto } from '../kit/photo.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 */

/** How many classes are compared. */
const COMPARED = 8;

/**
 * A class's logit read from each patch of the last layer alone.
 * @param {Context} context
 * @param {number} target
 * @returns {Promise<ViewMap>}
 */
function lens({ trace, signal }, target) {
  return remember(trace, `patches alone ${target}`, () => trace.patchLens({ layer: trace.layers - 1, target, signal }), signal);
}

/** @param {Float32Array} values */
const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {import('../figure.js').Hands} hands */
export function createPatchVotes({ choose, change }) {
  const classes = createClasses((target) => choose({ target }));
  const photo = createPhoto("The head's logit of each patch alone: choose a patch", { onPick: (patch) => choose({ patch }), onHover: tell });
  const middle = segments('Compared with', /** @type {const} */ ([['mean', 'the mean patch'], ['zero', '0']]), change);
  const ramp = make('canvas', { width: '256', height: '1', 'aria-hidden': 'true' });
  const [low, high] = [make('span'), make('span')];
  const value = make('output', { class: 'note' }, ['\u00a0']);
  const element = make('div', { class: 'part votes' }, [
    classes.element, make('div', { class: 'controls' }, [middle.element]), photo.element,
    make('div', { class: 'scale' }, [low, ramp, high, value]),
  ]);
  let step = -1;
  /** @type {ViewMap | undefined} */
  let shown;
  let chosen = -1;

  /** @param {number | null} patch */
  function tell(patch) {
    const told = patch ?? chosen;
    value.textContent = shown && told >= 0 ? `row ${Math.floor(told / shown.cols)}, column ${told % shown.cols}: ${number(shown.data[told])}` : '\u00a0';
  }

  return {
    element,

    /** @param {Context} context with a target */
    async show(context) {
      const { trace, target, patch, picked, signal } = context;
      classes.show(context);
      if (!target) return '';
      if (step !== context.step) /** @type {HTMLInputElement} */ (find(middle.element, 'input')).checked = true;
      step = context.step;
      if (!photo.picture) await photo.show(context, undefined, { patch: picked ? patch : null });
      const map = await lens(context, target.index);
      if (signal.aborted) return '';
      shown = map;
      chosen = picked ? moved(patch, trace.grid, [map.rows, map.cols]) : -1;
      const mean = meanOf(map.data);
      const zero = middle.value === 'mean' ? mean : 0;
      const coloured = { ...map, data: map.data.map((logit) => logit - zero) };
      const most = largest(coloured);
      drawRamp(ramp, 'diverging');
      [low.textContent, high.textContent] = [number(zero - most), number(zero + most)];
      tell(null);
      await photo.show(context, coloured, { patch: picked ? patch : null });
      const above = map.data.filter((logit) => logit > 0).length;
      const own = trace.logits[target.index];
      const higher = map.data.filter((logit) => logit > own).length;
      return `The head asked of each of the ${count(map.data.length)} patches alone, for ${target.name}: from ${number(Math.min(...map.data))} to ${number(Math.max(...map.data))}, ${number(mean)} on average, above 0 in ${count(above)}. The answer's own logit is ${number(own)}; ${count(higher)} ${higher === 1 ? 'patch has' : 'patches have'} a higher one.`;
    },
  };
}

/** @param {import('../figure.js').Hands} hands */
export function createComparison({ choose }) {
  const sides = ["the model's answer", 'mean over the patches'].map((title) => ({ title: make('h3', {}, [title]), list: make('ol', { 'aria-label': title }) }));
  const lines = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  lines.setAttribute('preserveAspectRatio', 'none');
  lines.setAttribute('aria-hidden', 'true');
  lines.setAttribute('viewBox', '0 0 1 1');
  const [left, right] = sides;
  const element = make('div', { class: 'part comparison' }, [left.title, right.title, left.list, lines, right.list]);

  return {
    element,

    /** @param {Context} context with a target */
    async show(context) {
      const { trace, vit: { config }, target, signal } = context;
      if (!target) return '';
      const names = classNames(config.labels);
      const classes = asked(context, Math.min(COMPARED, trace.logits.length)).sort((a, b) => trace.logits[b] - trace.logits[a]);
      /** @param {{list: HTMLElement}} side @param {number[]} order @param {(index: number) => number} value */
      const fill = ({ list }, order, value) => refill(list, order.map((index) => {
        const button = make('button', { type: 'button', 'aria-pressed': String(index === target.index), title: config.labels[index], 'data-class': String(index) }, [make('span', {}, [names[index]]), ' ', make('b', {}, [number(value(index))])]);
        button.addEventListener('click', () => choose({ target: index }));
        return make('li', {}, [button]);
      }));
      fill(left, classes, (index) => trace.logits[index]);
      /** @type {Map<number, number>} */
      const means = new Map();
      for (const index of classes) {
        means.set(index, meanOf((await lens(context, index)).data));
        if (signal.aborted) return '';
      }
      const mean = (/** @type {number} */ index) => means.get(index) ?? 0;
      const ranked = [...classes].sort((a, b) => mean(b) - mean(a));
      fill(right, ranked, mean);
      const height = (/** @type {number} */ rank) => (rank + 0.5) / classes.length;
      lines.replaceChildren(...classes.map((index, rank) => {
        const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
        path.setAttribute('d', `M0,${height(rank)}C0.5,${height(rank)} 0.5,${height(ranked.indexOf(index))} 1,${height(ranked.indexOf(index))}`);
        if (index === target.index) path.setAttribute('class', 'chosen');
        return path;
      }));
      const moved = classes.filter((index, rank) => ranked[rank] !== index).length;
      const order = classes.length === 1 ? '' : moved ? ` ${moved} of these ${classes.length} classes have another place there.` : ` The order of these ${classes.length} classes is the same.`;
      return `${names[classes[0]]} has the highest logit in the answer, ${number(trace.logits[classes[0]])}. Of the patches' own logits ${names[ranked[0]]} has the highest mean, ${number(mean(ranked[0]))}.${order}`;
    },
  };
}

export const VOTES_STYLES = /* css */ `
#answer .votes .scale { display: flex; flex: none; align-items: center; gap: 8px; font-size: 13px; color: var(--soft); }
#answer .votes .scale canvas { width: 128px; height: 6px; }
#answer .votes .scale .note { margin-left: auto; }
#answer .comparison { display: grid; grid-template: auto minmax(0, 1fr) / minmax(0, 1fr) 18% minmax(0, 1fr); gap: 8px 0; }
#answer .comparison h3:nth-of-type(2) { grid-column: 3; }
#answer .comparison ol { display: grid; grid-auto-rows: minmax(0, 1fr); max-height: 560px; }
#answer .comparison svg { width: 100%; height: 100%; max-height: 560px; overflow: visible; }
#answer .comparison path { fill: none; stroke: var(--strong-line); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
#answer .comparison path.chosen { stroke: var(--signal); stroke-width: 2.5; }
#answer .comparison li { display: grid; min-height: 0; align-items: center; border-top: 1px solid var(--line); }
#answer .comparison li:last-child { border-bottom: 1px solid var(--line); }
#answer .comparison button { display: flex; justify-content: space-between; gap: 10px; align-items: center; width: 100%; height: 100%; min-height: 0; padding: 0 6px; font: inherit; text-align: left; color: inherit; background: none; border: 0; cursor: pointer; }
#answer .comparison button span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#answer .comparison button b { font-weight: 400; color: var(--soft); }
#answer .comparison button:hover { background: var(--well); }
#answer .comparison [aria-pressed="true"], #answer .comparison [aria-pressed="true"] b { color: var(--signal); font-weight: 600; }
@container drawing (max-width: 520px) {
  #answer .comparison { grid-template-columns: minmax(0, 1fr) 12% minmax(0, 1fr); font-size: 12.5px; gap: 4px 0; }
  #answer .comparison h3 { font-size: 12px; }
  #answer .comparison button { padding: 0 3px; gap: 4px; }
  #answer .votes .scale canvas { width: 60px; }
  #answer .votes .scale { font-size: 12px; }
}
`;
