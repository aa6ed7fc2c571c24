import { pictures } from '../controls.js';
import { make } from '../dom.js';
import { drawCells } from '../look.js';
import { NO_CLASSES, layerNames, remember } from './memory.js';

/**
 * What each patch alone says of a class.
 * @param {() => void} onChange
 * @returns {import('../viewer.js').View}
 */
export function createPatchLens(onChange) {
  const layer = pictures('Layer', onChange);
  const element = make('div', {}, [
    make('p', { class: 'hint' }, ["The model's head, asked of each patch alone: its logit for a class, early and late. Click an answer to choose the class."]),
    layer.element,
  ]);

  return {
    id: 'patch-lens',
    title: 'Patch lens',
    element,
    uses: () => ({ target: true }),

    async show(context) {
      const { trace, target, paint, look } = context;
      layer.offer(layerNames(trace), trace.layers - 1);
      layer.element.hidden = !target;
      if (!target) return paint(undefined, { detail: NO_CLASSES });
      const of = (/** @type {number} */ i) => remember(trace, `lens ${i} ${target.index}`, () => trace.patchLens({ layer: i, target: target.index }));
      paint(await of(layer.value), { detail: 'Above 0 a patch speaks for the class, below 0 against it.' });
      await layer.draw(async (canvas, i) => drawCells(canvas, await of(i), look), context);
    },
  };
}
