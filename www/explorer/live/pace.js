/** How fast frames follow each other. */

/** What the last frame weighs against those before it. */
const WEIGHT = 0.15;

export function createPace() {
  let last = 0;
  let interval = 0; // ms

  return {
    /** A frame has been shown. @param {number} [now] ms */
    tick(now = performance.now()) {
      if (last) interval = interval ? interval + WEIGHT * (now - last - interval) : now - last;
      last = now;
    },

    /** Frames do not follow each other any more. */
    rest() {
      last = interval = 0;
    },

    /** Frames a second; 0 while there is nothing to tell from. */
    get rate() {
      return interval ? 1000 / interval : 0;
    },
  };
}
