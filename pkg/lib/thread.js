/** One more thread of an engine; engine/threads.js starts it. */
import { THREADED } from './assets.js';
import { fromEngine, packError } from './common/errors.js';

// As much as the linker gives the first thread.
const STACK_BYTES = 1 << 20;

/** @param {MessageEvent<import('./engine/threads.js').ThreadStart>} event */
self.onmessage = async ({ data: { simd, module, memory, alarm } }) => {
  let waiting = false;
  try {
    const { initSync, run_thread } = await THREADED[simd].glue();
    initSync({ module, memory, thread_stack_size: STACK_BYTES });
    waiting = true;
    self.postMessage(undefined);
    run_thread(); // returns never, and throws where the engine crashes
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!waiting) self.postMessage(message);
    // The worker that runs the engine waits for this thread's part of the work and will hear of nothing: its owner must end it.
    else if (alarm) new BroadcastChannel(alarm).postMessage(packError(fromEngine(error, memory)));
    else throw error;
  }
};
