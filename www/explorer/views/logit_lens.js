import { segments } from '../controls.js';
import { make } from '../dom.js';
import { NO_CLASSES } from '../words.js';
import { remember } from './cache.js';
import { createLensChart } from './lens_chart.js';

/**
 * How the answer forms, layer by layer.
 * @param {import('./index.js').Hands} hands
 * @returns {import('../viewer.js').View}
 */
export function createLogitLens({ change }) {
  const scale = segments('Scale', /** @type {const} */ ([['probability', 'probability'], ['logit', 'logit']]), change);
  const chart = createLensChart();
  const shown = make('div', {}, [chart.figure, chart.key, chart.table]);
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
    tries: (trace) => trace.logitLens(),
    reads: () => ({ hidden: true }),

    async show({ trace, target, vit, paint, signal, layer }) {
      shown.hidden = !target;
      if (!target) return paint(undefined, { detail: NO_CLASSES });
      const map = await remember(trace, 'logit lens', () => trace.logitLens());
      if (signal.aborted) return;
      const { config } = vit;
      scale.element.hidden = config.scores === 'none'; // they are the logits
      chart.show({ map, target, top: trace.top, config, layer, shares: scale.value === 'probability' });
      const some = map.rows < trace.layers; // of a model with stages
      paint(map, { detail: `In the chart and the table, beside the photo${some ? ': the head reads what the last stage leaves' : ''}.` });
    },
  };
}
