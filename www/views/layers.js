import { pictures } from '../controls.js';
import { make } from '../dom.js';
import { drawCells } from '../maps.js';

/**
 * @typedef {import('../viewer.js').Context} Context
 * @typedef {import('../viewer.js').View} View
 * @typedef {import('../viewer.js').ViewMap} ViewMap
 */

/**
 * A view that has a map for each layer: one of them on the photo, all of them small to choose from.
 * @param {{
 *   id: string, title: string, hint: string, detail: string | ((context: Context) => string), uses: ReturnType<View['uses']>,
 *   of: (context: Context, layer: number) => ViewMap | Promise<ViewMap>, missing?: (context: Context) => string | undefined,
 *   first?: (context: Context) => number,
 * }} what missing: why there is nothing to show, if that is so; first: the layer to begin with
 * @param {() => void} onChange
 * @returns {View}
 */
export function createLayerView({ id, title, hint, detail, uses, of, missing = () => undefined, first = ({ trace }) => trace.layers - 1 }, onChange) {
  const layer = pictures('Layer', onChange);
  const element = make('div', {}, [make('p', { class: 'hint' }, [hint]), layer.element]);

  return {
    id,
    title,
    element,
    uses: () => uses,

    async show(context) {
      const { trace, paint, look } = context;
      layer.offer(Array.from({ length: trace.layers }, (_, i) => String(i)), () => first(context));
      const reason = missing(context);
      layer.element.hidden = reason !== undefined;
      if (reason !== undefined) return paint(undefined, { detail: reason });
      const map = of(context, layer.value);
      const words = { detail: typeof detail === 'string' ? detail : detail(context) };
      paint(map instanceof Promise ? await map : map, words); // what is there at once is painted at once
      await layer.draw(async (canvas, i) => drawCells(canvas, await of(context, i), look), context);
    },
  };
}
