import { createChart } from '../chart.js';
import { segments } from '../controls.js';
import { make, percent } from '../dom.js';
import { number } from '../look.js';
import { NO_CLASSES, remember } from './memory.js';

/** @typedef {import('../viewer.js').ViewMap} ViewMap */

/**
 * How the answer forms, layer by layer.
 * @param {() => void} onChange
 * @returns {import('../viewer.js').View}
 */
export function createLogitLens(onChange) {
  const scale = segments('Scale', /** @type {const} */ ([['probability', 'probability'], ['logit', 'logit']]), onChange);
  const figure = make('div');
  const chart = createChart(figure);
  const key = make('ul', { class: 'key' });
  const body = make('tbody');
  const table = make('table', {}, [
    make('thead', {}, [make('tr', {}, ['After layer', 'Likeliest there', 'Probability'].map((text) => make('th', { scope: 'col' }, [text])))]),
    body,
  ]);
  const shown = make('div', {}, [figure, key, table]);
  const element = make('div', {}, [
    make('p', { class: 'hint' }, ["How the answer forms: the model's head, asked after each layer."]),
    make('div', { class: 'controls' }, [scale.element]),
    shown,
  ]);

  return {
    id: 'logit-lens',
    title: 'Logit lens',
    element,
    uses: () => ({ target: true }),

    async show({ trace, target, vit, paint, signal }) {
      shown.hidden = !target;
      if (!target) return paint(undefined, { detail: NO_CLASSES });
      const map = await remember(trace, 'logit lens', () => trace.logitLens());
      if (signal.aborted) return;
      const { labels } = vit.config;
      const probabilities = softmaxRows(map);
      const column = (/** @type {Float32Array} */ values, /** @type {number} */ index) => Array.from({ length: map.rows }, (_, row) => values[row * map.cols + index]);
      const classes = [target, ...trace.top.filter(({ index }) => index !== target.index).slice(0, 4)];
      const values = scale.value === 'logit' ? map.data : probabilities;
      const lines = classes.map(({ index }, i) => ({ values: column(values, index), kind: i ? `other-${i}` : 'chosen' }));
      const all = lines.flatMap((line) => line.values);
      const steps = Array.from({ length: map.rows }, (_, row) => (row ? String(row - 1) : '–'));
      chart.show({
        x: 'after layer', y: scale.value, steps, lines: lines.reverse(),
        min: scale.value === 'logit' ? Math.min(0, ...all) : 0, max: scale.value === 'logit' ? Math.max(...all) : 1,
        format: scale.value === 'logit' ? number : (value) => `${Math.round(100 * value)} %`,
        label: `The ${scale.value} of ${classes.map(({ label }) => label).join(', ')} after each layer; the table below has the likeliest of each.`,
      });
      key.replaceChildren(...classes.map(({ label }, i) => make('li', { class: i ? `other-${i}` : 'chosen' }, [label])));
      body.replaceChildren(...steps.map((step, row) => {
        const best = argmax(probabilities, row * map.cols, map.cols);
        const cells = [step === '–' ? 'embeddings' : step, labels[best], percent(probabilities[row * map.cols + best])];
        return make('tr', best === target.index ? { class: 'chosen' } : {}, cells.map((text, i) => make(i ? 'td' : 'th', i ? {} : { scope: 'row' }, [text])));
      }));
      paint(map, { detail: 'In the chart and the table, beside the photo.' });
    },
  };
}

/** @param {ViewMap} map */
function softmaxRows({ rows, cols, data }) {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const most = data[argmax(data, row * cols, cols) + row * cols];
    let sum = 0;
    for (let i = row * cols; i < (row + 1) * cols; i++) sum += out[i] = Math.exp(data[i] - most);
    for (let i = row * cols; i < (row + 1) * cols; i++) out[i] /= sum;
  }
  return out;
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
