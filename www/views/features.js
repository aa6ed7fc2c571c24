import { pictures } from '../controls.js';
import { make } from '../dom.js';
import { drawCells } from '../look.js';
import { layerNames, remember } from './memory.js';

/**
 * The patches' principal components as colours.
 * @param {() => void} onChange
 * @returns {import('../viewer.js').View}
 */
export function createFeatures(onChange) {
  const layer = pictures('Layer', onChange);
  const element = make('div', {}, [
    make('p', { class: 'hint' }, ['What the patches have in common: their first three principal components as red, green and blue. Patches of one colour are alike to the model.']),
    layer.element,
  ]);

  return {
    id: 'features',
    title: 'Features',
    element,
    uses: () => ({}),

    async show(context) {
      const { trace, paint, look } = context;
      layer.offer(layerNames(trace), trace.layers - 1);
      const of = (/** @type {number} */ i) => remember(trace, `features ${i}`, () => trace.featureMap({ layer: i }));
      paint(of(layer.value), { detail: 'Each colour has its own scale, from the least to the most.' });
      await layer.draw((canvas, i) => drawCells(canvas, of(i), look), context);
    },
  };
}
