/** The same patches layer by layer: their features as colours, how far heads look, and what the head would answer. */
import { createChart } from '../../explorer/chart.js';
import { pictures } from '../../explorer/controls.js';
import { make } from '../../explorer/dom.js';
import { drawCells } from '../../explorer/maps.js';
import { classNames } from '../../explorer/names.js';
import { scoreFormat } from '../../explorer/scores.js';
import { remember } from '../../explorer/views/cache.js';
import { createLensChart } from '../../explorer/views/lens_chart.js';
import { number } from '../../explorer/words.js';
import { createPhoto } from '../kit/photo.js';
import { cosine, streamOf } from '../kit/token.js';

/** @typedef {import('../figure.js').Context} Context */

/** What each step shows, and of which layer unless another is chosen while it is read: a share of the depth. */
const STEPS = /** @type {const} */ ([{ view: 'features', depth: 0 }, { view: 'features', depth: 1 }, { view: 'distance', depth: 0 }, { view: 'lens', depth: 1 }]);
/** Milliseconds that a layer is shown while all of them pass. */
const PACE = 600;

/** @param {import('../../../pkg/index.js').Trace} trace @param {number} layer */
const featuresOf = (trace, layer) => remember(trace, `features ${layer}`, () => trace.featureMap({ layer }));

/**
 * How far heads look, [layers, heads], with the mean of each layer.
 * @param {import('../../../pkg/index.js').Trace} trace
 */
export function distancesOf(trace) {
  const map = remember(trace, 'attention distance', () => trace.attentionDistance());
  const means = Array.from({ length: map.rows }, (_, layer) => map.data.subarray(layer * map.cols, (layer + 1) * map.cols).reduce((sum, value) => sum + value, 0) / map.cols);
  return { map, means };
}

/**
 * The patches after a layer, each without the mean of all, as the principal components see them: what all have in common would make any two alike.
 * @param {import('../../../pkg/index.js').Trace} trace
 * @param {number} layer
 */
function apart(trace, layer) {
  const { grid: [rows, cols], prefixTokens, hiddenSize } = trace;
  const all = Array.from({ length: rows * cols }, (_, patch) => streamOf(trace, layer + 1, prefixTokens + patch));
  const mean = new Float64Array(hiddenSize);
  for (const vector of all) vector.forEach((value, i) => (mean[i] += value / all.length));
  return all.map((vector) => vector.map((value, i) => value - mean[i]));
}

/**
 * How alike patches are that lie side by side: the mean of their cosines, without what all patches have in common.
 * @param {import('../../../pkg/index.js').Trace} trace
 * @param {number} layer
 */
export function neighboursOf(trace, layer) {
  const cols = trace.grid[1];
  const all = apart(trace, layer);
  const beside = all.flatMap((vector, i) => [...(i % cols < cols - 1 ? [cosine(vector, all[i + 1])] : []), ...(i + cols < all.length ? [cosine(vector, all[i + cols])] : [])]);
  return beside.reduce((total, value) => total + value, 0) / Math.max(1, beside.length);
}

/** @param {import('../figure.js').Hands} hands */
export function createLayers({ choose, change }) {
  const photo = createPhoto('The photo with its features as colours: choose a patch', {
    onPick: (patch) => choose({ patch }),
    onHover: (patch) => (note.textContent = patch === null ? usual : read(patch)),
  });
  const strip = pictures('Layer', () => pick(strip.value), 'layer of the lesson');
  const plot = make('div', { class: 'grow' });
  const distances = createChart(plot, { fill: true, onPick: pick, onPoint: (layer) => (note.textContent = layer === null ? usual : read(layer)) });
  const lens = createLensChart({ fill: true, onPick: (step) => pick(Math.max(0, step - 1)), onPoint: (step) => (note.textContent = step === null ? usual : read(step - 1)) });
  lens.figure.classList.add('grow');
  const lenses = make('div', { class: 'lens grow' }, [lens.figure, lens.key, make('div', { class: 'table', role: 'region', 'aria-label': 'The likeliest class after each layer', tabindex: '0' }, [lens.table])]);
  const play = make('button', { type: 'button', class: 'button' }, ['Play']);
  const note = make('output', { class: 'note' });
  const element = make('div', {}, [photo.element, plot, lenses, strip.element, make('div', { class: 'controls' }, [play, note])]);

  /** @param {string} [view] none, while nothing is known */
  function open(view) {
    photo.element.hidden = strip.element.hidden = view !== 'features';
    plot.hidden = view !== 'distance';
    lenses.hidden = view !== 'lens';
    play.hidden = true;
  }
  open();

  let usual = '';
  /** What is said of the layer, or of the patch, that is under the pointer. @type {(at: number) => string} */
  let read = () => '';
  /** What the reader chose while a step is read. @type {{step: number, layer: number} | undefined} */
  let own;
  /** @type {number | null} */
  let shared = null;
  let step = 0;
  let layers = 1;
  /** Whose features the strip shows. @type {object | undefined} */
  let painted;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let playing;

  /** @param {number} layer */
  function pick(layer) {
    stop();
    own = { step, layer };
    choose({ layer });
  }

  function stop() {
    clearTimeout(playing);
    playing = undefined;
    play.textContent = 'Play';
  }

  /** @param {number} layer */
  function pass(layer) {
    if (layer >= layers) return stop();
    own = { step, layer };
    playing = setTimeout(pass, PACE, layer + 1);
    change();
  }
  play.addEventListener('click', () => {
    if (playing !== undefined) return stop();
    play.textContent = 'Stop';
    pass(0);
  });

  /** @param {Context} context */
  function layerOf({ layer, step: now, trace }) {
    if (now !== step) stop();
    if (layer !== shared && layer !== null) own = { step: now, layer };
    [shared, step, layers] = [layer, now, trace.layers];
    return Math.min(trace.layers - 1, own?.step === now ? own.layer : Math.round(STEPS[Math.min(now, STEPS.length - 1)].depth * (trace.layers - 1)));
  }

  /** @param {Context} context @param {number} layer */
  async function showFeatures(context, layer) {
    const { trace, patch, look, signal } = context;
    const all = remember(trace, `apart ${layer}`, () => apart(trace, layer));
    read = (other) => `Patch (${Math.floor(other / trace.grid[1])}, ${other % trace.grid[1]}): cosine ${number(cosine(all[patch], all[other]))} with the marked one`;
    await photo.show(context, featuresOf(trace, layer), { patch });
    strip.offer(Array.from({ length: trace.layers }, (_, i) => String(i)));
    strip.choose(layer);
    if (painted !== trace) {
      await strip.draw((canvas, i) => drawCells(canvas, featuresOf(trace, i), look), { live: false, signal });
      if (!signal.aborted) painted = trace;
    }
    const list = /** @type {HTMLElement} */ (strip.element.lastElementChild);
    const tile = /** @type {HTMLElement | undefined} */ (list.children[layer]);
    if (tile) list.scrollLeft = tile.offsetLeft - list.offsetLeft - (list.clientWidth - tile.offsetWidth) / 2;
  }

  /** @param {Context} context @param {number} layer */
  function showDistance({ trace }, layer) {
    const { map, means } = distancesOf(trace);
    const width = trace.grid[1] * trace.patchSize[1];
    const ends = (/** @type {number} */ at) => map.data.subarray(at * map.cols, (at + 1) * map.cols);
    distances.show({
      x: 'layer', y: 'pixels', steps: means.map((_, i) => String(i)), mark: layer, max: Math.max(...map.data), format: number,
      lines: [{ values: means, kind: 'mean' }], dots: Array.from(map.data, (value, i) => ({ step: Math.floor(i / map.cols), value })),
      label: 'Mean distance of attention in pixels: one dot for each head, the line is the mean of each layer',
    });
    read = (at) => `Layer ${at}: ${number(means[at])} pixels, heads from ${number(Math.min(...ends(at)))} to ${number(Math.max(...ends(at)))}`;
    return `How far heads look, of ${width} pixels: a dot is a head, the line a layer's mean, ${number(means[0])} in layer 0 and ${number(means[means.length - 1])} in the last. Layer ${layer} has ${number(means[layer])}.`;
  }

  /** @param {Context} context @param {number} layer */
  async function showLens({ trace, vit: { config }, target, signal }, layer) {
    if (!target) return '';
    const map = await remember(trace, 'logit lens', () => trace.logitLens({ signal }), signal);
    if (signal.aborted) return '';
    const likeliest = lens.show({ map, target, top: trace.top, config, layer, shares: true, mark: layer + 1 });
    const names = classNames(config.labels);
    const say = scoreFormat(config.scores);
    const told = (/** @type {number} */ row) => `${names[likeliest[row].index]}, ${say(likeliest[row].score)}`;
    read = (at) => `${at < 0 ? 'Embeddings' : `After layer ${at}`}: ${told(at + 1)}`;
    const answer = likeliest[likeliest.length - 1].index;
    const since = likeliest.findLastIndex(({ index }) => index !== answer);
    return `After layer ${layer} the head would say ${told(layer + 1)}. The answer, ${told(likeliest.length - 1)}, leads ${since < 0 ? 'from the embeddings on' : `from layer ${since} on`}.`;
  }

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      const { trace, target, still, signal } = context;
      const layer = layerOf(context);
      const wanted = STEPS[Math.min(context.step, STEPS.length - 1)].view;
      const missing = wanted === 'lens' && !target ? 'This model has no classes, so no answer forms. ' : wanted === 'distance' && trace.queries ? 'For a model of this size not all attention is kept, so how far heads look is not known. ' : '';
      const view = missing ? 'features' : wanted;
      open(view);
      play.hidden = view !== 'features' || still || trace.layers < 2;
      usual = view === 'features' ? '' : 'Choose a layer in the chart.';
      note.textContent = usual;
      if (view === 'distance') return showDistance(context, layer);
      if (view === 'lens') return showLens(context, layer);
      await showFeatures(context, layer);
      if (signal.aborted) return '';
      const near = number(remember(trace, `neighbours ${layer}`, () => neighboursOf(trace, layer)));
      return `${missing}After layer ${layer} of 0 to ${trace.layers - 1}: patches of one colour are alike.${missing ? '' : ` Those side by side have a cosine of ${near}, what all share taken off.`}`;
    },
  };
}
