/** Rotary positions: a place turns the pairs of a query and of a key like hands of clocks, so that their product depends on how far apart they are. */
import { svg } from '../../explorer/chart.js';
import { make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { createCells, overlaid, seen } from '../kit/cells.js';
import { distance, tiny } from './distance.js';
import { anglesFor, anglesOf, scorer } from './angles.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('./angles.js').Turning} Turning
 */

/** Clocks that are drawn. */
const CLOCKS = 6;
/** Where the key is from the query, in rows and columns. */
const AWAY = [2, 3];

/** @param {import('../figure.js').Hands} hands */
export function createTurned({ choose }) {
  const photo = createCells('The photo: choose the place of the query', {
    onPick: (patch) => choose({ patch }),
    onHover(place) {
      hovered = place;
      again?.();
    },
  });
  const clocks = make('div', { class: 'clocks' });
  const words = make('p', { class: 'note' });
  const element = make('div', { class: 'turned' }, [photo.element, clocks, words]);
  /** @type {number | null} */
  let hovered = null;
  /** @type {(() => void) | undefined} */
  let again;

  /**
   * @param {Turning} turning
   * @param {ArrayLike<number>} q
   * @param {ArrayLike<number>} k
   * @param {number} query
   * @param {number} key
   */
  function draw({ pairs, angles, named }, q, k, query, key) {
    // Of each axis the pairs are spread from the fastest to the slowest.
    const kinds = [...new Set(named)].filter((name) => name !== 'hardly any').slice(0, 2);
    const shown = kinds.flatMap((kind) => {
      const of = pairs.flatMap((_, m) => (named[m] === kind ? [m] : []));
      const some = Math.min(of.length, CLOCKS / kinds.length);
      return Array.from({ length: some }, (_, i) => of[Math.floor((i * of.length) / some)]);
    });
    clocks.replaceChildren(...shown.map((m) => {
      const [a, b] = pairs[m];
      const hands = [[q, query, 'q'], [k, key, 'k']].map(([values, place, kind]) => {
        const of = /** @type {ArrayLike<number>} */ (values);
        const still = Math.atan2(of[b], of[a]);
        return { kind: String(kind), still, turned: still + angles[Number(place) * pairs.length + m] };
      });
      const picture = svg('svg', { viewBox: '-50 -50 100 100', role: 'img', 'aria-label': `Pair ${m}, which turns with the ${named[m]}: the hands are ${degrees(hands[0].turned - hands[1].turned)} apart` });
      picture.append(svg('circle', { class: 'face', r: 46 }));
      for (const { kind, still, turned } of hands) {
        picture.append(hand(`still ${kind}`, still, 34), hand(kind, turned, 42));
      }
      return make('div', {}, [picture, make('span', {}, [`${named[m]}, ${degrees(hands[0].turned - hands[1].turned)}`])]);
    }));
  }

  return {
    element,
    /** @param {Context} context */
    async show(context) {
      const { trace, patch, picked, look, layer, head, signal } = context;
      const { grid, prefixTokens, crop } = trace;
      const [rows, cols] = grid;
      const middle = Math.floor(rows / 2) * cols + Math.floor(cols / 2);
      const [part, inside] = await Promise.all([seen(context), trace.query({ layer: layer ?? 0, head: head ?? 0, query: [Math.floor(middle / cols), middle % cols], signal })]);
      if (signal.aborted) return '';
      const { q, k, unturned } = inside;
      const d = q.length;
      const of = (/** @type {Float32Array} */ all) => all.subarray((prefixTokens + middle) * d, (prefixTokens + middle + 1) * d);
      const turning = unturned ? anglesOf(unturned.k, k, prefixTokens, grid) : anglesFor(d, grid);
      const [asks, answers] = unturned ? [unturned.q, of(unturned.k)] : [q, q];
      const score = scorer(turning, asks, answers);
      const query = picked ? patch : middle;
      const at = [Math.floor(query / cols), query % cols];
      const away = AWAY.map((by, axis) => (at[axis] + by < grid[axis] ? by : -by));
      const fixed = Math.max(0, at[0] + away[0]) * cols + Math.max(0, at[1] + away[1]);
      const data = Float32Array.from({ length: rows * cols }, (_, place) => score(query, place));
      const map = { rows, cols, channels: /** @type {1} */ (1), data, signed: true, text: 'Score of the same query and key, by the place of the key' };
      photo.show({ grid, ratio: crop.width / crop.height, place: query, text: map.text }, overlaid(part, map, { ...look, style: 'colours', opacity: 1 }));
      again = () => {
        const key = hovered ?? fixed;
        const [down, across] = [Math.floor(key / cols) - at[0], (key % cols) - at[1]];
        draw(turning, asks, answers, query, key);
        photo.point(key);
        words.textContent = `The key: ${distance(down, across)}. Score ${number(score(query, key))}.`;
      };
      again();
      const [down, across] = [Math.floor(fixed / cols) - at[0], (fixed % cols) - at[1]];
      const [first, apart] = spread(score, grid, down, across);
      return (unturned ? `One query and one key of layer ${inside.layer}, head ${inside.head}, moved about: ` : 'This model does not turn its queries. Turned as DINOv3 does it, here is one of them, compared with itself: ')
        + `with the key ${distance(down, across)} the score is ${number(first)} wherever both are (they differ by ${tiny(apart)} at most). Colours: the score by the key’s place.`;
    },
  };
}

/**
 * The score at one distance, and how far it differs over the grid.
 * @param {(query: number, key: number) => number} score
 * @param {[number, number]} grid
 * @param {number} down
 * @param {number} across
 */
function spread(score, [rows, cols], down, across) {
  let [low, high] = [Infinity, -Infinity];
  for (let row = Math.max(0, -down); row < Math.min(rows, rows - down); row++) {
    for (let col = Math.max(0, -across); col < Math.min(cols, cols - across); col++) {
      const value = score(row * cols + col, (row + down) * cols + col + across);
      [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
  }
  return [(low + high) / 2, high - low];
}

/** @param {string} kind @param {number} angle @param {number} length */
function hand(kind, angle, length) {
  return svg('line', { class: `hand ${kind}`, x1: 0, y1: 0, x2: (length * Math.cos(angle)).toFixed(2), y2: (-length * Math.sin(angle)).toFixed(2) });
}

/** The smaller angle between two. @param {number} angle */
function degrees(angle) {
  return `${Math.round(Math.abs((Math.atan2(Math.sin(angle), Math.cos(angle)) * 180) / Math.PI))}°`;
}
