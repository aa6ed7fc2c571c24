/** The residual stream: a block with its two branches, lengths through the depth, LayerNorm, and how a token stays itself. */
import { createChart } from '../../explorer/chart.js';
import { make } from '../../explorer/dom.js';
import { kept, remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { createLayerChoice } from '../kit/layer.js';
import { createPhoto } from '../kit/photo.js';
import { cosine, lengthOf, streamOf, tokenOf } from '../kit/token.js';
import { createWork } from '../kit/work.js';
import { createBlock } from './block.js';
import { createChannels, momentsOf, normalised } from './channels.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').Norms} Norms
 */

/** What each step shows. */
const VIEWS = /** @type {const} */ (['block', 'depth', 'norm', 'same']);

/** Under which the lengths in all layers are kept. */
const ALL = 'norms of all layers';

/** The layer that is shown: the one in the middle unless chosen. @param {Pick<Context, 'trace' | 'layer'>} context */
export const layerOf = ({ trace, layer }) => Math.min(layer ?? Math.floor(trace.layers / 2), trace.layers - 1);

/**
 * @param {Pick<Context, 'trace' | 'signal'>} context
 * @param {number} layer
 * @returns {Promise<Norms>}
 */
function normsOf({ trace, signal }, layer) {
  return remember(trace, `norms ${layer}`, () => trace.norms({ layer, signal }), signal);
}

/**
 * By what factor the stream's length changes before one layer or another.
 * @param {Context} context
 */
export function factorOf(context) {
  const { index } = tokenOf(context);
  const lengths = Array.from({ length: context.trace.layers }, (_, depth) => lengthOf(streamOf(context.trace, depth, index)));
  return Math.max(...lengths) / Math.min(...lengths);
}

/** @param {import('../figure.js').Hands} hands */
export function createResidual({ choose, change }) {
  const photo = createPhoto('The photo: choose a patch', { onPick: (patch) => choose({ patch }) });
  const block = createBlock((text) => (note.textContent = text ?? usual));
  const plot = make('div', { class: 'grow' });
  const chart = createChart(plot, { fill: true, onPick: (layer) => choose({ layer }), onPoint: (layer) => (note.textContent = layer === null ? usual : read(layer)) });
  const key = make('ul', { class: 'key' });
  const charted = make('div', { class: 'charted grow' }, [plot, key]);
  const channels = createChannels((channel) => (note.textContent = channel === null ? usual : read(channel)));
  const layers = createLayerChoice((layer) => choose({ layer }));
  const note = make('output', { class: 'note' });
  const element = make('div', {}, [
    make('div', { class: 'row grow' }, [photo.element, block.element, charted, channels.element]),
    make('div', { class: 'controls' }, [layers.element, note]),
  ]);
  const work = createWork(change, (label, passes) => (note.textContent = label ? `${label}: ${passes?.done ?? 0} of ${passes?.total ?? '…'}` : usual));

  /** @param {typeof VIEWS[number]} [view] none, while nothing is known */
  function open(view) {
    block.element.hidden = view !== 'block';
    charted.hidden = view !== 'depth' && view !== 'same';
    channels.element.hidden = view !== 'norm';
  }
  open();

  let usual = '';
  /** What is said of the step, or of the channel, that is under the pointer. @type {(at: number) => string} */
  let read = () => '';

  /** @param {Context} context @param {number} layer */
  async function showBlock(context, layer) {
    const { trace } = context;
    const { index, name } = tokenOf(context);
    const norms = await normsOf(context, layer);
    if (context.signal.aborted) return '';
    const of = (/** @type {Exclude<keyof Norms, 'layer'>} */ point) => norms[point][index];
    const after = lengthOf(streamOf(trace, layer + 1, index));
    block.show({ stream: of('stream'), norm1: of('norm1'), attention: of('attention'), between: of('between'), norm2: of('norm2'), mlp: of('mlp'), after }, layer, name);
    return `Layer ${layer}, ${name}: ${number(of('stream'))} long, attention adds ${number(of('attention'))}, the MLP ${number(of('mlp'))}, then ${number(after)} long. On the photo: longer (red), shorter (blue) than the mean.`;
  }

  /** The lengths in every layer take a block's work each. @param {Context} context @returns {import('../kit/work.js').Piece} */
  const lengths = (context) => ({
    key: ALL,
    label: 'Layers measured',
    async run(signal, onProgress) {
      const { layers: total } = context.trace;
      const all = [];
      while (all.length < total) {
        onProgress({ done: all.length, total });
        all.push(await normsOf({ ...context, signal }, all.length));
      }
      return all;
    },
  });

  /** @param {Context} context @param {number} layer */
  function showDepth(context, layer) {
    const { trace } = context;
    const { index, name } = tokenOf(context);
    /** @type {Norms[] | undefined} */
    const all = kept(trace, ALL);
    const stream = Array.from({ length: trace.layers + 1 }, (_, depth) => lengthOf(streamOf(trace, depth, index)));
    const column = (/** @type {Exclude<keyof Norms, 'layer'>} */ point) => all?.map((norms) => norms[point][index]) ?? [];
    const lines = [{ kind: 'z', text: 'stream', values: stream.slice(0, -1) }, { kind: 'v', text: 'attention adds', values: column('attention') }, { kind: 'm', text: 'the MLP adds', values: column('mlp') }, { kind: 'n', text: 'after LayerNorm', values: column('norm1') }];
    const logs = lines.map(({ values }) => values.map((value) => Math.log10(Math.max(1e-9, value))));
    const [min, max] = [Math.min(...logs.flat()) - 0.05, Math.max(...logs.flat()) + 0.05];
    const powers = Array.from({ length: Math.max(0, Math.floor(max) - Math.ceil(min) + 1) }, (_, i) => Math.ceil(min) + i);
    chart.show({
      x: 'layer', y: 'length, logarithmic', steps: lines[0].values.map((_, i) => String(i)), lines: logs.map((values, i) => ({ values, kind: lines[i].kind })).reverse(), mark: layer,
      min, max, ticks: powers.length > 1 ? powers : [min, max], format: (power) => (Number.isInteger(power) ? String(10 ** power) : number(10 ** power)),
      label: `Lengths in each layer for ${name}: ${lines.map(({ text }) => text).join(', ')}`,
    });
    key.replaceChildren(...lines.map(({ kind, text }) => make('li', { class: kind }, [text])));
    read = (step) => `Layer ${step}: ${lines.filter(({ values }) => values.length).map(({ text, values }) => `${text} ${number(values[step])}`).join(', ')}`;
    const reads = lines[3].values;
    return `${name[0].toUpperCase()}${name.slice(1)} goes into layer 0 ${number(stream[0])} long and leaves the last ${number(stream[trace.layers])} long.${reads.length ? ` LayerNorm hands attention between ${number(Math.min(...reads))} and ${number(Math.max(...reads))}.` : ' What is added is being measured.'}`;
  }

  /** @param {Context} context @param {number} layer */
  async function showNorm(context, layer) {
    const { index, name } = tokenOf(context);
    const values = streamOf(context.trace, layer, index);
    const { mean, deviation } = momentsOf(values);
    const after = normalised(values);
    const { norm1 } = await normsOf(context, layer);
    if (context.signal.aborted) return '';
    const text = `Layer ${layer}, ${name}: mean ${number(mean)}, deviation ${number(deviation)}, length ${number(lengthOf(values))}. Normalised its length is ${number(lengthOf(after))}, √${values.length}; with γ and β, ${number(norm1[index])}.`;
    channels.show(values, text);
    read = (channel) => `Channel ${channel}: ${number(values[channel])} becomes ${number(after[channel])}`;
    return text;
  }

  /** @param {Context} context @param {number} layer */
  function showSame(context, layer) {
    const { trace } = context;
    const { index, name } = tokenOf(context);
    const depths = Array.from({ length: trace.layers }, (_, i) => i);
    const before = depths.map((i) => cosine(streamOf(trace, i, index), streamOf(trace, i + 1, index)));
    const first = depths.map((i) => cosine(streamOf(trace, 0, index), streamOf(trace, i + 1, index)));
    const min = Math.min(0, ...before, ...first) < 0 ? -1 : 0;
    chart.show({
      x: 'after layer', y: 'cosine similarity', steps: depths.map(String), lines: [{ values: first, kind: 'first' }, { values: before, kind: 'z' }], mark: layer, min, max: 1, format: number,
      label: `How similar ${name} is after each layer to what it was before that layer, and before the first`,
    });
    key.replaceChildren(make('li', { class: 'z' }, ['to before this layer']), make('li', { class: 'first' }, ['to before the first layer']));
    read = (step) => `After layer ${step}: ${number(before[step])} to before it, ${number(first[step])} to before the first`;
    const least = before.indexOf(Math.min(...before));
    return `Layer ${least} turns ${name} most, to a cosine of ${number(before[least])} with what came in. After all ${trace.layers}, its cosine with what it began as is ${number(first[first.length - 1])}.`;
  }

  /** @param {Context} context @param {number} layer @param {boolean} same */
  function mapOf({ trace }, layer, same) {
    const { grid: [rows, cols], prefixTokens, crop } = trace;
    const of = (/** @type {number} */ patch) => (same ? cosine(streamOf(trace, 0, prefixTokens + patch), streamOf(trace, layer + 1, prefixTokens + patch)) : lengthOf(streamOf(trace, layer, prefixTokens + patch)));
    const data = Float32Array.from({ length: rows * cols }, (_, patch) => of(patch));
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    const text = same ? `Similarity of each patch after layer ${layer} to what it was before the first` : `How much longer than the mean each patch's vector is before layer ${layer}`;
    return { rows, cols, channels: /** @type {1} */ (1), data: same ? data : data.map((value) => value - mean), signed: true, text, crop };
  }

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      const view = VIEWS[Math.min(context.step, VIEWS.length - 1)];
      const layer = layerOf(context);
      const { trace, patch } = context;
      const measured = view !== 'depth' || Boolean(kept(trace, ALL));
      work.want(context, measured ? undefined : lengths(context));
      layers.show(trace.layers, layer);
      const drawn = photo.show(context, remember(trace, `${view === 'same' ? 'kept' : 'long'} ${layer}`, () => mapOf(context, layer, view === 'same')), { patch: tokenOf(context).query === 'cls' ? null : patch, look: { style: 'colours' } });
      open(view);
      const text = await { block: showBlock, depth: showDepth, norm: showNorm, same: showSame }[view](context, layer);
      await drawn;
      if (context.signal.aborted) return text;
      const shade = view === 'same' ? 'Red: still like what it began as.' : 'Red: longer than the mean, blue: shorter.';
      usual = photo.element.clientWidth ? `${shade} Choose a patch.` : '';
      if (measured) note.textContent = usual;
      return text;
    },
  };
}
