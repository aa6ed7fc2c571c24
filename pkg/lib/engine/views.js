import makeGlue from 'glue:views';
import { VitscopeError, fromEngine } from '../common/errors.js';
import { NoThreads, OWN_MEMORY, sharedMemory } from './threads.js';

// 1 GiB at most: the views read one layer after the other.
const VIEWS_PAGES = 16384;

/**
 * Another instance, in the thread that a worker's answers come to, for the views that need no model. None of them uses threads.
 * @param {import('../../index.js').Backend} backend
 * @param {Promise<WebAssembly.Module>} compiled what `fetchModule` gives for this backend
 * @param {import('../../index.js').ModelConfig} config
 */
export async function loadViews({ threads }, compiled, config) {
  const module = await compiled;
  try {
    const glue = makeGlue();
    await glue.default({ module_or_path: module, memory: threads > 1 ? sharedMemory(VIEWS_PAGES) : OWN_MEMORY });
    return viewsOf(glue.Views, config);
  } catch (error) {
    throw error instanceof NoThreads ? new VitscopeError('out-of-memory', `There is no memory for the views of a trace: ${error.message}`, { cause: error }) : fromEngine(error);
  }
}

/**
 * @param {import('../assets.js').Glue['Views']} Views
 * @param {import('../../index.js').ModelConfig} config
 */
export function viewsOf(Views, { layers, heads, prefix, grid: [rows, cols], patchSize: [height, width], hiddenSize }) {
  return new Views(layers, heads, prefix, rows, cols, height, width, hiddenSize);
}

