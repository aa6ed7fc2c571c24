import { createChart } from '../chart.js';
import { segments } from '../controls.js';
import { make } from '../dom.js';
import { classNames } from '../names.js';
import { scoreFormat, scoresOf } from '../scores.js';
import { NO_CLASSES, number } from '../words.js';
import { remember } from './cache.js';

/**
 * How the answer forms, layer by layer.
 * @param {import('./index.js').Hands} hands
 * @returns {import('../viewer.js').View}
 */
export function createLogitLens({ change }) {
  const scale = segments('Scale', /** @type {const} */ ([['probability', 'probability'], ['logit', 'logit']]), change);
  const figure = make('div');
  const chart = createChart(figure);
  const key = make('ul', { class: 'key' });
  const head = make('tr');
  const body = make('tbody');
  const table = make('table', {}, [make('thead', {}, [head]), body]);
  const shown = make('div', {}, [figure, key, table]);
  const element = make('div', {}, [
    make('div', { class: 'controls' }, [scale.element]),
    shown,
  ]);

  return {
    id: 'logit-lens',
    title: 'How the answer forms',
    term: 'logit lens',
    sentence: "The model's head, asked after each layer: which class is likeliest there?",
    caution: 'The head was trained on the last layer alone: early ones tell a tendency.',
    element,
    uses: () => ({ target: true, layer: true }),
    reads: () => ({ hidden: true }),

    async show({ trace, target, vit, paint, signal, layer }) {
      shown.hidden = !target;
      if (!target) return paint(undefined, { detail: NO_CLASSES });
      const map = await remember(trace, 'logit lens', () => trace.logitLens());
      if (signal.aborted) return;
      const { labels, scores } = vit.config;
      const names = classNames(labels);
      const said = scoreFormat(scores);
      const all = scoresOf(map, scores);
      scale.element.hidden = scores === 'none'; // they are the logits
      const shares = scores !== 'none' && scale.value === 'probability';
      const name = scores === 'none' ? 'value' : scale.value;
      const values = shares ? all : map.data;
      const column = (/** @type {Float32Array} */ values, /** @type {number} */ index) => Array.from({ length: map.rows }, (_, row) => values[row * map.cols + index]);
      const classes = [target, ...trace.top.filter(({ index }) => index !== target.index).slice(0, 4)];
      const lines = classes.map(({ index }, i) => ({ values: column(values, index), kind: i ? `other-${i}` : 'chosen' }));
      const drawn = lines.flatMap((line) => line.values);
      const steps = Array.from({ length: map.rows }, (_, row) => (row ? String(row - 1) : '–'));
      chart.show({
        x: 'after layer', y: name, steps, lines: lines.reverse(),
        min: shares ? 0 : Math.min(0, ...drawn), max: shares ? 1 : Math.max(...drawn),
        format: shares ? (value) => `${Math.round(100 * value)} %` : number,
        label: `The ${name} of ${classes.map(({ index }) => names[index]).join(', ')} after each layer; the table below has the highest of each.`,
      });
      key.replaceChildren(...classes.map(({ index }, i) => make('li', { class: i ? `other-${i}` : 'chosen', title: labels[index] }, [names[index]])));
      const heads = ['After layer', scores === 'none' ? 'Highest there' : 'Likeliest there', scores === 'none' ? 'Value' : 'Probability'];
      head.replaceChildren(...heads.map((text) => make('th', { scope: 'col' }, [text])));
      body.replaceChildren(...steps.map((step, row) => {
        const best = argmax(all, row * map.cols, map.cols);
        const cells = [step === '–' ? 'embeddings' : step, names[best], said(all[row * map.cols + best])];
        const marks = /** @type {Record<string, string>} */ ({ ...(best === target.index && { class: 'chosen' }), ...(row - 1 === layer && { 'aria-current': 'step' }) });
        return make('tr', marks, cells.map((text, i) => make(i ? 'td' : 'th', [{ scope: 'row' }, { title: labels[best] }, {}][i], [text])));
      }));
      paint(map, { detail: 'In the chart and the table, beside the photo.' });
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
