/** DINO: what each head of the last layer looks at, kept to a share of it. */
import { slider } from '../../../explorer/controls.js';
import { make } from '../../../explorer/dom.js';
import { createCells, seen } from '../../kit/cells.js';
import { count } from '../../facts.js';
import { arranged, tiled } from './tiles.js';

/** @typedef {import('../../figure.js').Context} Context */

/** Percent of a head's attention: as DINO's figures have it. */
const MASS = 60;

/** @param {import('../../figure.js').Hands} hands */
export function createOutlines({ choose, change }) {
  const mass = slider('Strongest', { min: 10, max: 100, value: MASS, step: 5 }, (value) => `${value} %`, change);
  const cells = createCells('Heads of the last layer: choose one', { onPick: (head) => head === null ? choose({ head }) : head < heads && choose({ layer: last, head }) });
  const element = make('div', {}, [cells.element, make('div', { class: 'controls' }, [mass.element])]);
  let [heads, last] = [0, 0];

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, vit, look, layer, head, signal } = context;
      const photo = await seen(context);
      if (signal.aborted) return '';
      [heads, last] = [trace.heads, trace.layers - 1];
      const maps = Array.from({ length: heads }, (_, head) => trace.headMap({ layer: last, head, ...(mass.value < 100 && { mass: mass.value / 100 }) }));
      const names = maps.map((_, head) => `head ${head}`);
      const ratio = trace.crop.width / trace.crop.height;
      const grid = arranged(heads, ratio, cells.element);
      const asker = vit.config.prefix.includes('class') ? 'the class token' : 'all patches in the mean';
      cells.show({ grid, ratio: (grid[1] * ratio) / grid[0], place: layer === last ? head : null, text: `What ${asker} looks at in each of ${heads} heads of the last layer` }, tiled(photo, maps, names, grid, look));
      const wide = maps.map(({ data }) => data.filter((value) => value > 0).length);
      const [least, most] = [Math.min(...wide), Math.max(...wide)];
      const all = count(maps[0].data.length);
      return `Layer ${last}: where ${asker} ${asker === 'the class token' ? 'looks' : 'look'}, the strongest ${mass.value} % of each head’s attention. `
        + (least === most ? `Each spends that on ${count(least)} of ${all} patches.` : `Head ${wide.indexOf(least)} spends that on ${count(least)} of ${all} patches, head ${wide.indexOf(most)} on ${count(most)}.`);
    },
  };
}
