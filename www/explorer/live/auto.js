/** How many patches along an edge let a moving picture move: measured once, and changed only where it must be. */
import { LEAST } from '../detail.js';

/** Frames a second that the model makes room for: smooth, and what is enough where smooth would leave little to see. Fewer come, as cameras and screens have a beat of their own. */
const [SMOOTH, ENOUGH] = [36, 18];
/** Patches along an edge that are not given up for smoothness. */
const WORTHWHILE = 12;
/** Frames before the first choice, as the first ones are slower than the rest. */
const WARM = 4;
/** ms between two choices. */
const CALM = 4000;
/** How much too slow it may be, and how much faster another size must be, before that is chosen. */
const [SLOW, BETTER] = [1.3, 2];
/** What the last frame weighs against those before it. */
const WEIGHT = 0.2;

/**
 * How much longer a forward pass takes: most of it goes with the tokens, attention with their square.
 * @param {number} tokens
 * @param {number} width of a token
 */
const work = (tokens, width) => tokens * (1 + tokens / (6 * width));

/**
 * @param {{edge: number, forward: number, rest: number, width: number, least?: number, most: number}} measured ms of the forward pass with so many patches along an edge, and of the rest of a frame; the model's width, the fewest that it is given, and its own edge
 */
export function pick({ edge, forward, rest, width, least = LEAST, most }) {
  const fits = (/** @type {number} */ rate) => {
    let fit = least;
    for (let next = least; next <= most; next++) {
      if (rest + (forward * work(next * next, width)) / work(edge * edge, width) <= 1000 / rate) fit = next;
    }
    return fit;
  };
  return Math.max(fits(SMOOTH), Math.min(WORTHWHILE, fits(ENOUGH)));
}

export function createAuto() {
  /** @type {number | null} */
  let chosen = null;
  let frames = 0;
  let last = 0;
  let forward = 0;
  let rest = 0;

  return {
    /** Patches along an edge; null before there is something to tell from. */
    get edge() {
      return chosen;
    },

    /** Another model, or another picture. */
    forget() {
      chosen = null;
      frames = 0;
    },

    /**
     * A frame was shown.
     * @param {{edge: number, forward: number, busy: number, width: number, least?: number, most: number}} frame busy: ms from taking it until the model is free for the next
     * @param {number} [now] ms
     */
    saw({ edge, forward: pass, busy, width, least, most }, now = performance.now()) {
      frames++;
      if (frames < WARM) return;
      const share = frames === WARM ? 1 : WEIGHT;
      forward += share * (pass - forward);
      rest += share * (busy - pass - rest);
      if (chosen !== null && now - last < CALM) return;
      const next = pick({ edge, forward, rest, width, least, most });
      const tooSlow = (forward + rest) * SMOOTH > 1000 * SLOW;
      if (chosen === null || (next < chosen && tooSlow) || next >= chosen + BETTER) {
        [chosen, last, frames] = [next, now, 0];
      }
    },
  };
}
