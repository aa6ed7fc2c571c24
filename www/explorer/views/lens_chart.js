/** The logit lens as a chart of some classes and a table of the likeliest, layer by layer. */
import { createChart } from '../chart.js';
import { make } from '../dom.js';
import { classNames } from '../names.js';
import { scoreFormat, scoresOf } from '../scores.js';
import { number } from '../words.js';

/**
 * @typedef {{index: number, score: number}} Answer
 * @typedef {{
 *   map: import('../maps.js').ViewMap, target: {index: number}, top: Answer[], config: import('../../../pkg/index.js').ModelConfig, layer: number, shares: boolean, mark?: number,
 * }} Lens
 *   map: what `logitLens` gives; target, top: the class that is asked about, and the answer, whose classes are lines; layer: whose row is the current one; shares: whether probabilities are
 *   drawn, where the model has them, and not logits; mark: the step of the chart that is chosen
 */

/** Lines beside the class that is asked about. */
const OTHERS = 4;

/** @param {NonNullable<Parameters<typeof createChart>[1]>} [options] of the chart */
export function createLensChart(options) {
  const figure = make('div');
  const chart = createChart(figure, options);
  const key = make('ul', { class: 'key' });
  const head = make('tr');
  const body = make('tbody');
  const table = make('table', {}, [make('thead', {}, [head]), body]);

  return {
    figure,
    key,
    table,

    /**
     * @param {Lens} lens
     * @returns {{index: number, score: number}[]} the likeliest class after each layer, the embeddings first
     */
    show({ map, target, top, config: { labels, scores, layers }, layer, shares, mark }) {
      // The embeddings, then all layers; of a model with stages those of the last.
      const first = layers - map.rows;
      const names = classNames(labels);
      const said = scoreFormat(scores);
      const all = scoresOf(map, scores);
      const name = scores === 'none' ? 'value' : shares ? 'probability' : 'logit';
      const parts = shares && scores !== 'none';
      const values = parts ? all : map.data;
      const column = (/** @type {number} */ index) => Array.from({ length: map.rows }, (_, row) => values[row * map.cols + index]);
      const classes = [target, ...top.filter(({ index }) => index !== target.index).slice(0, OTHERS)];
      const lines = classes.map(({ index }, i) => ({ values: column(index), kind: i ? `other-${i}` : 'chosen' }));
      const drawn = lines.flatMap((line) => line.values);
      const steps = Array.from({ length: map.rows }, (_, row) => (row + first < 0 ? '–' : String(row + first)));
      chart.show({
        x: 'after layer', y: name, steps, lines: lines.reverse(), ...(mark !== undefined && { mark }),
        min: parts ? 0 : Math.min(0, ...drawn), max: parts ? 1 : Math.max(...drawn),
        format: parts ? (value) => `${Math.round(100 * value)} %` : number,
        label: `The ${name} of ${classes.map(({ index }) => names[index]).join(', ')} after each layer; the table below has the highest of each.`,
      });
      key.replaceChildren(...classes.map(({ index }, i) => make('li', { class: i ? `other-${i}` : 'chosen', title: labels[index] }, [names[index]])));
      const heads = ['After layer', scores === 'none' ? 'Highest there' : 'Likeliest there', scores === 'none' ? 'Value' : 'Probability'];
      head.replaceChildren(...heads.map((text) => make('th', { scope: 'col' }, [text])));
      const likeliest = steps.map((_, row) => {
        const index = argmax(all, row * map.cols, map.cols);
        return { index, score: all[row * map.cols + index] };
      });
      body.replaceChildren(...likeliest.map(({ index, score }, row) => {
        const cells = [row + first < 0 ? 'embeddings' : steps[row], names[index], said(score)];
        const marks = /** @type {Record<string, string>} */ ({ ...(index === target.index && { class: 'chosen' }), ...(row + first === layer && { 'aria-current': 'step' }) });
        return make('tr', marks, cells.map((text, i) => make(i ? 'td' : 'th', [{ scope: 'row' }, { title: labels[index] }, {}][i], [text])));
      }));
      return likeliest;
    },
  };
}

/**
 * @param {Float32Array} values
 * @param {number} start
 * @param {number} count
 */
function argmax(values, start, count) {
  let best = 0;
  for (let i = 1; i < count; i++) if (values[start + i] > values[start + best]) best = i;
  return best;
}
