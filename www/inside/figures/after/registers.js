/** Registers: patches that large models use to keep things in are longer than the others; tokens of their own take that over. */
import { svg } from '../../../explorer/chart.js';
import { slider } from '../../../explorer/controls.js';
import { make } from '../../../explorer/dom.js';
import { number } from '../../../explorer/words.js';
import { createCells, overlaid, seen } from '../../kit/cells.js';
import { onStep } from '../../kit/scenes.js';
import { arranged, tiled } from './tiles.js';

/** @typedef {import('../../figure.js').Context} Context */

const BINS = 32;
const [WIDTH, HEIGHT] = [320, 200];

/** @param {import('../../figure.js').Hands} hands */
export function createRegisters({ choose, change }) {
  const layers = slider('After layer', { min: 0, max: 0, value: 0 }, String, change);
  const cells = createCells('Lengths of the patches’ vectors', { onPick: (patch) => choose({ patch }) });
  const plot = make('div', { class: 'histogram' });
  const look = createCells('What registers look at');
  const looks = make('div', { class: 'side' }, [make('h3', {}, ['what each register looks at, in the last layer']), look.element]);
  const element = make('div', {}, [
    make('div', { class: 'row grow' }, [make('div', { class: 'side' }, [make('h3', {}, ['length of each vector']), cells.element]), make('div', { class: 'side' }, [make('h3', {}, ['how often']), plot])]),
    looks,
    make('div', { class: 'controls' }, [layers.element]),
  ]);
  const begin = onStep(({ trace }) => layers.extend(trace.layers - 1, trace.layers - 1));

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, patch, picked, signal } = context;
      const { grid, crop, prefixTokens, prefix, hiddenSize, hiddenStates } = trace;
      const photo = await seen(context);
      if (signal.aborted) return '';
      begin(context);
      layers.extend(trace.layers - 1, Math.min(layers.value, trace.layers - 1));
      const [rows, cols] = grid;
      const count = prefix.filter((name) => name === 'register').length;
      looks.hidden = !count || Boolean(trace.queries);
      if (!looks.hidden) {
        const maps = Array.from({ length: count }, (_, register) => trace.headMap({ query: { register } }));
        const ratio = crop.width / crop.height;
        const tiles = arranged(count, ratio, look.element);
        look.show({ grid: tiles, ratio: (tiles[1] * ratio) / tiles[0], text: `What each of ${count} registers looks at in the last layer` }, tiled(photo, maps, maps.map((_, i) => `register ${i}`), tiles, context.look));
      }
      const place = trace.recorded.indexOf(layers.value);
      if (place < 0 || !hiddenStates.length) return 'The vectors of this model’s tokens were not recorded.';
      const data = new Float32Array(rows * cols);
      for (let i = 0; i < data.length; i++) {
        const from = (((place + 1) * trace.tokens) + prefixTokens + i) * hiddenSize;
        data[i] = Math.hypot(...hiddenStates.subarray(from, from + hiddenSize));
      }
      const sorted = Float32Array.from(data).sort();
      const [low, middle, high] = [sorted[0], sorted[sorted.length >> 1], sorted[sorted.length - 1]];
      const shape = { grid, ratio: crop.width / crop.height, place: picked ? patch : null, text: `Lengths of the patches’ vectors after layer ${layers.value}` };
      cells.show(shape, overlaid(photo, { rows, cols, channels: 1, data: data.map((value) => value - low), signed: false, text: shape.text }, { ...context.look, style: 'colours' }));
      plot.replaceChildren(histogram(data, low, high, picked ? data[patch] : undefined), make('p', {}, [make('span', {}, [number(low)]), make('span', {}, [number(high)])]));
      const has = count ? `This model has ${count} register${count === 1 ? '' : 's'}.` : 'This model has no registers.';
      const long = data.filter((value) => value > 2 * middle).length;
      return `After layer ${layers.value} the patches’ vectors are ${number(low)} to ${number(high)} long, the middle one ${number(middle)}: the longest is ${(high / middle).toFixed(1)} times that. `
        + `${long ? `${long} of ${data.length} are more than twice as long as the middle one.` : 'None is twice as long as the middle one.'} ${has}`;
    },
  };
}

/**
 * @param {Float32Array} values
 * @param {number} low
 * @param {number} high
 * @param {number} [chosen]
 */
function histogram(values, low, high, chosen) {
  const bins = new Uint32Array(BINS);
  const bin = (/** @type {number} */ value) => Math.min(BINS - 1, Math.floor(((value - low) / (high - low || 1)) * BINS));
  values.forEach((value) => bins[bin(value)]++);
  const most = Math.max(...bins);
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `Lengths from ${number(low)} to ${number(high)}` });
  bins.forEach((count, i) => {
    const height = (count / most) * (HEIGHT - 4);
    picture.append(svg('rect', { class: chosen !== undefined && i === bin(chosen) ? 'bin now' : 'bin', x: (i * WIDTH) / BINS + 1, y: HEIGHT - 1 - height, width: WIDTH / BINS - 2, height }));
  });
  picture.append(svg('line', { class: 'axis', x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  return picture;
}
