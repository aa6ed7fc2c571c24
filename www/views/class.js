import { createChart } from '../chart.js';
import { runner, segments, slider } from '../controls.js';
import { make } from '../dom.js';
import { scoreName } from '../scores.js';
import { NO_CLASSES, number } from '../words.js';
import { keep, kept, remember } from './cache.js';

/**
 * @typedef {import('../viewer.js').Context} Context
 * @typedef {import('../viewer.js').ViewMap} ViewMap
 */

const METHODS = /** @type {const} */ ([['chefer', 'relevance'], ['gradient-rollout', 'gradient rollout'], ['grad-cam', 'Grad-CAM'], ['occlusion', 'occlusion']]);

const WORDS = {
  chefer: 'Relevance (Chefer et al.): attention times its gradient, carried through all layers.',
  'gradient-rollout': 'Rollout of attention times its gradient: what a class owes to each patch.',
  'grad-cam': "A layer's features, weighted by how much the class depends on them.",
  occlusion: 'Windows of patches are left out, one after the other: how much less likely is the class without them?',
};

const SCALE = {
  chefer: 'Relevance, without a unit: what is strong matters.',
  'gradient-rollout': 'Weight of each patch, without a unit.',
  'grad-cam': 'Weighted features, without a unit; what is below 0 is left out.',
  occlusion: 'Loss of probability; below 0 the class is likelier without the patch.',
};

/** Where the answer is no probability but a value. */
const OF_VALUES = {
  words: 'Windows of patches are left out, one after the other: how much lower is the value without them?',
  scale: 'Loss of the value; below 0 it is higher without the patch.',
};

/**
 * What in the photo speaks for a class.
 * @param {() => void} onChange
 * @returns {import('../viewer.js').View}
 */
export function createClass(onChange) {
  const method = segments('Method', METHODS, onChange);
  const discard = slider('Discard', { min: 0, max: 95, value: 0, step: 5 }, (value) => `${value} %`, onChange);
  const layer = slider('Layer', { min: 0, max: 99, value: 99 }, String, onChange);
  const window = slider('Window', { min: 1, max: 8, value: 1 }, (value) => `${value} × ${value}`, onChange);
  const occlusion = runner('Leave out', occlude);
  const judge = runner('Deletion and insertion', judgeMap);
  const words = make('p', { class: 'hint words' });
  const judged = make('p', { class: 'hint' });
  const figure = make('div');
  const chart = createChart(figure);
  const areas = make('ul', { class: 'key' });
  const element = make('div', {}, [
    make('p', { class: 'hint' }, ['What in the photo speaks for a class. Click an answer to choose it.']),
    make('div', { class: 'controls' }, [method.element]),
    make('div', { class: 'controls' }, [words, discard.element, layer.element, window.element, occlusion.element]),
    make('div', { class: 'judge' }, [
      make('h3', {}, ['How far is the map right?']),
      judged, judge.element, figure, areas,
    ]),
  ]);
  /** @type {Context | undefined} */
  let context;
  /** @type {ViewMap | undefined} */
  let shown;
  let key = '';
  let grid = '';

  const values = () => context?.vit.config.scores === 'none';
  const scaleWords = () => (values() && method.value === 'occlusion' ? OF_VALUES.scale : SCALE[method.value]);

  /**
   * @param {ViewMap | undefined} map
   * @param {string} [detail]
   */
  function paint(map, detail = map && scaleWords()) {
    if (!context) return;
    if (map !== shown) forgetCurves();
    shown = map;
    judge.disable(!map || context.live);
    context.paint(map, { detail, format: number });
  }

  /**
   * @param {AbortSignal} signal
   * @param {(passes: import('../../pkg/index.js').Passes) => void} onProgress
   */
  async function occlude(signal, onProgress) {
    const { trace, vit, image, target } = /** @type {Context} */ (context);
    const asked = key;
    await attempt(signal, onProgress, async (onProgress) => {
      keep(trace, asked, await vit.attribute(image, { method: 'occlusion', target: target?.index, window: window.value, signal, onProgress }));
      onChange();
    });
  }

  /**
   * @param {AbortSignal} signal
   * @param {(passes: import('../../pkg/index.js').Passes) => void} onProgress
   */
  async function judgeMap(signal, onProgress) {
    if (!context || !shown) return;
    const { vit, image, target, trace } = context;
    const map = shown;
    await attempt(signal, onProgress, async (onProgress) => {
      const steps = Math.min(20, trace.grid[0] * trace.grid[1]);
      const { deletion, insertion } = await vit.curves(image, map, { target: target?.index, steps, signal, onProgress });
      if (map === shown) showCurves(deletion, insertion, target?.name ?? '');
    });
  }

  /**
   * What was stopped is no failure, and each pass is a sign of life.
   * @param {AbortSignal} signal
   * @param {(passes: import('../../pkg/index.js').Passes) => void} onProgress
   * @param {(onProgress: (passes: import('../../pkg/index.js').Passes) => void) => Promise<void>} work
   */
  async function attempt(signal, onProgress, work) {
    const { fail, watch, wanted } = /** @type {Context} */ (context);
    if (wanted.aborted) return; // a photo whose trace is on its way has taken this one's place
    const { alive, over } = watch();
    try {
      await work((passes) => {
        alive();
        onProgress(passes);
      });
    } catch (error) {
      if (!signal.aborted) fail(error);
    } finally {
      over();
    }
  }

  /**
   * @param {import('../../pkg/index.js').Curve} deletion
   * @param {import('../../pkg/index.js').Curve} insertion
   * @param {string} label
   */
  function showCurves(deletion, insertion, label) {
    const area = (/** @type {import('../../pkg/index.js').Curve} */ curve) => (curve.area === undefined ? '' : `, area ${curve.area.toFixed(3)}`);
    const said = [`Deletion${area(deletion)}`, `Insertion${area(insertion)}`];
    const both = [...deletion.probabilities, ...insertion.probabilities];
    chart.show({
      x: 'share of patches', y: `${scoreName(context?.vit.config.scores ?? 'softmax')} of ${label}`,
      ...(values() ? { min: Math.min(...both), max: Math.max(...both), format: number } : { max: 1, format: (value) => `${Math.round(100 * value)} %` }),
      steps: Array.from(deletion.fractions, (share) => `${Math.round(100 * share)} %`),
      lines: [{ values: deletion.probabilities, kind: 'other-1' }, { values: insertion.probabilities, kind: 'chosen' }],
      label: `${said.join('. ')}.`,
    });
    areas.replaceChildren(make('li', { class: 'other-1' }, [said[0]]), make('li', { class: 'chosen' }, [said[1]]));
  }

  function stop() {
    occlusion.stop();
    judge.stop();
  }

  /** What was said of the last map. */
  function forgetCurves() {
    judge.stop();
    chart.show(undefined);
    areas.replaceChildren();
  }

  return {
    id: 'class',
    title: 'Class',
    element,
    uses: () => ({ target: true, query: method.value === 'chefer' || method.value === 'gradient-rollout' }),

    async show(next) {
      context = next;
      judge.disable(true); // until the map is there
      const { trace, vit, image, target, query, live, signal, wanted } = next;
      wanted.addEventListener('abort', stop);
      layer.extend(trace.layers - 1);
      if (grid !== String(trace.grid)) window.extend(Math.max(1, Math.floor(Math.min(...trace.grid) / 2)), Math.ceil(Math.max(...trace.grid) / 8));
      grid = String(trace.grid);
      discard.element.hidden = method.value !== 'gradient-rollout';
      layer.element.hidden = method.value !== 'grad-cam';
      window.element.hidden = occlusion.element.hidden = method.value !== 'occlusion';
      words.textContent = values() && method.value === 'occlusion' ? OF_VALUES.words : WORDS[method.value];
      judged.textContent = `The class's ${scoreName(vit.config.scores)} as patches go, the strongest first, and as they come back. A good map falls early and rises early${values() ? '' : ': a small area under deletion, a large one under insertion'}.`;
      const options = { method: method.value, target: target?.index, query, discard: discard.value / 100, layer: method.value === 'grad-cam' ? layer.value : undefined };
      const asked = (key = JSON.stringify([options, window.value]));
      if (!target) return paint(undefined, NO_CLASSES);
      if (method.value === 'occlusion') {
        occlusion.disable(live);
        const map = kept(trace, asked);
        return paint(map, live ? 'Stop the webcam to leave patches of its picture out.' : map ? scaleWords() : 'Press "Leave out" to run it.');
      }
      const map = await remember(trace, asked, () => vit.attribute(image, { ...options, signal: wanted }), wanted);
      if (!signal.aborted) paint(map);
    },
  };
}
