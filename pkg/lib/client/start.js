import { locate } from '../assets.js';
import { orAborted } from '../common/abort.js';
import { LOAD_OPTIONS, checkDecode, checkDtype, checkImageSize, checkOptions, checkSimd, checkThreads } from '../common/checks.js';
import { warnOnce } from '../common/warn.js';
import { chooseBackend } from '../engine/backend.js';
import { fetchModule, sameModule } from '../engine/module.js';
import { loadViews } from '../engine/views.js';
import { Loading } from '../source/loading.js';
import { normaliseSource } from '../source/source.js';
import { walk } from '../source/walk.js';
import { WorkerBridge } from './bridge.js';
import { leader } from './leader.js';
import { JobQueue } from './queue.js';

/**
 * The worker, whose jobs it does, and what reads pictures.
 * @typedef {{bridge: WorkerBridge, queues: Set<JobQueue>, decode?: import('../../index.js').Decode}} Home
 */

/**
 * Starts a worker and loads a model in it: all that an instance is made of.
 * @param {import('../../index.js').ModelSource} source
 * @param {import('../../index.js').LoadOptions} [options]
 * @param {import('../source/source.js').Keeper} [keeper] gets the model in int8
 */
export async function start(source, options, keeper) {
  const { dtype, imageSize, simd, threads, assets, decode, signal, onProgress } = checkOptions(options, LOAD_OPTIONS);
  checkDecode(decode);
  signal?.throwIfAborted();
  const parts = normaliseSource(source, options);
  const form = { dtype: keeper ? 'int8' : checkDtype(dtype), size: checkImageSize(imageSize) };
  const backend = chooseBackend(checkSimd(simd), checkThreads(threads), true);
  const located = locate(assets, backend.simd);
  const queue = new JobQueue();
  // The worker takes as long to start as a small model takes to arrive, so nothing waits for it: all is asked for here.
  const queues = new Set([queue]);
  const bridge = new WorkerBridge(located, (error) => queues.forEach((queue) => queue.close(error)));
  const loading = new Loading(signal, onProgress);
  loading.signal.addEventListener('abort', () => bridge.close(loading.signal.reason));
  try {
    const module = fetchModule(backend, located, { signal: loading.signal, onBytes: (loaded, total) => loading.report({ phase: 'wasm', loaded, total }) });
    const started = loading.watch(bridge.start(backend, module));
    const reading = walk(parts, leader(bridge, started, form), { signal: loading.signal, onProgress: loading.report, keeper });
    const loaded = await orAborted(loading.watchDownloads(parts, reading), loading.signal);
    warnOnce(loaded.warning);
    const moduleOf = (/** @type {import('../../index.js').Backend} */ runs) => (sameModule(runs, backend) ? module : fetchModule(runs, located));
    return { home: { bridge, queues, decode }, queue, loaded, startViews: () => loadViews(loaded.backend, moduleOf) };
  } catch (error) {
    throw loading.stop(error);
  } finally {
    loading.end();
  }
}
