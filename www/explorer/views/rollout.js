import { pictures, slider } from '../controls.js';
import { make, percent } from '../dom.js';
import { drawCells } from '../maps.js';

const FUSIONS = /** @type {const} */ (['mean', 'max', 'min']);

/** A patch with this share of everything is one of those in which some models keep what is of the whole photo (Darcet 2024): the rest is dark beside it. */
const ARTEFACT = 0.05;

/**
 * Attention through all layers.
 * @param {import('./index.js').Hands} hands
 * @returns {import('../view.js').View}
 */
export function createRollout({ change }) {
  const fusion = pictures('Heads fused by', change);
  const discard = slider('Discard', { min: 0, max: 95, value: 0, step: 5 }, (value) => `${value} %`, change);
  const element = make('div', {}, [make('div', { class: 'controls' }, [discard.element]), fusion.element]);

  return {
    id: 'rollout',
    title: 'What reaches it',
    term: 'attention rollout',
    sentence: "Attention through all layers: each layer's heads become one matrix, and all are multiplied. Discarding a layer's weakest attention leaves the strongest paths.",
    caution: 'It follows attention alone, whatever the answer is: no explanation of it.',
    element,
    uses: () => ({ query: true }),
    tries: (trace) => trace.rollout(),
    reads: () => ({ rollout: { fusion: FUSIONS[fusion.value] ?? 'mean', discard: discard.value / 100 } }),

    async show(context) {
      const { trace, query, paint, look } = context;
      const of = (/** @type {number} */ i) => trace.rollout({ fusion: FUSIONS[i], discard: discard.value / 100, query });
      if (fusion.offer([...FUSIONS])) fusion.choose(FUSIONS.indexOf(Math.max(...of(0).data) < ARTEFACT ? 'mean' : 'min'));
      paint(of(fusion.value), { detail: 'The share of each patch in what arrives after the last layer.', format: percent });
      // A light trace has the one that is shown.
      if (trace.rolled) fusion.paint(fusion.value, (canvas, i) => drawCells(canvas, of(i), look));
      else await fusion.draw((canvas, i) => drawCells(canvas, of(i), look), context);
    },
  };
}
