/** BEiT: a number for each distance. What a model has of it: its biases, or else what its heads make of distance without any. */
import { colourise } from '../../../../pkg/dist/index.js';
import { slider } from '../../../explorer/controls.js';
import { make } from '../../../explorer/dom.js';
import { remember } from '../../../explorer/views/cache.js';
import { number } from '../../../explorer/words.js';
import { createCells } from '../../kit/cells.js';
import { onStep } from '../../kit/scenes.js';

/**
 * @typedef {import('../../figure.js').Context} Context
 * @typedef {import('../../../../pkg/index.js').Trace} Trace
 * @typedef {{data: import('../../../../pkg/index.js').Floats, signed: boolean}} Table  [2 rows − 1, 2 cols − 1]
 */

/** @param {import('../../figure.js').Hands} hands */
export function createOffsets({ change }) {
  const layers = slider('Layer', { min: 0, max: 0, value: 0 }, String, change);
  const heads = slider('Head', { min: 0, max: 0, value: 0 }, String, change);
  const cells = createCells('By how far the key is from the query', { onHover: (place) => tell(place), onPick: (place) => {
    chosen = place;
    change();
  } });
  const words = make('p', { class: 'note' }, ['\u00a0']);
  const element = make('div', {}, [cells.element, words, make('div', { class: 'controls' }, [layers.element, heads.element])]);
  /** @type {number | null} */
  let chosen = null;
  /** @type {(place: number | null) => void} */
  let tell = () => {};
  const begin = onStep(({ trace }) => {
    const [layer, head] = nearest(trace);
    layers.extend(trace.layers - 1, layer);
    heads.extend(trace.heads - 1, head);
  });

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, vit, look, signal } = context;
      begin(context);
      layers.extend(trace.layers - 1, Math.min(layers.value, trace.layers - 1));
      heads.extend(trace.heads - 1, Math.min(heads.value, trace.heads - 1));
      const [layer, head] = [layers.value, heads.value];
      const relative = vit.config.positions.includes('relative');
      const { data, signed } = await remember(trace, `by distance ${layer} ${head}`, () => (relative ? biases(trace, layer, head, signal) : averages(trace, layer, head, signal)), signal);
      if (signal.aborted) return '';
      const [rows, cols] = trace.grid;
      const grid = /** @type {[number, number]} */ ([2 * rows - 1, 2 * cols - 1]);
      const known = [...data].filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
      const most = signed ? Math.max(-known[0], known[known.length - 1]) : known[Math.floor(0.995 * (known.length - 1))];
      const what = relative ? 'bias' : 'attention on average';
      cells.show({ grid, ratio: (trace.crop.width / trace.crop.height / cols / 2) * (2 * cols), place: chosen, text: `${what} by how far the key is: the query in the middle` }, (target, width, height) => {
        const small = new OffscreenCanvas(grid[1], grid[0]);
        const bytes = colourise({ rows: grid[0], cols: grid[1], channels: 1, data: data.map((value) => value || 0), signed, text: '' }, { range: [signed ? -most : 0, most || 1], ...(!signed && { colormap: look.colormap }) });
        /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext('2d')).putImageData(new ImageData(bytes, grid[1], grid[0]), 0, 0);
        target.imageSmoothingEnabled = false;
        target.drawImage(small, 0, 0, width, height);
        target.strokeStyle = '#fff';
        target.lineWidth = 1.5;
        const [w, h] = [width / grid[1], height / grid[0]];
        target.strokeRect((cols - 1) * w, (rows - 1) * h, w, h);
      });
      tell = (place) => {
        const at = place ?? chosen;
        words.textContent = at === null ? 'White: the query itself. To the right of it, keys to the right.' : `${steps(at, cols, rows)}: ${what} ${number(data[at] || 0)}`;
      };
      tell(null);
      const top = data.indexOf(Math.max(...known));
      return relative
        ? `Layer ${layer}, head ${head}: the bias that this model adds to a score, by where the key is from the query: ${number(known[0])} to ${number(known[known.length - 1])}, most for ${steps(top, cols, rows)}.`
        : `Layer ${layer}, head ${head}: this model has no bias, but its heads have their distances too. Attention to a key by where it is from the query, ${trace.queries ? 'for the query in the middle' : 'mean over all queries'}: most to ${steps(top, cols, rows)}, ${number(data[top])}.`;
    },
  };
}

/** The head that looks nearest, where that is known. @param {Trace} trace @returns {[layer: number, head: number]} */
function nearest(trace) {
  if (trace.queries || !trace.attentions.length) return [0, 0];
  const { data, cols } = remember(trace, 'distances', () => trace.attentionDistance());
  const least = data.indexOf(Math.min(...data));
  return [Math.floor(least / cols), least % cols];
}

/**
 * The table of a head's biases: queries in the four corners see all of it.
 * @param {Trace} trace
 * @param {number} layer
 * @param {number} head
 * @param {AbortSignal} signal
 * @returns {Promise<Table>}
 */
async function biases(trace, layer, head, signal) {
  const [rows, cols] = trace.grid;
  const data = new Float32Array((2 * rows - 1) * (2 * cols - 1));
  for (const query of /** @type {[number, number][]} */ ([[0, 0], [0, cols - 1], [rows - 1, 0], [rows - 1, cols - 1]])) {
    const { bias } = await trace.query({ layer, head, query, signal });
    for (let i = 0; bias && i < rows * cols; i++) data[(Math.floor(i / cols) - query[0] + rows - 1) * (2 * cols - 1) + (i % cols) - query[1] + cols - 1] = bias[trace.prefixTokens + i];
  }
  return { data, signed: true };
}

/**
 * A head's attention by distance, its mean over all queries that have a key there; for the query in the middle alone where no other was recorded.
 * @param {Trace} trace
 * @param {number} layer
 * @param {number} head
 * @param {AbortSignal} signal
 * @returns {Promise<Table>}
 */
async function averages(trace, layer, head, signal) {
  const { grid: [rows, cols], prefixTokens, tokens, heads, attentions, queries } = trace;
  const data = new Float32Array((2 * rows - 1) * (2 * cols - 1));
  const counts = new Uint32Array(data.length);
  /** @param {number} query @param {ArrayLike<number>} row @param {number} from */
  const add = (query, row, from) => {
    for (let key = 0; key < rows * cols; key++) {
      const at = (Math.floor(key / cols) - Math.floor(query / cols) + rows - 1) * (2 * cols - 1) + (key % cols) - (query % cols) + cols - 1;
      data[at] += row[from + key];
      counts[at]++;
    }
  };
  const place = queries ? -1 : trace.recorded.indexOf(layer);
  if (place < 0 || !attentions.length) {
    const middle = /** @type {[number, number]} */ ([rows >> 1, cols >> 1]);
    add(middle[0] * cols + middle[1], (await trace.query({ layer, head, query: middle, signal })).attention, prefixTokens);
  } else for (let query = 0; query < rows * cols; query++) add(query, attentions, ((place * heads + head) * tokens + prefixTokens + query) * tokens + prefixTokens);
  return { data: data.map((sum, i) => (counts[i] ? sum / counts[i] : NaN)), signed: false };
}

/** @param {number} place in the table @param {number} cols @param {number} rows of the grid */
function steps(place, cols, rows) {
  const [down, across] = [Math.floor(place / (2 * cols - 1)) - rows + 1, (place % (2 * cols - 1)) - cols + 1];
  if (!down && !across) return 'the query itself';
  const say = (/** @type {number} */ by, /** @type {string} */ unit, /** @type {string} */ after, /** @type {string} */ before) => (by ? [`${Math.abs(by)} ${unit}${Math.abs(by) === 1 ? '' : 's'} ${by > 0 ? after : before}`] : []);
  return [...say(down, 'row', 'down', 'up'), ...say(across, 'column', 'right', 'left')].join(', ');
}
