/** What softmax makes of one row of scores when they are divided by the wrong number. */
import { segments } from '../../../explorer/controls.js';
import { make, percent } from '../../../explorer/dom.js';
import { remember } from '../../../explorer/views/cache.js';
import { count } from '../../facts.js';
import { createCells, seen } from '../../kit/cells.js';
import { drawOverlay } from '../../../../pkg/dist/index.js';
import { overlayOptions } from '../../../explorer/maps.js';

/**
 * @typedef {import('../../figure.js').Context} Context
 * @typedef {import('../../../../pkg/index.js').Trace} Trace
 */

const WRONG = /** @type {const} */ ({
  heads: ['d_k', 'scale = dim // heads'],
  width: ['√D', 'scale = dim ** 0.5'],
  none: ['nothing', 'scale = 1'],
});
const SCORES = 'attn = softmax(q @ k.T / scale)';

/** @param {import('../../figure.js').Hands} hands */
export function createDivisor({ choose, change }) {
  const wrong = segments('Divided by', /** @type {const} */ (['heads', 'width', 'none']).map((name) => /** @type {const} */ ([name, WRONG[name][0]])), change);
  const sides = ['wrong', 'right'].map((name) => {
    const code = make('code');
    const numbers = make('dl', {});
    const cells = createCells(`Attention with the ${name} divisor`, { onPick: (patch) => choose({ patch }) });
    return { code, numbers, cells, element: make('div', { class: `side ${name}` }, [make('h3', {}, [name]), make('pre', {}, [code]), cells.element, numbers]) };
  });
  const element = make('div', { class: 'divisor' }, [make('div', { class: 'row grow' }, sides.map(({ element }) => element)), make('div', { class: 'controls' }, [wrong.element])]);

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, vit, patch, picked, look, signal } = context;
      const photo = await seen(context);
      if (signal.aborted) return '';
      const { grid: [rows, cols], prefixTokens, hiddenSize, tokens } = trace;
      const [layer, head] = context.layer !== null || context.head !== null ? [context.layer ?? trace.layers - 1, context.head ?? 0] : sharpest(trace);
      const query = picked ? /** @type {[number, number]} */ ([Math.floor(patch / cols), patch % cols]) : undefined;
      const inside = await trace.query({ layer, head, query, signal });
      if (signal.aborted) return '';
      const { scores, bias, attention } = inside;
      const d = inside.q.length;
      const divisor = { heads: d, width: Math.sqrt(hiddenSize), none: 1 }[wrong.value];
      const other = softmax(scores.map((score, i) => (score - (bias?.[i] ?? 0)) * (Math.sqrt(d) / divisor) + (bias?.[i] ?? 0)));
      const rowsOf = [other, attention];
      const most = Math.max(...attention.subarray(prefixTokens));
      const lines = [WRONG[wrong.value][1], 'scale = (dim // heads) ** 0.5'];
      const says = rowsOf.map((row, i) => {
        const [spread, largest] = [entropy(row), Math.max(...row)];
        sides[i].code.textContent = `${lines[i]}  # ${i ? Math.sqrt(d).toFixed(2) : divisor.toFixed(Number.isInteger(divisor) ? 0 : 2)}\n${SCORES}`;
        const data = row.slice(prefixTokens);
        const map = { rows, cols, channels: /** @type {1} */ (1), data, signed: false, text: 'attention' };
        sides[i].cells.show({ grid: [rows, cols], ratio: trace.crop.width / trace.crop.height, place: picked ? patch : null, text: `One row of attention with the ${i ? 'right' : 'wrong'} divisor` }, ({ canvas }) => {
          drawOverlay(canvas, photo, map, { ...overlayOptions(map, { ...look, style: 'colours' }), range: [0, most], faintest: 0.55 });
        });
        sides[i].numbers.replaceChildren(...[['entropy', `${spread.toFixed(2)} of ${Math.log(tokens).toFixed(2)} nats`], ['largest weight', percent(largest)], ['as if spread over', `${count(Math.round(Math.exp(spread)))} of ${count(tokens)} tokens`]].map(([name, value]) => make('div', {}, [make('dt', {}, [name]), make('dd', {}, [value])])));
        return [spread, largest];
      });
      const asks = query ? `patch (${query.join(', ')})` : vit.config.prefix.includes('class') ? 'the class token' : `patch (${rows >> 1}, ${cols >> 1})`;
      const off = vit.config.dtype === 'int8' ? apart(trace, inside) : undefined;
      return `Layer ${layer}, head ${head}, what ${asks} looks at. Divided by ${WRONG[wrong.value][0]}: entropy ${says[0][0].toFixed(2)} nats, largest weight ${percent(says[0][1])}; by √d_k: ${says[1][0].toFixed(2)} nats, ${percent(says[1][1])}. Even attention would be ${Math.log(tokens).toFixed(2)} nats.`
        + (off === undefined ? '' : ` Computed here in f32; the model’s own int8 row differs by ${(100 * off).toFixed(1)} points at most.`);
    },
  };
}

/** The head whose attention is the least even, where all of it was recorded. @param {Trace} trace */
function sharpest(trace) {
  if (trace.queries || !trace.attentions.length) return [trace.layers - 1, 0];
  const { data, cols } = remember(trace, 'entropies', () => trace.attentionEntropy());
  const least = data.indexOf(Math.min(...data));
  return [Math.floor(least / cols), least % cols];
}

/**
 * How far a row of attention is from the recorded one, where that is there.
 * @param {Trace} trace
 * @param {{layer: number, head: number, token: number, attention: Float32Array}} inside
 */
function apart({ attentions, recorded, queries, heads, tokens }, { layer, head, token, attention }) {
  const place = recorded.indexOf(layer);
  if (queries || place < 0 || !attentions.length) return undefined;
  const from = ((place * heads + head) * tokens + token) * tokens;
  return attention.reduce((most, value, i) => Math.max(most, Math.abs(value - attentions[from + i])), 0);
}

/** @param {Float32Array} scores */
function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** In nats. @param {Float32Array} row */
function entropy(row) {
  return -row.reduce((sum, value) => sum + (value > 0 ? value * Math.log(value) : 0), 0);
}
