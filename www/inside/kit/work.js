/** Work of many passes of the model, which outlasts a drawing: one piece at a time, for as long as a figure that needs it is shown. */
import { keep } from '../../explorer/views/cache.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {{key: string, label: string, run: (signal: AbortSignal, onProgress: (passes: {done: number, total: number}) => void) => Promise<unknown>}} Piece
 *   key: under which its result is kept with the trace; label: what it is
 */

/**
 * @param {() => void} change a result is there
 * @param {(label: string | undefined, passes?: {done: number, total: number}) => void} report what is under way, undefined: nothing
 */
export function createWork(change, report) {
  /** @type {AbortSignal | undefined} */
  let shown;
  /** @type {{trace: object, key: string, stop: AbortController} | undefined} */
  let running;
  /** @type {unknown} */
  let failed;

  function stop() {
    running?.stop.abort();
    running = undefined;
    report(undefined);
  }

  return {
    /**
     * What is shown needs this, and nothing else. To be called whenever something is shown, before anything is awaited.
     * @param {Context} context
     * @param {Piece | undefined} piece undefined: all is there
     * @throws what the last piece failed with
     */
    want({ trace, signal }, piece) {
      shown = signal;
      // What is shown anew asks for its work at once: what doesn't, has been left.
      signal.addEventListener('abort', () => queueMicrotask(() => shown?.aborted && stop()));
      if (failed) {
        const error = failed;
        failed = undefined;
        throw error;
      }
      if (running && running.trace === trace && running.key === piece?.key) return;
      stop();
      if (!piece) return;
      const mine = (running = { trace, key: piece.key, stop: new AbortController() });
      report(piece.label);
      piece.run(mine.stop.signal, (passes) => running === mine && report(piece.label, passes)).then((result) => keep(trace, piece.key, result), (error) => {
        if (!mine.stop.signal.aborted) failed = error;
      }).then(() => {
        if (running !== mine) return;
        running = undefined;
        report(undefined);
        change();
      });
    },
  };
}
