import { pictures, slider } from '../controls.js';
import { make, percent } from '../dom.js';
import { drawCells } from '../maps.js';

const FUSIONS = /** @type {const} */ (['mean', 'max', 'min']);

/** A patch with this share of everything is one of those in which some models keep what is of the whole photo (Darcet 2024): the rest is dark beside it. */
const ARTEFACT = 0.05;

/**
 * Attention through all layers.
 * @param {() => void} onChange
 * @returns {import('../viewer.js').View}
 */
export function createRollout(onChange) {
  const fusion = pictures('Heads fused by', onChange);
  const discard = slider('Discard', { min: 0, max: 95, value: 0, step: 5 }, (value) => `${value} %`, onChange);
  const element = make('div', {}, [
    make('p', { class: 'hint' }, ["Attention through all layers: each layer's heads become one matrix, and all are multiplied. Discarding a layer's weakest attention leaves the strongest paths."]),
    make('div', { class: 'controls' }, [discard.element]),
    fusion.element,
  ]);

  return {
    id: 'rollout',
    title: 'Rollout',
    element,
    uses: () => ({ query: true }),

    async show(context) {
      const { trace, query, paint, look } = context;
      const of = (/** @type {number} */ i) => trace.rollout({ fusion: FUSIONS[i], discard: discard.value / 100, query });
      fusion.offer([...FUSIONS], () => FUSIONS.indexOf(Math.max(...of(0).data) < ARTEFACT ? 'mean' : 'min'));
      paint(of(fusion.value), { detail: 'The share of each patch in what arrives after the last layer.', format: percent });
      await fusion.draw((canvas, i) => drawCells(canvas, of(i), look), context);
    },
  };
}
