/** What softmax makes of one row of scores when they are divided by the wrong number. */
import { svg } from '../../../explorer/chart.js';
import { segments } from '../../../explorer/controls.js';
import { make, percent } from '../../../explorer/dom.js';
import { count } from '../../facts.js';
import { createCells, seen } from '../../kit/cells.js';
import { softmax, spread } from '../../kit/softmax.js';
import { drawOverlay } from '../../../../pkg/dist/index.js';
import { overlayOptions, rangeOf } from '../../../explorer/maps.js';

/**
 * @typedef {import('../../figure.js').Context} Context
 * @typedef {import('../../../../pkg/index.js').Trace} Trace
 */

const WRONG = /** @type {const} */ ({
  heads: ['d_k', 'scale = dim // heads'],
  width: ['√D', 'scale = dim**0.5'],
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
    const path = svg('path', {});
    const plot = svg('svg', { viewBox: '0 0 1 1', preserveAspectRatio: 'none', role: 'img', 'aria-label': `All weights of the row with the ${name} divisor` });
    plot.append(path);
    return { code, numbers, cells, path, element: make('div', { class: `side ${name}` }, [make('h3', {}, [name]), make('pre', {}, [code]), cells.element, plot, numbers]) };
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
      const other = Float32Array.from(softmax(scores.map((score, i) => (score - (bias?.[i] ?? 0)) * (Math.sqrt(d) / divisor) + (bias?.[i] ?? 0)), 1).shares);
      const rowsOf = [other, attention];
      const maps = rowsOf.map((row) => ({ rows, cols, channels: /** @type {1} */ (1), data: row.slice(prefixTokens), signed: false, text: 'attention' }));
      const light = { ...look, style: /** @type {const} */ ('spotlight') };
      const range = rangeOf(maps[1], light);
      const most = Math.max(...other, ...attention);
      const lines = [WRONG[wrong.value][1], 'scale = (dim // heads)**0.5'];
      const says = rowsOf.map((row, i) => {
        const [over, largest] = [spread(row), Math.max(...row)];
        const entropy = Math.log(over);
        sides[i].code.replaceChildren(lines[i], make('span', { class: 'rest' }, [`\n${SCORES}`]));
        sides[i].cells.show({ grid: [rows, cols], ratio: trace.crop.width / trace.crop.height, place: picked ? patch : null, text: `One row of attention with the ${i ? 'right' : 'wrong'} divisor` }, ({ canvas }) => {
          drawOverlay(canvas, photo, maps[i], { ...overlayOptions(maps[i], light), range });
        });
        sides[i].path.setAttribute('d', bars(row, most));
        sides[i].numbers.replaceChildren(...[['divided by', (i ? Math.sqrt(d) : divisor).toFixed(2)], ['entropy', `${entropy.toFixed(2)} of ${Math.log(tokens).toFixed(2)}`], ['largest weight', percent(largest)], ['as if spread over', `${count(Math.round(over))} of ${count(tokens)} tokens`]].map(([name, value]) => make('div', {}, [make('dt', {}, [name]), make('dd', {}, [value])])));
        return [entropy, largest];
      });
      const asks = query ? `patch (${query.join(', ')})` : vit.config.prefix.includes('class') ? 'the class token' : `patch (${rows >> 1}, ${cols >> 1})`;
      const off = vit.config.dtype === 'int8' ? apart(trace, inside) : undefined;
      return `Layer ${layer}, head ${head}, what ${asks} looks at. Divided by ${WRONG[wrong.value][0]}: entropy ${says[0][0].toFixed(2)} nats, largest weight ${percent(says[0][1])}; by √d_k: ${says[1][0].toFixed(2)} nats, ${percent(says[1][1])}. Even attention would be ${Math.log(tokens).toFixed(2)} nats.`
        + (off === undefined ? '' : ` Computed here in f32; the model’s own int8 row differs by ${(100 * off).toFixed(1)} points at most.`);
    },
  };
}

/** A bar for each weight, side by side, in a square of 1 by 1. @param {Float32Array} row @param {number} most */
function bars(row, most) {
  const width = 1 / row.length;
  return Array.from(row, (weight, i) => `M${(i * width).toFixed(5)} 1v${(-weight / most).toFixed(5)}h${(0.8 * width).toFixed(5)}V1z`).join('');
}

/** The head of the last layer whose attention to patches is the least even. @param {Trace} trace */
function sharpest(trace) {
  const layer = trace.layers - 1;
  const spreads = Array.from({ length: trace.heads }, (_, head) => {
    const { data } = trace.headMap({ layer, head });
    const sum = data.reduce((a, b) => a + b, 0);
    return spread(data.map((value) => value / sum));
  });
  return [layer, spreads.indexOf(Math.min(...spreads))];
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
