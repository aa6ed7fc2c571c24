/** The convolution of the patch embedding, window by window, as the model computes it. */
import { remember } from '../../explorer/views/cache.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {{values: Float32Array, done: number}} Swept  values: [patches, hiddenSize], of which the first `done` patches are there
 */

/**
 * @param {(patch: number | null) => void} onStop called at each stop of the window, or where nothing shall move after each row, and at the end, with null
 * @param {() => void} onFail
 */
export function createSweep(onStop, onFail) {
  /** @type {Context['trace'] | undefined} */
  let trace;
  /** @type {Swept} */
  let swept = { values: new Float32Array(), done: 0 };
  let run = new AbortController();
  /** @type {Promise<void> | undefined} */
  let running;
  /** What ended it, until that was told. */
  let failure = /** @type {unknown} */ (undefined);

  /** @param {Context} context @param {AbortSignal} signal */
  async function go({ trace: { grid: [rows, cols], stages: [{ hiddenSize }] }, vit, image, still }, signal) {
    while (swept.done < rows * cols) {
      const patch = swept.done;
      if (!still) await new Promise((resolve) => requestAnimationFrame(resolve));
      const { projected } = await vit.patchEmbedding(image, { patch: [Math.floor(patch / cols), patch % cols], signal });
      if (signal.aborted) return;
      swept.values.set(projected, patch * hiddenSize);
      swept.done = patch + 1;
      if (!still) onStop(patch);
      else if (swept.done % cols === 0) onStop(null);
    }
    onStop(null);
  }

  return {
    /**
     * Starts where it was left.
     * @param {Context} context
     */
    start(context) {
      const { trace: { grid: [rows, cols], stages: [{ hiddenSize }] } } = context;
      if (trace !== context.trace) {
        this.stop();
        trace = context.trace;
        swept = remember(trace, 'patches projected', () => ({ values: new Float32Array(rows * cols * hiddenSize), done: 0 }));
      }
      if (!running) {
        run = new AbortController();
        const { signal } = run;
        running = go(context, signal).catch((error) => {
          if (signal.aborted) return;
          failure = error;
          running = undefined;
          onFail();
        });
      }
      const told = failure;
      failure = undefined;
      if (told) throw told;
    },

    stop() {
      run.abort();
      running = failure = undefined;
    },

    /** What one filter gave at each patch so far. @param {number} output */
    output(output) {
      const { length = 0 } = swept.values;
      if (!trace) return { values: new Float32Array(), done: 0 };
      const [{ hiddenSize }] = trace.stages;
      return { values: Float32Array.from({ length: length / hiddenSize }, (_, patch) => swept.values[patch * hiddenSize + output]), done: swept.done };
    },
  };
}
