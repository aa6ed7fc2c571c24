import { pictures } from '../controls.js';
import { make } from '../dom.js';
import { drawCells } from '../look.js';
import { layerNames } from './memory.js';

/**
 * How alike the tokens of a layer are.
 * @param {() => void} onChange
 * @returns {import('../viewer.js').View}
 */
export function createSimilarity(onChange) {
  const layer = pictures('Layer', onChange);
  const element = make('div', {}, [
    make('p', { class: 'hint' }, ['Cosine similarity of one token with every patch. Click a patch of the photo to compare with it.']),
    layer.element,
  ]);

  return {
    id: 'similarity',
    title: 'Similarity',
    element,
    uses: () => ({ query: true }),

    async show(context) {
      const { trace, query, paint, look } = context;
      layer.offer(layerNames(trace), trace.layers - 1);
      const of = (/** @type {number} */ i) => trace.similarity({ layer: i, query });
      paint(of(layer.value), { detail: '1 points the same way, 0 has nothing to do with it, below 0 is opposed.' });
      await layer.draw((canvas, i) => drawCells(canvas, of(i), look), context);
    },
  };
}
