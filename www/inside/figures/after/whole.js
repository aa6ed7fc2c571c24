/** The way of this photo through this model in one picture. */
import { make } from '../../../explorer/dom.js';
import { remember } from '../../../explorer/views/cache.js';
import { createBars } from '../../kit/bars.js';
import { createCells, rule, seen } from '../../kit/cells.js';
import { arranged, tileAt, tiled } from './tiles.js';

/** @typedef {import('../../figure.js').Context} Context */

/** Classes that are told. */
const ROWS = 3;

/** @param {import('../../figure.js').Hands} hands */
export function createWhole({ choose }) {
  const cells = createCells('The photo, and the patches after each layer: choose a layer', { onPick: (tile) => tile !== null && tile > 1 && tile <= last + 2 && choose({ layer: tile - 2 }) });
  const bars = createBars('Answer');
  const element = make('div', { class: 'whole' }, [cells.element, bars.element]);
  let last = 0;

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, vit, look, layer, signal } = context;
      const photo = await seen(context);
      if (signal.aborted) return '';
      last = trace.layers - 1;
      const there = trace.hiddenStates.length > 0;
      const maps = remember(trace, 'features by layer', () => (there ? trace.recorded.map((layer) => trace.featureMap({ layer })) : []));
      const pictures = [undefined, undefined, ...maps];
      const names = ['photo', 'patches', ...maps.map((_, i) => `layer ${trace.recorded[i]}`)];
      const ratio = trace.crop.width / trace.crop.height;
      const grid = arranged(names.length, ratio, cells.element);
      const draw = tiled(photo, pictures, names, grid, { ...look, opacity: 1.4 });
      cells.show({ grid, ratio: (grid[1] * ratio) / grid[0], place: layer === null || !there ? null : layer + 2, text: 'The photo, its patches, and the patches after each layer by three principal components' }, (target, width, height) => {
        draw(target, width, height);
        cut(target, width, height, grid, trace.grid);
      });
      bars.element.hidden = !trace.top.length;
      bars.show({ top: trace.top.slice(0, ROWS), scores: trace.scores }, vit.config.labels);
      const [rows, cols] = trace.grid;
      return `${cols} × ${rows} patches, ${trace.layers} layers. Colours: three principal components of the patches’ vectors after each layer; what has one colour is alike to the model.`;
    },
  };
}

/**
 * Lines between the patches of the second picture.
 * @param {CanvasRenderingContext2D} target
 * @param {number} width
 * @param {number} height
 * @param {[rows: number, cols: number]} tiles
 * @param {[rows: number, cols: number]} grid
 */
function cut(target, width, height, tiles, grid) {
  const { x, y, width: w, height: h } = tileAt(1, width, height, tiles);
  target.save();
  target.translate(x, y);
  rule(target, w, h, grid);
  target.restore();
}
