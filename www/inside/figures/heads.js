/** All heads of a layer: where each looks, how far, what becomes of what they gather, and the answer without them. */
import { createChart } from '../../explorer/chart.js';
import { slider } from '../../explorer/controls.js';
import { make } from '../../explorer/dom.js';
import { scoreFormat } from '../../explorer/scores.js';
import { remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { createBars } from '../kit/bars.js';
import { pictureOf } from '../kit/plane.js';
import { tokenName } from './asking.js';
import { followed, knownWithout, without } from './effects.js';
import { createHeadTiles } from './head_tiles.js';
import { askAll, beforeOf, every, isRecorded, layersOf, mapsOf, reach, tellLook, tellReach, variedLayer } from './layer_heads.js';
import { createProjection } from './projection.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').Trace} Trace
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 */

/** Steps of the text. */
const [LOOK, REACH, JOIN, ONE, ALL] = [0, 1, 2, 3, 4];
const NOT_TRAINED = 'The model was never trained to do without.';

/** @param {import('../figure.js').Hands} hands @returns {import('../figure.js').Figure} */
export function createHeads({ choose, change }) {
  const tiles = createHeadTiles({ onPress: press, onPoint: point, onMove: move });
  const chart = make('div');
  const plot = createChart(chart);
  const projection = createProjection((head) => choose({ head }));
  const bars = createBars('What the model answers now');
  const features = make('p', { class: 'features' });
  const panel = make('div', { class: 'panel-box' }, [chart, projection.element, bars.element, features]);
  const layer = slider('Layer', { min: 0, max: 0, value: 0 }, String, () => choose({ layer: layer.value }));
  const whole = make('button', { type: 'button', class: 'button', 'aria-pressed': 'false' }, ['Whole layer off']);
  const element = make('div', {}, [tiles.element, panel, make('div', { class: 'controls' }, [layer.element, whole])]);

  /** @type {Context | undefined} */
  let context;
  let at = 0; // the layer
  /** Heads that the reader switched off, if anything was switched. @type {Set<number> | undefined} */
  let own;
  /** Heads that are off as drawn. @type {number[]} */
  let off = [];
  /** The head that is followed through the projection. */
  let through = 0;
  /** The patch under the pointer, which asks meanwhile. @type {number | null} */
  let pointed = null;
  /** @type {ImageBitmap | undefined} */
  let picture;
  /** What failed beside what was drawn. @type {unknown} */
  let failed;

  /** @param {number} head @param {number | null} patch */
  function press(head, patch) {
    if (!context) return;
    if (context.step < ONE) return choose({ layer: at, head, ...(patch !== null && { patch }) });
    own = new Set(off);
    if (!own.delete(head)) own.add(head);
    change();
  }
  whole.addEventListener('click', () => {
    if (!context) return;
    own = new Set(off.length === context.trace.heads ? [] : every(context.trace));
    change();
  });

  /** @param {number | null} patch */
  function point(patch) {
    if (patch === pointed || !context || !isRecorded(context.trace)) return;
    pointed = patch;
    draw(context, /** @type {ViewMap[]} */ (mapsOf(context, at, patch ?? context.patch)));
  }

  /** @param {[number, number]} by */
  function move([down, right]) {
    if (!context) return;
    const { patch, trace: { grid: [rows, cols] } } = context;
    const [row, col] = [Math.floor(patch / cols) + down, (patch % cols) + right];
    if (row >= 0 && row < rows && col >= 0 && col < cols) choose({ patch: row * cols + col });
  }

  /** @param {Context} now @param {ViewMap[]} maps of the heads */
  function draw(now, maps) {
    if (picture) tiles.draw(now, picture, (head) => maps[head], pointed ?? now.patch);
  }

  /** What is said of the heads, as far as it is known. @param {Context} now */
  function label(now) {
    const { trace, head, step, vit: { config } } = now;
    const far = step === REACH ? reach(trace) : undefined;
    const farthest = far && Math.max(...far.flat());
    const before = followed(now, trace);
    const say = now.target ? scoreFormat(config.scores) : number;
    tiles.label((h) => {
      const isOff = step >= ONE && off.includes(h);
      const answer = step === ONE ? knownWithout(now, [[at, h]]) : undefined;
      const score = answer && followed(now, answer);
      const scaled = now.target && config.scores === 'none' ? undefined : score;
      const measure = far && farthest ? { text: `${number(far[at][h])} px`, share: far[at][h] / farthest }
        : score !== undefined ? { text: say(score), share: scaled === undefined ? undefined : Math.max(0, scaled), was: scaled === undefined ? undefined : before } : undefined;
      return { measure, pressed: step >= ONE ? isOff : h === (step === JOIN ? through : head), off: isOff, label: `Head ${h}${measure ? `, ${measure.text}${step === ONE ? ' without it' : ''}` : ''}${step >= ONE ? `: ${isOff ? 'off' : 'on'}` : ''}` };
    });
  }

  /** What the model answers without the heads that are off, beside what it answered. @param {Context} now @returns {Promise<string | undefined>} undefined: something newer is shown */
  async function answer(now) {
    const { trace, vit: { config }, target, signal, step } = now;
    const heads = () => off.map((head) => /** @type {[number, number]} */ ([at, head]));
    const answered = await without(now, heads());
    if (signal.aborted) return undefined;
    const before = followed(now, trace);
    const after = followed(now, answered);
    const all = target && beforeOf(now);
    bars.element.hidden = !target;
    features.hidden = Boolean(target);
    if (all) bars.show(answered, config.labels, (index) => all[index]);
    else features.textContent = `Cosine of the features to those of the whole model: ${number(after)}`;
    whole.setAttribute('aria-pressed', String(off.length === trace.heads));
    const which = off.length === trace.heads ? `any head of layer ${at}` : off.length ? `head${off.length > 1 ? 's' : ''} ${off.join(', ')} of layer ${at}` : '';
    const say = scoreFormat(config.scores);
    if (!off.length) return `All heads are on. Press one to switch it off. ${NOT_TRAINED}`;
    const what = target ? `${target.name} ${say(after)}, was ${say(before)}` : `the features’ cosine to what they were is ${number(after)}`;
    const most = step === ALL ? tellingLayer(now) : undefined;
    const rank = step === ONE && !own ? ` Of its ${trace.heads} heads this one moves it most.` : most === undefined ? '' : ` Of all layers ${most === at && off.length === trace.heads ? 'this one' : most} moves it most.`;
    return `Without ${which}: ${what}.${rank} ${NOT_TRAINED}`;
  }

  /** Goes on beside what is drawn, as long as that is shown, which is drawn anew when it is done; what failed is told then. @param {Promise<unknown>} work @param {AbortSignal} signal */
  function beside(work, signal) {
    const end = (/** @type {unknown} */ error) => {
      if (signal.aborted) return;
      failed = error;
      change();
    };
    work.then(() => end(undefined), end);
  }

  /** Tries what is not known, one after the other. @param {Context} now @param {import('./effects.js').Heads[]} trials @param {() => unknown} onEach */
  async function attempt(now, trials, onEach) {
    for (const heads of trials) {
      await without(now, heads);
      if (now.signal.aborted) return;
      onEach();
    }
  }

  /** The head without which the score moves most; undefined while not all are tried. @param {Context} now */
  function tellingHead(now) {
    return largestMove(now, every(now.trace).map((head) => [[at, head]]));
  }

  /** The layer without whose heads the score moves most; undefined while not all are tried. @param {Context} now */
  function tellingLayer(now) {
    return largestMove(now, layersOf(now.trace));
  }

  /** The scores without each of the layers' heads, as far as they are known. @param {Context} now */
  function drawLayers(now) {
    const { trace, vit: { config }, target } = now;
    const before = followed(now, trace);
    const dots = layersOf(trace).flatMap((heads, step) => {
      const answered = knownWithout(now, heads);
      return answered ? [{ step, value: followed(now, answered), kind: off.length === trace.heads && step === at ? 'chosen' : '' }] : [];
    });
    const values = [before, ...dots.map(({ value }) => value)];
    const free = target && config.scores === 'none';
    const say = target ? scoreFormat(config.scores) : number;
    const mark = free || !target ? number : (/** @type {number} */ score) => `${Math.round(100 * score)} %`; // the axis has little room
    plot.show({
      x: 'layer whose heads are off', y: target ? target.name : 'cosine of the features', steps: layersOf(trace).map((_, l) => String(l)), dots, lines: [{ values: layersOf(trace).map(() => before), kind: 'before' }],
      min: free ? Math.min(...values) : Math.min(0, ...values), max: free ? Math.max(...values) : 1, format: mark, label: `Without the heads of each layer: ${dots.map(({ step, value }) => `layer ${step} ${say(value)}`).join(', ')}`,
    });
  }

  return {
    element,
    async show(next) {
      const { trace, image, step, signal } = next;
      if (context?.trace !== trace || context.step !== step || context.layer !== next.layer) own = undefined;
      if (context?.trace !== trace || context.step !== step) {
        pointed = null;
        plot.show(undefined);
        bars.element.replaceChildren();
      }
      context = next;
      if (failed) {
        const error = failed;
        failed = undefined;
        throw error;
      }
      at = next.layer ?? (own ? at : (step === ALL ? tellingLayer(next) : undefined) ?? variedLayer(trace));
      layer.extend(trace.layers - 1, at);
      element.dataset.step = String(step);
      whole.hidden = step < ONE;
      picture = await pictureOf(image);
      if (signal.aborted) return '';
      off = own ? [...own].sort((a, b) => a - b) : step === ALL && (next.layer !== null || tellingLayer(next) !== undefined) ? every(trace) : [];
      const maps = await mapsOf(next, at, pointed ?? next.patch);
      if (signal.aborted) return '';
      draw(next, maps);
      label(next);
      if (step === LOOK) return tellLook(next, at, maps);
      if (step === REACH) {
        const far = reach(trace);
        if (!far) return 'How far heads look needs the attention of all tokens, which is not recorded for a model of so many.';
        plot.show({
          x: 'layer', y: 'pixels', steps: far.map((_, l) => String(l)), dots: far.flatMap((row, l) => row.map((value) => ({ step: l, value, kind: l === at ? 'chosen' : '' }))),
          max: Math.max(...far.flat()), format: number, label: 'How far each head looks on average: one dot for each head',
        });
        return tellReach(trace, far, at);
      }
      if (step === JOIN) {
        const token = trace.prefixTokens + next.patch;
        const [norms, contexts] = await Promise.all([remember(trace, `norms ${at}`, () => trace.norms({ layer: at, signal }), signal), askAll(next, at, token)]);
        if (signal.aborted) return '';
        const gathered = contexts.map((head) => head.context);
        const lengths = gathered.map((values) => Math.hypot(...values));
        const longest = lengths.indexOf(Math.max(...lengths));
        through = next.head ?? longest;
        label(next);
        projection.show(gathered, through, { stream: norms.stream[token], added: norms.attention[token] });
        const size = trace.hiddenSize / trace.heads;
        return `${trace.heads} heads × ${size} channels = ${count(trace.hiddenSize)}. The strips: what each head of layer ${at} gathered for ${tokenName(trace, token)}, head ${longest} most (length ${number(lengths[longest])}).`;
      }
      if (step === ONE && !own) {
        const head = tellingHead(next);
        if (head === undefined) {
          beside(attempt(next, every(trace).map((h) => [[at, h]]), () => label(next)), signal);
          return `Each of the ${trace.heads} heads of layer ${at} is left out in turn.`;
        }
        off = [head];
        label(next);
      }
      const untried = tellingLayer(next) === undefined;
      const tryLayers = () => attempt(next, layersOf(trace), () => step === ALL && drawLayers(next));
      if (step === ALL) drawLayers(next);
      if (step === ALL && untried && !own && next.layer === null) {
        beside(tryLayers(), signal);
        return `All heads of each of the ${trace.layers} layers are left out in turn.`;
      }
      const text = await answer(next);
      if (text === undefined) return '';
      if (step === ALL && untried) beside(tryLayers(), signal);
      else if (untried) tryLayers().catch(() => {}); // for the step after this one, which tells what fails
      return text;
    },
  };
}

/** Which of several sets of heads moves the score most, left out; undefined while not all were. @param {Context} now @param {import('./effects.js').Heads[]} trials */
function largestMove(now, trials) {
  const before = followed(now, now.trace);
  const moves = trials.map((heads) => {
    const answered = knownWithout(now, heads);
    return answered ? Math.abs(followed(now, answered) - before) : NaN;
  });
  return moves.some(Number.isNaN) ? undefined : moves.indexOf(Math.max(...moves));
}
