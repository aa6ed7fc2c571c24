/**
 * Work of many forward passes. What was stopped is no failure, and each pass is a sign of life.
 *
 * @typedef {import('../../pkg/index.js').Passes} Passes
 * @param {Pick<import('./view.js').Context, 'fail' | 'watch' | 'wanted'>} context
 * @param {AbortSignal} signal
 * @param {(passes: Passes) => void} onProgress
 * @param {(onProgress: (passes: Passes) => void) => Promise<void>} work
 */
export async function attempt({ fail, watch, wanted }, signal, onProgress, work) {
  if (wanted.aborted) return; // a photo whose trace is on its way has taken this one's place
  const { alive, over } = watch();
  try {
    await work((passes) => {
      alive();
      onProgress(passes);
    });
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    over();
  }
}
