import { pictures } from '../controls.js';
import { make } from '../dom.js';
import { drawCells } from '../maps.js';
import { beginnings } from '../stages.js';

/**
 * @typedef {import('../viewer.js').Context} Context
 * @typedef {import('../viewer.js').View} View
 * @typedef {import('../viewer.js').ViewMap} ViewMap
 */

/**
 * A view that has a map for each layer: one of them on the photo, all of them small to choose from.
 * @param {Pick<View, 'id' | 'title' | 'term' | 'sentence' | 'caution' | 'reads' | 'tries' | 'firstLayer'> & {
 *   detail: string | ((context: Context) => string), uses: ReturnType<View['uses']>,
 *   of: (context: Context, layer: number) => ViewMap | Promise<ViewMap>, missing?: (context: Context) => string | undefined,
 * }} what missing: why there is nothing to show, if that is so
 * @param {import('./index.js').Hands} hands
 * @returns {View}
 */
export function createLayerView({ detail, uses, of, missing = () => undefined, ...named }, { choose }) {
  const layers = pictures('Layer', () => choose({ layer: layers.value }), named.id);
  const element = make('div', {}, [layers.element]);

  return {
    ...named,
    element,
    uses: () => ({ ...uses, layer: true }),

    async show(context) {
      const { trace, paint, look, layer } = context;
      const several = beginnings(trace).length > 1;
      layers.offer(trace.stages.map(({ grid: [rows, cols] }, i) => (several ? `${i} · ${cols} × ${rows}` : String(i))));
      layers.choose(layer);
      const reason = missing(context);
      layers.element.hidden = reason !== undefined;
      if (reason !== undefined) return paint(undefined, { detail: reason });
      const map = of(context, layer);
      const words = { detail: typeof detail === 'string' ? detail : detail(context) };
      paint(map instanceof Promise ? await map : map, words); // what is there at once is painted at once
      await layers.draw(async (canvas, i) => drawCells(canvas, await of(context, i), look), context);
    },
  };
}
