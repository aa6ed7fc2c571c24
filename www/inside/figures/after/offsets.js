/** BEiT: a number for each distance. What a model has of it: its biases, or else what its heads make of distance without any. */
import { colourise } from '../../../../pkg/dist/index.js';
import { slider } from '../../../explorer/controls.js';
import { make } from '../../../explorer/dom.js';
import { remember } from '../../../explorer/views/cache.js';
import { number } from '../../../explorer/words.js';
import { createCells } from '../../kit/cells.js';
import { onStep } from '../../kit/scenes.js';
import { distance } from '../distance.js';

/**
 * @typedef {import('../../figure.js').Context} Context
 * @typedef {import('../../../../pkg/index.js').Trace} Trace
 * @typedef {{data: import('../../../../pkg/index.js').Floats, signed: boolean, far: [down: number, across: number]}} Table
 *   [2 down + 1, 2 across + 1]: how far it goes from the query in the middle
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
      const { data, signed, far } = await remember(trace, `by distance ${layer} ${head}`, () => (relative ? biases(trace, layer, head, signal) : averages(trace, layer, head, signal)), signal);
      if (signal.aborted) return '';
      const grid = /** @type {[number, number]} */ (far.map((by) => 2 * by + 1));
      const known = Array.from(data).sort((a, b) => a - b);
      if (chosen !== null && chosen >= data.length) chosen = null;
      const most = signed ? Math.max(-known[0], known[known.length - 1]) : known[Math.floor(0.995 * (known.length - 1))];
      const what = relative ? 'bias' : 'attention on average';
      cells.show({ grid, ratio: ((trace.crop.width / trace.grid[1]) * grid[1]) / ((trace.crop.height / trace.grid[0]) * grid[0]), place: chosen, text: `${what} by how far the key is: the query in the middle` }, (target, width, height) => {
        const small = new OffscreenCanvas(grid[1], grid[0]);
        const bytes = colourise({ rows: grid[0], cols: grid[1], channels: 1, data, signed, text: '' }, { range: [signed ? -most : 0, most || 1], ...(!signed && { colormap: look.colormap }) });
        /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext('2d')).putImageData(new ImageData(bytes, grid[1], grid[0]), 0, 0);
        target.imageSmoothingEnabled = false;
        target.drawImage(small, 0, 0, width, height);
        target.strokeStyle = '#fff';
        target.lineWidth = 1.5;
        const [w, h] = [width / grid[1], height / grid[0]];
        target.strokeRect(far[1] * w, far[0] * h, w, h);
      });
      tell = (place) => {
        const at = place ?? chosen;
        words.textContent = at === null ? 'White: the query itself. To the right of it, keys to the right.' : `${steps(at, far)}: ${what} ${number(data[at])}`;
      };
      tell(null);
      const top = data.indexOf(known[known.length - 1]);
      return relative
        ? `Layer ${layer}, head ${head}: the bias that this model adds to a score, by where the key is from the query: ${number(known[0])} to ${number(known[known.length - 1])}, most for ${steps(top, far)}.`
        : `Layer ${layer}, head ${head}: this model has no bias, but its heads have their distances too. Attention to a key by where it is from the query, ${trace.queries ? 'for the query in the middle' : 'mean over all queries'}: most to ${steps(top, far)}, ${number(data[top])}.`;
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
  return { data, signed: true, far: [rows - 1, cols - 1] };
}

/**
 * A head's attention by distance, up to half of the grid, its mean over all queries that have a key there; for the query in the middle alone where no other was recorded.
 * @param {Trace} trace
 * @param {number} layer
 * @param {number} head
 * @param {AbortSignal} signal
 * @returns {Promise<Table>}
 */
async function averages(trace, layer, head, signal) {
  const { grid: [rows, cols], prefixTokens, tokens, heads, attentions, queries } = trace;
  const far = /** @type {[number, number]} */ ([rows >> 1, cols >> 1]);
  const data = new Float32Array((2 * far[0] + 1) * (2 * far[1] + 1));
  const counts = new Uint32Array(data.length);
  /** @param {number} query @param {ArrayLike<number>} row @param {number} from */
  const add = (query, row, from) => {
    for (let key = 0; key < rows * cols; key++) {
      const [down, across] = [Math.floor(key / cols) - Math.floor(query / cols), (key % cols) - (query % cols)];
      if (Math.abs(down) > far[0] || Math.abs(across) > far[1]) continue;
      const at = (down + far[0]) * (2 * far[1] + 1) + across + far[1];
      data[at] += row[from + key];
      counts[at]++;
    }
  };
  const place = queries ? -1 : trace.recorded.indexOf(layer);
  if (place < 0 || !attentions.length) {
    add(far[0] * cols + far[1], (await trace.query({ layer, head, query: far, signal })).attention, prefixTokens);
  } else for (let query = 0; query < rows * cols; query++) add(query, attentions, ((place * heads + head) * tokens + prefixTokens + query) * tokens + prefixTokens);
  return { data: data.map((sum, i) => sum / (counts[i] || 1)), signed: false, far };
}

/** @param {number} place in a table @param {Table['far']} far */
function steps(place, [most, wide]) {
  return distance(Math.floor(place / (2 * wide + 1)) - most, (place % (2 * wide + 1)) - wide);
}
