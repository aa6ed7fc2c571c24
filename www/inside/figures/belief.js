/** Maps side by side, and what becomes of the answer as patches go in their order. */
import { createChart } from '../../explorer/chart.js';
import { pictures, segments, slider } from '../../explorer/controls.js';
import { curvesChart } from '../../explorer/curves.js';
import { find, make, percent } from '../../explorer/dom.js';
import { scoreFormat } from '../../explorer/scores.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { seen } from '../kit/cells.js';
import { createClasses } from '../kit/classes.js';
import { createWork } from '../kit/work.js';
import { claimsOf, curvesOf, drawClaim, drawSeen, judges, makes, mapOf, orderOf, seenAt, stepsOf } from './claims.js';
import { createRanking } from './ranking.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('./claims.js').Claim} Claim
 * @typedef {{mode: 'maps' | 'curves' | 'ranking', claim: import('./claims.js').Id, way: 'deletion' | 'insertion'}} Scene
 */

/** What each step shows. @type {Scene[]} */
const SCENES = [
  { mode: 'maps', claim: 'attention', way: 'deletion' },
  { mode: 'maps', claim: 'occlusion', way: 'deletion' },
  { mode: 'curves', claim: 'chefer', way: 'deletion' },
  { mode: 'curves', claim: 'chefer', way: 'insertion' },
  { mode: 'ranking', claim: 'chefer', way: 'insertion' },
];
/** Of the patches, taken away or brought back where a step begins. */
const SHARE = 0.2;
/** How much of the figure must be in sight for it to be looked at. */
const LOOKED_AT = 0.35;
/** Of the patches, those that are compared between maps. */
const FIRST = 0.1;

/** @param {import('../figure.js').Hands} hands */
export function createBelief({ choose, change }) {
  let steps = 10;
  const classes = createClasses((target) => choose({ target }));
  const tiles = pictures('Map', change, 'a claim');
  const way = segments('Curve', /** @type {const} */ ([['deletion', 'deletion'], ['insertion', 'insertion']]), change);
  const share = slider('Patches', { min: 0, max: 10, value: 2 }, (step) => percentOf(step / steps), change);
  const controls = make('div', { class: 'controls' }, [way.element, share.element]);
  const left = make('canvas', { class: 'seen', role: 'img', 'aria-label': 'The photo with some of its patches' });
  const plot = make('div', { class: 'plot grow' });
  const chart = createChart(plot, { fill: true, onPick: scrub, onPoint: scrub });
  const body = make('div', { class: 'row grow judged' }, [left, plot]);
  const ranking = createRanking((claim) => pick(claim));
  const fill = make('div');
  const bar = make('div', { class: 'progress', role: 'progressbar', 'aria-label': 'Passes of the model', 'aria-valuemin': '0', 'aria-valuemax': '100' }, [fill]);
  const doing = make('span');
  const work = make('div', { class: 'work' }, [doing, bar]);
  const element = make('div', {}, [classes.element, tiles.element, controls, body, ranking.element, work]);
  const { want } = createWork(change, report);
  let step = -1;
  let visible = false;
  /** @type {Claim[]} */
  let claims = [];

  /** @param {string | undefined} label @param {{done: number, total: number}} [passes] */
  function report(label, passes) {
    work.classList.toggle('on', label !== undefined);
    doing.textContent = label ? `${label}${passes ? `: ${passes.done} of ${passes.total} passes` : ''}` : '';
    const done = passes ? passes.done / passes.total : 0;
    fill.style.transform = `scaleX(${done})`;
    bar.setAttribute('aria-valuenow', String(Math.round(100 * done)));
    bar.hidden = !passes;
  }

  /** @param {Claim} claim */
  function pick(claim) {
    tiles.choose(claims.indexOf(claim));
    change();
  }

  /** @param {number | null} at */
  function scrub(at) {
    if (at === null || at === share.value || !plot.childElementCount) return;
    share.extend(steps, at);
    change();
  }

  // A chapter is drawn when it is near; passes of the model wait until it is looked at.
  new IntersectionObserver((entries) => {
    const is = entries[entries.length - 1].intersectionRatio >= LOOKED_AT;
    if (is === visible) return;
    visible = is;
    change();
  }, { threshold: LOOKED_AT }).observe(element);

  /** What is to be computed next for what is shown. @param {Context} context @param {Scene} scene @param {Claim} chosen */
  function next(context, { mode }, chosen) {
    if (mode === 'maps') return first(claims, (claim) => (claim.first <= context.step ? makes(claim, context) : undefined));
    const random = claims.filter(({ id }) => id === 'random');
    return first([chosen, ...random, ...claims], (claim) => makes(claim, context) ?? judges(claim, context));
  }

  /** @param {Context} context @param {Claim} chosen */
  function tellMaps(context, chosen) {
    const map = mapOf(chosen, context);
    if (!map) return `The map by ${chosen.name} takes passes of the model, which are under way.`;
    const most = Math.max(1, Math.round(FIRST * map.data.length));
    const mine = new Set(orderOf(map).slice(0, most));
    const others = claims.flatMap((claim) => {
      const other = claim !== chosen && mapOf(claim, context);
      return other ? [`${claim.name} ${orderOf(other).slice(0, most).filter((patch) => mine.has(patch)).length}`] : [];
    });
    return `Of the first ${count(most)} patches by ${chosen.name}, others have among their own first: ${others.join(', ')}. Chance would be ${number((most * most) / map.data.length)}.`;
  }

  /** @param {Context} context @param {Claim} chosen */
  function tellCurves(context, chosen) {
    const curve = curvesOf(chosen, context)?.[way.value];
    const say = scoreFormat(context.vit.config.scores);
    if (!curve) return `${chosen.name} is judged by ${count(2 * (steps + 1))} passes of the model.`;
    const random = claims.find(({ id }) => id === 'random');
    const lot = random && random !== chosen ? curvesOf(random, context)?.[way.value] : undefined;
    const at = share.value;
    const area = curve.area === undefined ? '' : ` Area under ${way.value}: ${curve.area.toFixed(3)}${lot?.area === undefined ? '' : `, random ${lot.area.toFixed(3)}`}.`;
    const [part, verb] = [percentOf(at / steps), way.value === 'deletion' ? 'Without' : 'With only'];
    return `${verb} the first ${part} of patches by ${chosen.name}, ${context.target?.name} has ${say(curve.probabilities[at])}${lot ? `, ${verb.toLowerCase()} a random ${part} ${say(lot.probabilities[at])}` : ''}.${area}`;
  }

  /** @param {Context} context @param {Claim} chosen @param {HTMLCanvasElement} part */
  function drawCurves(context, chosen, part) {
    const { target, vit } = context;
    const map = mapOf(chosen, context);
    const known = claims.flatMap((claim) => {
      const curve = curvesOf(claim, context)?.[way.value];
      return curve ? [{ curve, claim }] : [];
    }).sort((a, b) => Number(a.claim === chosen) - Number(b.claim === chosen));
    const at = share.value;
    if (map) drawSeen(left, part, [map.rows, map.cols], seenAt(map, way.value, at, context));
    left.setAttribute('aria-label', `The photo ${way.value === 'deletion' ? 'without' : 'with only'} the ${percentOf(at / steps)} of patches that ${chosen.name} puts first`);
    if (!known.length) return chart.show(undefined);
    const top = Math.max(...known.flatMap(({ curve }) => [...curve.probabilities]));
    chart.show(curvesChart(known.map(({ curve, claim }) => ({ curve, kind: claim === chosen ? 'chosen' : claim.kind })), {
      name: target?.name ?? '', scores: vit.config.scores, mark: at, most: Math.min(1, Math.ceil(10 * top) / 10),
      label: `${way.value}, a line for each of ${known.map(({ claim }) => claim.name).join(', ')}; the areas are in the ranking`,
    }));
  }

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      claims = claimsOf(context);
      steps = stepsOf(context);
      // Values of a regression have no areas to rank by.
      const last = context.vit.config.scores === 'none' ? SCENES.length - 2 : SCENES.length - 1;
      const scene = context.target ? SCENES[Math.min(context.step, last)] : SCENES[0];
      const fresh = tiles.offer(claims.map(({ name }) => name));
      if (fresh || step !== context.step) {
        const first = claims.findIndex(({ id }) => id === scene.claim);
        tiles.choose(first < 0 ? claims.findIndex(({ id }) => id === 'grad-cam') : first); // which models with stages have, too
        /** @type {HTMLInputElement} */ (find(way.element, `[value=${scene.way}]`)).checked = true;
        share.extend(steps, Math.round(SHARE * steps));
      }
      step = context.step;
      const chosen = claims[tiles.value];
      want(context, visible ? next(context, scene, chosen) : undefined);
      classes.show(context);
      element.dataset.mode = scene.mode;
      element.dataset.maps = String(claims.length);
      tiles.element.hidden = scene.mode === 'ranking';
      controls.hidden = body.hidden = scene.mode !== 'curves';
      ranking.element.hidden = scene.mode !== 'ranking';
      const part = await seen(context);
      if (context.signal.aborted) return '';
      claims.forEach((claim, i) => tiles.paint(i, (canvas) => drawClaim(canvas, part, mapOf(claim, context), context.look)));
      if (scene.mode === 'curves') drawCurves(context, chosen, part);
      if (scene.mode === 'ranking') return ranking.show(context, claims, chosen, part);
      return scene.mode === 'curves' ? tellCurves(context, chosen) : tellMaps(context, chosen);
    },
  };
}

/** @param {number} part */
const percentOf = (part) => percent(part).replace('.0', '');

/**
 * The first that there is.
 * @template A, B
 * @param {A[]} items
 * @param {(item: A) => B | undefined} of
 */
function first(items, of) {
  for (const item of items) {
    const found = of(item);
    if (found) return found;
  }
  return undefined;
}
