import makeGlue from 'glue:engine';
import { fromEngine, packError } from '../common/errors.js';

// As much as the linker gives the first thread.
const STACK_BYTES = 1 << 20;

/**
 * One more thread of an engine; `threads.js` starts it.
 * @param {import('./threads.js').ThreadStart} start
 * @param {(failure: any) => void} tell why it can't work, or that it is about to
 */
export async function runThread({ module, memory, alarm }, tell) {
  let waiting = false;
  try {
    const { instantiate, run_thread } = makeGlue();
    await instantiate(module, memory, STACK_BYTES);
    waiting = true;
    tell(undefined);
    run_thread(); // returns never, and throws where the engine crashes
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!waiting) tell(message);
    // The worker that runs the engine waits for this thread's part of the work and will hear of nothing: its owner must end it.
    else if (alarm) new BroadcastChannel(alarm).postMessage(packError(fromEngine(error, memory)));
    else throw error;
  }
}
