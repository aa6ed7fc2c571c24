/** Swin: attention within windows, which are shifted in every other block, and patches that are merged from stage to stage. Of a model that has stages or windows its own heads, else the numbers of Swin-T. */
import { slider } from '../../../explorer/controls.js';
import { make, percent } from '../../../explorer/dom.js';
import { drawWindows, isStaged, samePoint, windowWords, windowsOf } from '../../../explorer/stages.js';
import { remember } from '../../../explorer/views/cache.js';
import { createCells, overlaid, seen } from '../../kit/cells.js';
import { count } from '../../facts.js';

/**
 * @typedef {import('../../figure.js').Context} Context
 * @typedef {import('../../../explorer/stages.js').Layer} Layer
 * @typedef {import('../../../explorer/stages.js').Grid} Grid
 */

/** Swin-T at 224 × 224: patches of 4 × 4 pixels, windows of 7 × 7 patches. @type {Layer[]} */
const SWIN_T = [2, 2, 6, 2].flatMap((layers, stage) => Array.from({ length: layers }, (_, i) => {
  const edge = 56 >> stage;
  const shift = i % 2 && edge > 7 ? 3 : 0;
  return { stage, grid: /** @type {Grid} */ ([edge, edge]), patchSize: /** @type {Grid} */ ([4 << stage, 4 << stage]), hiddenSize: 96 << stage, heads: 3 << stage, window: { kind: /** @type {const} */ ('tiles'), size: [7, 7], shift: [shift, shift], padsFirst: true, count: (edge / 7) ** 2 } };
}));

/** @param {import('../../figure.js').Hands} hands */
export function createWindows({ choose, change }) {
  const stage = slider('Stage', { min: 0, max: 3, value: 0 }, String, change);
  const cells = ['one block', 'another block'].map((name) => createCells(`Windows of ${name}: choose a patch`, { onPick: (patch) => pick(patch), onHover: (place) => draw(place) }));
  const titles = cells.map(() => make('h3'));
  const note = make('p', { class: 'note' });
  const element = make('div', { class: 'windows' }, [
    make('div', { class: 'row grow' }, cells.map((cell, i) => make('div', { class: 'side' }, [titles[i], cell.element]))),
    make('div', { class: 'controls' }, [stage.element, note]),
  ]);

  /** @type {(hovered: number | null) => void} */
  let draw = () => {};
  /** @type {(patch: number | null) => void} */
  let pick = () => {};

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, picked, signal, look } = context;
      const photo = await seen(context);
      if (signal.aborted) return '';
      const staged = isStaged(trace);
      const layers = staged ? trace.stages : SWIN_T;
      stage.extend(layers[layers.length - 1].stage, Math.min(stage.value, layers[layers.length - 1].stage));
      const pair = pairOf(layers, stage.value);
      const { grid, hiddenSize } = layers[pair[0]];
      const [rows, cols] = grid;
      const chosen = picked ? context.patch : middle(trace.grid);
      // The whole of the photo that is seen is 224 pixels wide to Swin-T, whatever it is to the loaded model.
      const [first, here] = [staged ? trace.stages[0] : { grid: trace.grid, patchSize: trace.grid.map((count) => 224 / count) }, layers[pair[0]]].map((layer) => /** @type {Layer} */ (layer));
      const patch = samePoint(chosen, first, here);
      pick = (place) => choose({ patch: place === null ? null : samePoint(place, here, first) });
      const windows = pair.map((layer) => windowsOf(grid, layers[layer].window));
      const within = windows.map(({ of, parts }) => (/** @type {number} */ a, /** @type {number} */ b) => of[a] === of[b] && parts[a] === parts[b]);
      const all = Array.from({ length: rows * cols }, (_, i) => i);
      /** What the first block gathered in its windows, the second passes on. @param {number} asked */
      const reachedBy = (asked) => {
        const groups = new Set(all.filter((at) => within[1](at, asked)).map((at) => groupOf(windows[0], at)));
        return all.map((at) => groups.has(groupOf(windows[0], at)));
      };
      const ratio = trace.crop.width / trace.crop.height;
      draw = (hovered) => {
        const asked = hovered ?? patch;
        const reached = reachedBy(asked);
        cells.forEach((cell, i) => {
          const sees = windowWords(layers[pair[i]].window);
          const text = `Layer ${pair[i]}: ${sees}; the chosen patch’s is bright${i ? ', what reached it through both blocks half bright' : ''}`;
          const map = staged ? remember(trace, `windows of ${pair[i]} ${asked}`, () => trace.headMap({ layer: pair[i], query: [Math.floor(asked / cols), asked % cols] })) : undefined;
          cell.show({ grid, ratio, place: patch, text }, (target, width, height) => {
            const [w, h] = [width / cols, height / rows];
            if (map) overlaid(photo, map, look)(target, width, height);
            else {
              target.drawImage(photo, 0, 0, width, height);
              for (const at of all) {
                if (within[i](at, asked)) continue;
                target.fillStyle = `rgb(0 0 0 / ${i && reached[at] ? 0.35 : 0.75})`;
                target.fillRect((at % cols) * w, Math.floor(at / cols) * h, w + 0.5, h + 0.5);
              }
            }
            drawWindows(target, grid, windows[i], asked, { x: 0, y: 0, width, height });
            if (stage.value) cross(target, { x: (asked % cols) * w, y: Math.floor(asked / cols) * h, width: w, height: h });
          });
        });
      };
      draw(null);
      titles.forEach((title, i) => (title.textContent = `Layer ${pair[i]}: ${windowWords(layers[pair[i]].window)}`));
      const merged = stage.value && layers[pair[0] - 1].grid[0] > rows;
      note.textContent = merged ? 'Each patch is four of the stage before.' : '';
      const sizes = new Map();
      for (const at of all) sizes.set(groupOf(windows[0], at), (sizes.get(groupOf(windows[0], at)) ?? 0) + 1);
      const scores = [...sizes.values()].reduce((sum, n) => sum + n * n, 0);
      const reached = reachedBy(patch).filter(Boolean).length;
      const said = `${cols} × ${rows} patches of ${count(hiddenSize)} numbers. A head needs ${count(scores)} scores${scores < all.length ** 2 ? ` in place of ${count(all.length ** 2)}` : ''}; after ${pair[0] === pair[1] ? 'it' : 'both blocks'} ${count(reached)} of ${count(all.length)} patches have reached the chosen one.`;
      if (staged) return `${said} Light falls where the mean of this model’s heads looks.`;
      const numbers = 'Numbers of patches and windows are Swin-T’s.';
      if (trace.queries || !trace.attentions.length) return `${said} ${numbers}`;
      const { data } = trace.headMap({ query: [Math.floor(chosen / trace.grid[1]), chosen % trace.grid[1]] });
      const total = data.reduce((sum, value) => sum + value, 0);
      const outside = data.reduce((sum, value, at) => sum + (within[0](samePoint(at, first, here), patch) ? 0 : value), 0);
      return `${said} The loaded model has no windows: in its last layer the chosen patch gives ${percent(outside / total)} to those outside. ${numbers}`;
    },
  };
}

/** Two layers of a stage whose windows differ, where there are such. @param {Layer[]} layers @param {number} stage @returns {[number, number]} */
function pairOf(layers, stage) {
  const own = layers.flatMap((layer, i) => (layer.stage === stage ? [i] : []));
  const windows = own.map((i) => JSON.stringify(layers[i].window));
  const other = windows.findIndex((window) => window !== windows[0]);
  return [own[0], own[other > 0 ? other : Math.min(1, own.length - 1)]];
}

/** @param {import('../../../explorer/stages.js').Windows} windows @param {number} at */
const groupOf = ({ of, parts }, at) => 9 * of[at] + parts[at];

/** @param {Grid} grid */
const middle = ([rows, cols]) => (rows >> 1) * cols + (cols >> 1);

/**
 * The four patches that one was made of.
 * @param {CanvasRenderingContext2D} target
 * @param {import('../../../../pkg/index.js').Rectangle} patch
 */
function cross(target, { x, y, width, height }) {
  target.fillStyle = 'rgb(255 255 255 / 0.8)';
  target.fillRect(x + width / 2 - 0.5, y, 1, height);
  target.fillRect(x, y + height / 2 - 0.5, width, 1);
}
