import { createChart } from '../chart.js';
import { runner } from '../controls.js';
import { areaWords, curvesChart } from '../curves.js';
import { make } from '../dom.js';
import { attempt } from '../passes.js';
import { scoreName } from '../scores.js';

/**
 * @typedef {import('../view.js').Context} Context
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 * @typedef {import('../../../pkg/index.js').Curve} Curve
 */

const STEPS = 20;

/**
 * How far a map is right: the class's score as patches are dropped in its order, and as they come back.
 * @param {HTMLElement} root
 */
export function createJudge(root) {
  const judge = runner('Deletion and insertion', run);
  const words = make('p', { class: 'hint' });
  const figure = make('div');
  const chart = createChart(figure);
  const areas = make('ul', { class: 'key' });
  root.append(make('h3', {}, ['How far is this map right?']), words, judge.element, figure, areas);
  /** @type {Context | undefined} */
  let context;
  /** @type {ViewMap | undefined} */
  let shown;
  let target = -1;

  const values = () => context?.vit.config.scores === 'none';

  /**
   * @param {AbortSignal} signal
   * @param {(passes: import('../passes.js').Passes) => void} onProgress
   */
  async function run(signal, onProgress) {
    if (!context || !shown) return;
    const { vit, seen, target } = context;
    const map = shown;
    await attempt(context, signal, onProgress, async (onProgress) => {
      const steps = Math.min(STEPS, map.rows * map.cols);
      const { deletion, insertion } = await vit.curves(seen, map, { target: target?.index, steps, signal, onProgress });
      if (map === shown) draw(deletion, insertion, target?.name ?? '');
    });
  }

  /**
   * @param {Curve} deletion
   * @param {Curve} insertion
   * @param {string} name of the class
   */
  function draw(deletion, insertion, name) {
    const said = [`Deletion${areaWords(deletion)}`, `Insertion${areaWords(insertion)}`];
    chart.show(curvesChart([{ curve: deletion, kind: 'other-1' }, { curve: insertion, kind: 'chosen' }], {
      name, scores: context?.vit.config.scores ?? 'softmax', label: `${said.join('. ')}.`,
    }));
    areas.replaceChildren(make('li', { class: 'other-1' }, [said[0]]), make('li', { class: 'chosen' }, [said[1]]));
  }

  function forget() {
    judge.stop();
    chart.show(undefined);
    areas.replaceChildren();
  }

  return {
    /**
     * @param {Context | undefined} next
     * @param {ViewMap | undefined} map the one on the photo
     */
    show(next, map) {
      const judged = next?.target && map?.crop && map.channels === 1 ? map : undefined;
      if (judged !== shown || next?.target?.index !== target) forget();
      [context, shown, target] = [next, judged, next?.target?.index ?? -1];
      root.hidden = !judged;
      if (!next || !judged) return;
      next.wanted.addEventListener('abort', () => judge.stop());
      judge.disable(next.live);
      words.textContent = `The ${scoreName(next.vit.config.scores)} of ${next.target?.name} as patches go, the strongest first, and as they come back. A good map falls early and rises early${values() ? '' : ': a small area under deletion, a large one under insertion'}.`;
    },
  };
}
