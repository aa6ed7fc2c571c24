import makeGlue from 'glue:views';
import { locate } from '../assets.js';
import { fromEngine } from '../common/errors.js';
import { chooseBackend } from './backend.js';
import { fetchModule } from './module.js';
import { NoThreads, OWN_MEMORY, sharedMemory } from './threads.js';

/**
 * @typedef {import('../../index.js').Backend} Backend
 * @typedef {import('../assets.js').Glue['Views']} Views
 */

// 1 GiB at most: the views read one layer after the other.
const VIEWS_PAGES = 16384;

/**
 * Another instance, in the thread that a worker's answers come to, for the views that need no model. None of them uses threads, but the module is
 * there already.
 * @param {Backend} backend
 * @param {(backend: Backend) => Promise<WebAssembly.Module>} moduleOf what `fetchModule` gives for it
 * @returns {Promise<Views>}
 */
export async function loadViews(backend, moduleOf) {
  const module = await moduleOf(backend);
  try {
    const { instantiate, Views } = makeGlue();
    await instantiate(module, backend.threads > 1 ? sharedMemory(VIEWS_PAGES) : OWN_MEMORY);
    return Views;
  } catch (error) {
    if (!(error instanceof NoThreads)) throw fromEngine(error);
    return loadViews({ ...backend, threads: 1 }, moduleOf);
  }
}

/**
 * The same where no model was loaded.
 * @param {unknown} assets the option
 */
export function viewsAlone(assets) {
  const backend = chooseBackend(undefined, 1);
  const located = locate(assets, backend.simd);
  return loadViews(backend, (backend) => fetchModule(backend, located));
}
