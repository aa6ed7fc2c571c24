import type { bench as Bench } from './page.js';

declare global {
  /** What page.js gives the driver. */
  var bench: typeof Bench;
}
