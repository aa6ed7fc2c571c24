import { segments, slider } from '../controls.js';
import { make, percent } from '../dom.js';
import { createHeadGrid } from './head_grid.js';

/**
 * @typedef {import('../viewer.js').Context} Context
 * @typedef {import('./head_grid.js').HeadChoice} HeadChoice
 */

/**
 * Every head's attention, and one of them on the photo.
 * @param {() => void} onChange
 * @returns {import('../viewer.js').View}
 */
export function createHeads(onChange) {
  const fusion = segments('Fuse', /** @type {const} */ ([['mean', 'mean'], ['max', 'max'], ['min', 'min']]), onChange);
  const mass = slider('Mass', { min: 5, max: 100, value: 100 }, (value) => (value === 100 ? 'all' : `${value} %`), onChange);
  const clip = slider('Clip', { min: 80, max: 100, value: 100 }, (value) => (value === 100 ? 'off' : `P${value}`), onChange);
  const grid = createHeadGrid({ onSelect: select, onPreview: preview });
  const element = make('div', {}, [
    make('p', { class: 'hint' }, ['Rows are layers, columns heads. Click the photo to ask a patch.']),
    make('div', { class: 'controls' }, [fusion.element, mass.element, clip.element]),
    grid.element,
  ]);
  /** @type {HeadChoice | undefined} */
  let chosen;
  /** @type {Context | undefined} */
  let context;
  let shape = '';

  /** @param {HeadChoice} choice */
  function select({ layer, head }) {
    chosen = { layer, head };
    grid.select(chosen);
    paint(chosen);
  }

  /** @param {HeadChoice | null} choice a head to glance at, without choosing it */
  function preview(choice) {
    const shown = choice ?? chosen;
    if (shown) paint(shown);
  }

  /** @param {HeadChoice} choice */
  function mapOf({ layer, head }) {
    const { trace, query } = /** @type {Context} */ (context);
    const part = mass.value < 100 ? mass.value / 100 : undefined;
    return trace.headMap({ layer, head, query, mass: part, clip: clip.value < 100 ? clip.value : undefined });
  }

  /** @param {HeadChoice} choice */
  function paint(choice) {
    if (!context) return;
    context.paint(mapOf(choice), { detail: rest(context, choice), format: percent });
  }

  return {
    id: 'heads',
    title: 'Heads',
    element,
    uses: () => ({ query: true }),

    show(next) {
      context = next;
      const { layers, heads, grid: patches } = next.trace;
      // What was chosen of a model of another shape means nothing in this one.
      if (shape !== `${layers} ${heads} ${patches}`) chosen = undefined;
      shape = `${layers} ${heads} ${patches}`;
      chosen ??= { layer: layers - 1, head: fusion.value };
      if (typeof chosen.head === 'string') chosen = { ...chosen, head: fusion.value };
      grid.show({ layers, heads, grid: patches, fusion: fusion.value }, mapOf, next.look, chosen);
      paint(chosen);
    },
  };
}

/**
 * What of a query's attention goes to no patch.
 * @param {Context} context
 * @param {HeadChoice} choice
 */
function rest({ trace, query }, { layer, head }) {
  const { prefix } = trace;
  if (!prefix.length) return 'All of it goes to patches.';
  if (head === 'max' || head === 'min') return `Each patch has the ${head === 'max' ? 'most' : 'least'} that a head gives it.`;
  const left = percent(Math.max(0, 1 - trace.headMap({ layer, head, query }).data.reduce((a, b) => a + b, 0)));
  if (prefix.length > 1 || prefix[0] !== 'class') return `${left} go to special tokens.`;
  return `${left} ${query === undefined ? 'stays on itself' : 'go to the class token'}.`;
}
