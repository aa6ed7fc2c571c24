/** Swin: attention within windows, which are moved by half a window in every other block. */
import { slider } from '../../../explorer/controls.js';
import { make, percent } from '../../../explorer/dom.js';
import { createCells, seen } from '../../kit/cells.js';
import { count } from '../../facts.js';

/** @typedef {import('../../figure.js').Context} Context */

/** @param {import('../../figure.js').Hands} hands */
export function createWindows({ choose, change }) {
  const size = slider('Window', { min: 2, max: 8, value: 4 }, (value) => `${value} × ${value}`, change);
  const cells = ['one block', 'the next'].map((name) => createCells(`Windows of ${name}: choose a patch`, { onPick: (patch) => choose({ patch }), onHover: (place) => draw(place) }));
  const titles = ['one block', 'the next block'].map((text) => make('h3', {}, [text]));
  const element = make('div', {}, [
    make('div', { class: 'row grow' }, cells.map((cell, i) => make('div', { class: 'side' }, [titles[i], cell.element]))),
    make('div', { class: 'controls' }, [size.element]),
  ]);

  /** @type {(hovered: number | null) => void} */
  let draw = () => {};

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, picked, signal } = context;
      const photo = await seen(context);
      if (signal.aborted) return '';
      const { grid, crop } = trace;
      const [rows, cols] = grid;
      const patch = picked ? context.patch : (rows >> 1) * cols + (cols >> 1);
      const most = Math.max(2, Math.min(...grid) >> 1);
      if (size.value > most) size.extend(most, most);
      else size.extend(most, size.value);
      const edge = size.value;
      const sees = [0, edge >> 1].map((shift) => windowsOf(grid, edge, shift));
      const lit = (/** @type {number} */ asked) => {
        const within = sees.map((windows) => windows.map((window) => window === windows[asked]));
        // What the first block gathered in its windows, the second passes on.
        const reach = new Set(sees[0].filter((_, i) => within[1][i]));
        return { within, reached: sees[0].map((window) => reach.has(window)) };
      };
      draw = (hovered) => cells.forEach((cell, i) => {
        const { within, reached } = lit(hovered ?? patch);
        const text = i ? `Windows moved by ${edge >> 1} patches; the chosen patch’s is bright, what reached it through two blocks half bright` : 'Windows of the first block; the chosen patch’s is bright';
        cell.show({ grid, ratio: crop.width / crop.height, place: patch, text }, (target, width, height) => {
          const [w, h] = [width / cols, height / rows];
          target.drawImage(photo, 0, 0, width, height);
          within[i].forEach((seen, at) => {
            if (seen) return;
            target.fillStyle = `rgb(0 0 0 / ${i && reached[at] ? 0.35 : 0.75})`;
            target.fillRect((at % cols) * w, Math.floor(at / cols) * h, w + 0.5, h + 0.5);
          });
          target.fillStyle = 'rgb(255 255 255 / 0.85)';
          const shift = i ? edge >> 1 : 0;
          for (let at = shift || edge; at < cols; at += edge) target.fillRect(Math.round(at * w) - 1, 0, 2, height);
          for (let at = shift || edge; at < rows; at += edge) target.fillRect(0, Math.round(at * h) - 1, width, 2);
        });
      });
      draw(null);
      const { within, reached } = lit(patch);
      const all = rows * cols;
      const scores = sees[0].reduce((sum, window) => sum + sees[0].filter((other) => other === window).length, 0);
      const said = `In windows of ${edge} × ${edge} a head needs ${count(scores)} scores in place of ${count(all * all)}. After two blocks ${count(reached.filter(Boolean).length)} of ${count(all)} patches have reached the chosen one.`;
      if (trace.queries || !trace.attentions.length) return said;
      const { data } = trace.headMap({ query: [Math.floor(patch / cols), patch % cols] });
      const total = data.reduce((sum, value) => sum + value, 0);
      const outside = data.reduce((sum, value, at) => sum + (within[0][at] ? 0 : value), 0);
      return `${said} This model has no windows: in its last layer the chosen patch gives ${percent(outside / total)} of what it gives to patches to those outside the window.`;
    },
  };
}

/**
 * The number of the window that each patch lies in.
 * @param {[rows: number, cols: number]} grid
 * @param {number} edge
 * @param {number} shift
 */
function windowsOf([rows, cols], edge, shift) {
  const of = (/** @type {number} */ at) => Math.floor((at + (shift ? edge - shift : 0)) / edge);
  return Array.from({ length: rows * cols }, (_, i) => of(Math.floor(i / cols)) * cols + of(i % cols));
}
