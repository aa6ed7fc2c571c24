import { pictures } from '../controls.js';
import { make } from '../dom.js';
import { drawCells } from '../maps.js';
import { refusal } from '../refusal.js';
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
 *   of: (context: Context, layer: number) => ViewMap | Promise<ViewMap>, has?: (trace: import('../viewer.js').Trace) => number[], missing?: (context: Context) => string | undefined,
 * }} what has: which layers, all unless told; missing: why there is nothing to show, if that is so
 * @param {import('./index.js').Hands} hands
 * @returns {View}
 */
export function createLayerView({ detail, uses, of, has = ({ stages }) => stages.map((_, layer) => layer), missing = () => undefined, ...named }, { choose }) {
  const layers = pictures('Layer', () => choose({ layer: offered[layers.value] }), named.id);
  /** @type {number[]} */
  let offered = [];
  const element = make('div', {}, [layers.element]);

  return {
    ...named,
    element,
    uses: () => ({ ...uses, layer: true }),

    async show(context) {
      const { trace, paint, look, layer } = context;
      const several = beginnings(trace).length > 1;
      offered = has(trace);
      const own = offered.map((layer) => ({ layer, grid: trace.stages[layer].grid }));
      layers.offer(own.map(({ layer, grid: [rows, cols] }) => (several ? `${layer} · ${cols} × ${rows}` : String(layer))));
      layers.choose(offered.indexOf(layer));
      const reason = missing(context);
      layers.element.hidden = reason !== undefined;
      if (reason !== undefined) return paint(undefined, { detail: reason });
      const words = { detail: typeof detail === 'string' ? detail : detail(context) };
      if (offered.includes(layer)) {
        const map = of(context, layer);
        paint(map instanceof Promise ? await map : map, words); // what is there at once is painted at once
      } else paint(undefined, { detail: await refusal(() => of(context, layer)) });
      await layers.draw(async (canvas, i) => drawCells(canvas, await of(context, offered[i]), look), context);
    },
  };
}
