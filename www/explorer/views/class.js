import { runner, segments, slider } from '../controls.js';
import { make } from '../dom.js';
import { attempt } from '../passes.js';
import { refusal } from '../refusal.js';
import { isStaged } from '../stages.js';
import { NO_CLASSES, number } from '../words.js';
import { keep, kept, remember } from './cache.js';

/**
 * @typedef {import('../view.js').Context} Context
 * @typedef {import('../view.js').ViewMap} ViewMap
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

/** Where tokens are merged, or see only those of their window. */
const OF_STAGES = {
  'grad-cam': 'What the last layer leaves, weighted by how much the class depends on it.',
  occlusion: "No token can be left out here: windows of the photo are filled with the mean colour instead, one after the other. How much less likely is the class without them?",
};

/** Where the answer is no probability but a value. */
const OF_VALUES = {
  words: 'Windows of patches are left out, one after the other: how much lower is the value without them?',
  scale: 'Loss of the value; below 0 it is higher without the patch.',
};

/**
 * What in the photo speaks for a class.
 * @param {import('./index.js').Hands} hands
 * @returns {import('../view.js').View}
 */
export function createClass({ change }) {
  const method = segments('Method', METHODS, change);
  const discard = slider('Discard', { min: 0, max: 95, value: 0, step: 5 }, (value) => `${value} %`, change);
  const window = slider('Window', { min: 1, max: 8, value: 1 }, (value) => `${value} × ${value}`, change);
  const occlusion = runner('Leave out', occlude);
  const words = make('p', { class: 'hint words' });
  const element = make('div', {}, [
    make('div', { class: 'controls' }, [method.element]),
    make('div', { class: 'controls' }, [words, discard.element, window.element, occlusion.element]),
  ]);
  /** @type {Context | undefined} */
  let context;
  let key = '';
  let grid = '';
  /** The model whose methods are offered. @type {Context['vit'] | undefined} */
  let known;

  const values = () => context?.vit.config.scores === 'none';
  const scaleWords = () => (values() && method.value === 'occlusion' ? OF_VALUES.scale : SCALE[method.value]);

  /**
   * Which methods this model does not have, and why. Where it has not the one that is chosen, it begins with one that it has.
   * @param {Context} next
   * @returns {Promise<boolean>} whether another is chosen now
   */
  async function offer({ trace, vit, seen }) {
    const all = METHODS.map(([name]) => name);
    const reasons = isStaged(trace)
      ? await remember(vit, 'refused methods', () => Promise.all(all.map((name) => (name === 'occlusion' ? undefined : refusal(() => vit.attribute(seen, { method: name }))))))
      : [];
    if (context?.vit !== vit) return false;
    known = vit;
    all.forEach((name, i) => method.refuse(name, reasons[i]));
    const first = all.findIndex((_, i) => reasons[i] === undefined);
    const another = reasons[all.indexOf(method.value)] !== undefined && first >= 0;
    if (another) method.choose(all[first]);
    return another;
  }

  /** @param {Context} context */
  function say({ trace }) {
    const own = isStaged(trace) ? /** @type {Record<string, string>} */ (OF_STAGES)[method.value] : undefined;
    return own ?? (values() && method.value === 'occlusion' ? OF_VALUES.words : WORDS[method.value]);
  }

  /**
   * @param {ViewMap | undefined} map
   * @param {string} [detail]
   */
  function paint(map, detail = map && scaleWords()) {
    context?.paint(map, { detail, format: number, unit: method.value });
  }

  /**
   * @param {AbortSignal} signal
   * @param {(passes: import('../../../pkg/index.js').Passes) => void} onProgress
   */
  async function occlude(signal, onProgress) {
    const { trace, vit, seen, target } = /** @type {Context} */ (context);
    const asked = key;
    await attempt(/** @type {Context} */ (context), signal, onProgress, async (onProgress) => {
      keep(trace, asked, await vit.attribute(seen, { method: 'occlusion', target: target?.index, window: window.value, signal, onProgress }));
      change();
    });
  }

  return {
    id: 'class',
    title: 'Why this answer',
    term: 'relevance',
    sentence: 'What in the photo speaks for a class. Click an answer to choose it.',
    caution: 'An estimate, and other methods give others: the curves below say how far this one is right.',
    element,
    uses: () => ({ target: true, query: method.value === 'chefer' || method.value === 'gradient-rollout', layer: method.value === 'grad-cam' && !(context && isStaged(context.trace)) }),

    async show(next) {
      context = next;
      const { trace, vit, seen, target, query, layer, live, signal, wanted } = next;
      wanted.addEventListener('abort', () => occlusion.stop());
      if (known !== vit && (await offer(next))) return change();
      if (signal.aborted) return;
      const cells = trace.stages[trace.layers - 1].grid; // of an occlusion's map
      if (grid !== String(cells)) window.extend(Math.max(1, Math.floor(Math.min(...cells) / 2)), Math.ceil(Math.max(...cells) / 8));
      grid = String(cells);
      discard.element.hidden = method.value !== 'gradient-rollout';
      window.element.hidden = occlusion.element.hidden = method.value !== 'occlusion';
      words.textContent = say(next);
      const options = { method: method.value, target: target?.index, query, discard: discard.value / 100, layer: method.value === 'grad-cam' && !isStaged(trace) ? layer : undefined };
      const asked = (key = JSON.stringify([options, window.value]));
      if (!target) return paint(undefined, NO_CLASSES);
      if (method.value === 'occlusion') {
        occlusion.disable(live);
        const map = kept(trace, asked);
        return paint(map, live ? 'Freeze the picture to leave patches of it out.' : map ? scaleWords() : 'Press "Leave out" to run it.');
      }
      const map = await remember(trace, asked, () => vit.attribute(seen, { ...options, signal: wanted }), wanted);
      if (!signal.aborted) paint(map);
    },
  };
}
