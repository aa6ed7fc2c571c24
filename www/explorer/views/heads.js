import { segments, slider } from '../controls.js';
import { make, percent } from '../dom.js';
import { yielded } from '../live/turns.js';
import { windowOf } from '../maps.js';
import { isStaged, layerWords, mostHeads } from '../stages.js';
import { number } from '../words.js';
import { createHeadGrid } from './head_grid.js';

/**
 * @typedef {import('../viewer.js').Context} Context
 * @typedef {import('./head_grid.js').HeadChoice} HeadChoice
 */

/**
 * Every head's attention, and one of them on the photo.
 * @param {import('./index.js').Hands} hands
 * @returns {import('../viewer.js').View}
 */
export function createHeads({ change, choose }) {
  const fusion = segments('Fuse', /** @type {const} */ ([['mean', 'mean'], ['max', 'max'], ['min', 'min']]), change);
  const mass = slider('Mass', { min: 5, max: 100, value: 100 }, (value) => (value === 100 ? 'all' : `${value} %`), change);
  const clip = slider('Clip', { min: 80, max: 100, value: 100 }, (value) => (value === 100 ? 'off' : `P${value}`), change);
  const grid = createHeadGrid({
    onSelect: ({ layer, head }) => choose({ layer, head: typeof head === 'number' ? head : null }),
    onPreview: (choice) => paint(choice ?? chosen()),
  });
  const near = make('p', { class: 'hint', hidden: '' }, ['Of one patch each small map is its window alone.']);
  const element = make('div', {}, [grid.element, near, make('div', { class: 'controls' }, [fusion.element, mass.element, clip.element])]);
  /** @type {Context | undefined} */
  let context;

  /** @returns {HeadChoice | undefined} */
  const chosen = () => context && { layer: context.layer, head: context.head ?? fusion.value };

  /** @param {HeadChoice} choice */
  function mapOf({ layer, head }) {
    const { trace, queryIn } = /** @type {Context} */ (context);
    const query = queryIn(layer);
    const part = mass.value < 100 ? mass.value / 100 : undefined;
    return trace.headMap({ layer, head, query, mass: part, clip: clip.value < 100 ? clip.value : undefined });
  }

  /** @param {HeadChoice | undefined} choice */
  function paint(choice) {
    if (!context || !choice) return;
    const map = mapOf(choice);
    const { window } = context.trace.stages[choice.layer];
    context.paint(map, { detail: [layerWords(context.trace, choice.layer), rest(context, choice)].filter(Boolean).join(' '), format: isStaged(context.trace) ? share : percent, window });
  }

  return {
    id: 'heads',
    title: 'Where it looks',
    term: 'attention heads',
    sentence: 'Each small map is a head: columns are layers, rows heads. Click the photo to ask where one patch looks.',
    caution: 'Attention is not an explanation: it says where a head looks, not why the answer is what it is.',
    element,
    uses: () => ({ query: true, layer: true }),
    reads: (query) => ({ attentions: query === 'mean' && fusion.value !== 'mean' }), // of the mean of all tokens there is no strongest head

    show(next) {
      context = next;
      const { stages } = next.trace;
      near.hidden = !next.query || stages.every(({ window }) => !window);
      paint(chosen());
      const tiles = () => grid.show({ stages, heads: mostHeads(next.trace), fusion: fusion.value }, (choice) => windowOf(mapOf(choice)), next.look, /** @type {HeadChoice} */ (chosen()), next.live);
      if (next.live) return yielded().then(() => void (next.signal.aborted || tiles())); // the page stays free in between
      tiles();
    },
  };
}

/** Of thousands of patches each has little. @param {number} value */
const share = (value) => `${number(100 * value)} %`;

/**
 * What of a query's attention goes to no patch.
 * @param {Context} context
 * @param {HeadChoice} choice
 */
function rest({ trace, queryIn }, { layer, head }) {
  const { prefix } = trace;
  const query = queryIn(layer);
  const staged = isStaged(trace);
  if (!prefix.length && !staged) return 'All of it goes to patches.';
  if (head === 'max' || head === 'min') return `Each patch has the ${head === 'max' ? 'most' : 'least'} that a head gives it.`;
  const left = percent(Math.max(0, 1 - trace.headMap({ layer, head, query }).data.reduce((a, b) => a + b, 0)));
  if (staged) return Number.parseFloat(left) ? `${left} go to padding.` : '';
  if (prefix.length > 1 || prefix[0] !== 'class') return `${left} go to special tokens.`;
  return `${left} ${query === undefined ? 'stays on itself' : 'go to the class token'}.`;
}
