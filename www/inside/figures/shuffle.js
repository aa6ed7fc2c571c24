/** The photo's patches in another order, and what the model says of that, with its positions and without. */
import { segments, slider } from '../../explorer/controls.js';
import { make } from '../../explorer/dom.js';
import { classNames } from '../../explorer/names.js';
import { scoreFormat, scoresOf } from '../../explorer/scores.js';
import { remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { createBars } from '../kit/bars.js';
import { createCells, seen } from '../kit/cells.js';
import { onStep } from '../kit/scenes.js';
import { cosine } from '../kit/token.js';
import { tiny } from './distance.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {Pick<import('../../../pkg/index.js').Classification, 'logits' | 'features'>} Answer
 */

/** Classes of each answer. */
const ROWS = 4;
/** ms, of a patch's way. */
const WAY = 700;

/** Even numbers from 0 to 1, the same for the same seed (mulberry32). @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Which patch lies in each place, where some of them, drawn by lot, change places in a ring: none of these stays.
 * @param {number} all patches
 * @param {number} moved of them; 1 can't move alone
 * @param {number} seed
 */
export function shuffled(all, moved, seed) {
  const next = random(seed);
  const lots = Array.from({ length: all }, (_, i) => i);
  for (let i = all - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [lots[i], lots[j]] = [lots[j], lots[i]];
  }
  const order = Array.from({ length: all }, (_, i) => i);
  for (let i = 0; i < moved; i++) order[lots[i]] = lots[(i + 1) % moved];
  return order;
}

/** @param {import('../figure.js').Hands} hands */
export function createShuffle({ change }) {
  const positions = segments('Run it', /** @type {const} */ ([['without', 'without positions'], ['with', 'with positions']]), change);
  const share = slider('Moved', { min: 0, max: 100, value: 100 }, (value) => `${value} %`, () => arrange(seed));
  const again = make('button', { type: 'button', class: 'button' }, ['Shuffle again']);
  again.addEventListener('click', () => arrange(seed + 1));
  const left = createCells('The photo as it is', { onHover: (place) => right.point(place === null ? null : order.indexOf(place)), onPick() {} });
  const right = createCells('The photo with its patches in another order', {
    onHover: (place) => left.point(place === null ? null : order[place]),
    onPick(place) {
      cursor = place;
      if (place === null) held = null;
      left.point(place === null ? null : order[place]);
      change();
    },
    onTake(place) {
      if (held === null) held = place;
      else if (held !== place) return swap(held, place);
      else held = null;
      change();
    },
    onDrop: swap,
  });
  const [plain, changed] = ['Answer for the photo', 'Answer for the shuffled photo'].map(createBars);
  const titles = ['as it is', ''].map((text) => make('h3', {}, [text]));
  const sides = [left, right].map(({ element }, i) => make('div', { class: 'side' }, [titles[i], element, [plain, changed][i].element]));
  const element = make('div', { class: 'shuffle' }, [
    make('div', { class: 'row grow' }, sides), make('div', { class: 'controls' }, [positions.element, share.element, again]),
  ]);
  let seed = 1;
  /** @type {number[]} */
  let order = [];
  /** @type {number[]} before it, from where patches move */
  let before = [];
  /** @type {number | null} */
  let cursor = null;
  /** @type {number | null} taken up, to be put elsewhere */
  let held = null;
  let all = 0;
  let moving = 0;

  /** @param {number} next */
  function arrange(next) {
    seed = next;
    order = shuffled(all, Math.round((share.value / 100) * all), seed);
    change();
  }

  /** @param {number} from @param {number} to */
  function swap(from, to) {
    [order[from], order[to]] = [order[to], order[from]];
    order = [...order];
    held = null;
    cursor = to;
    change();
  }

  const begin = onStep(({ step }) => {
    const wanted = /** @type {HTMLInputElement} */ (positions.element.querySelector(`[value=${step ? 'with' : 'without'}]`));
    wanted.checked = true;
  });

  /** @param {HTMLCanvasElement} photo @param {Context} context */
  function draw(photo, { trace: { grid: [rows, cols], crop }, still }) {
    const [across, down] = [photo.width / cols, photo.height / rows];
    const ratio = crop.width / crop.height;
    left.show({ grid: [rows, cols], ratio }, (target, width, height) => target.drawImage(photo, 0, 0, width, height));
    const way = before.length === order.length ? before : order.map((_, i) => i);
    const start = new Map(way.map((patch, place) => [patch, place]));
    const places = order;
    const begun = performance.now();
    const same = way.every((patch, place) => patch === places[place]);
    /** @type {import('../kit/cells.js').Paint} */
    const paint = (target, width, height) => {
      const time = still || same ? 1 : Math.min(1, (performance.now() - begun) / WAY);
      const gone = time * time * (3 - 2 * time);
      const [w, h] = [width / cols, height / rows];
      places.forEach((patch, place) => {
        const from = start.get(patch) ?? place;
        const x = (from % cols) + gone * ((place % cols) - (from % cols));
        const y = Math.floor(from / cols) + gone * (Math.floor(place / cols) - Math.floor(from / cols));
        target.drawImage(photo, (patch % cols) * across, Math.floor(patch / cols) * down, across, down, x * w, y * h, w + 0.5, h + 0.5);
      });
      if (time < 1 && !moving) moving = requestAnimationFrame(() => {
        moving = 0;
        right.draw();
      });
    };
    right.show({ grid: [rows, cols], ratio, place: cursor }, paint);
    titles[1].textContent = held === null ? 'patches shuffled' : 'patch taken: choose where to put it';
    before = order;
  }

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, vit, image, signal } = context;
      const photo = await seen(context);
      begin(context);
      if (signal.aborted) return '';
      if (all !== trace.grid[0] * trace.grid[1]) {
        all = trace.grid[0] * trace.grid[1];
        [cursor, held, before] = [null, null, []];
        order = shuffled(all, Math.round((share.value / 100) * all), seed);
      }
      draw(photo, context);
      const without = positions.value === 'without' ? { positions: true } : undefined;
      const places = order;
      const moved = places.filter((patch, place) => patch !== place).length;
      /** @param {number[]} [order] @returns {Promise<Answer>} */
      const ask = async (order) => (!order && !without ? trace : remember(trace, `without ${Boolean(without)} ${order}`, () => vit.classify(image, { without, order, signal }), signal));
      const [first, second] = await Promise.all([ask(), moved ? ask(places) : ask()]);
      if (signal.aborted) return '';
      const { config } = vit;
      const scores = [first, second].map(({ logits }) => scoresOf({ rows: 1, cols: logits.length, channels: 1, data: logits, signed: true, text: '' }, config.scores));
      [plain, changed].forEach((bars, i) => bars.show({ top: best(scores[i]), scores: config.scores }, config.labels, i ? (index) => scores[0][index] : undefined));
      const said = `${count(moved)} of ${count(all)} patches lie elsewhere.`;
      const how = without ? 'Without positions' : 'With positions';
      if (!config.numClasses) return `${said} ${how} the features of both have a cosine similarity of ${cosine(first.features, second.features).toFixed(4)}.`;
      const names = classNames(config.labels);
      const say = scoreFormat(config.scores);
      const tell = (/** @type {number} */ i) => `${names[best(scores[i])[0].index]}, ${say(best(scores[i])[0].score)}`;
      const apart = scores[0].reduce((most, score, i) => Math.max(most, Math.abs(score - scores[1][i])), 0);
      return `${said} ${how}: ${tell(0)} for the photo, ${tell(1)} for the shuffled one; ${without ? 'no class differs by more than' : 'a class differs by up to'} ${config.scores === 'none' ? number(apart) : points(apart)}. `
        + (without ? `${vit.config.dtype === 'int8' && apart > 0 ? 'What differs is how int8 arithmetic rounds. ' : ''}The model was never trained without positions, so neither answer need be right.` : 'The model was never trained on shuffled photos.');
    },
  };
}

/** @param {ArrayLike<number>} scores */
function best(scores) {
  return Array.from(scores, (score, index) => ({ index, score })).sort((a, b) => b.score - a.score).slice(0, ROWS);
}

/** A difference of shares: 12.3 points; what is less than can be read as a power of ten. @param {number} share */
function points(share) {
  return share < 5e-4 ? `${tiny(100 * share)} points` : `${(100 * share).toFixed(1)} points`;
}
