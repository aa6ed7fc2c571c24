/** Kernels, and a whole model, in this browser's engine, each in a worker of its own. */
import { has } from '../../pkg/lib/engine/backend.js';
import { ask, startWorker } from './ask.js';

/** Passes before those that are timed, in which the engine compiles the hot functions again, optimised. */
const WARM_UP = 12;
const PASSES = 25;

/**
 * @param {string} model  the address of its folder
 * @param {(step: string) => void} begin  hears what is done next
 * @returns {Promise<{agent: string, builds: import('./engines_report.mjs').Build[]}>}
 */
export async function measure(model, begin) {
  const pixels = new Float32Array(await (await fetch(`${model}/pixels.f32`)).arrayBuffer());
  const builds = [];
  for (const simd of (/** @type {const} */ (['relaxed', 'simd128'])).filter((simd) => has(simd))) {
    begin(`kernels, ${simd}`);
    const worker = startWorker();
    const kernels = await ask(worker, { type: 'kernels', simd });
    worker.terminate();
    const passes = { int8: await passesOf('int8', simd), f32: await passesOf('f32', simd) };
    builds.push({ simd, kernels, passes });
  }
  return { agent: navigator.userAgent, builds };

  /** @param {'f32' | 'int8'} dtype @param {'relaxed' | 'simd128'} simd @returns {Promise<number[]>} milliseconds */
  async function passesOf(dtype, simd) {
    begin(`ViT-Ti in ${dtype}, ${simd}`);
    const worker = startWorker();
    await ask(worker, { type: 'load', setup: { side: 'ours', model, dtype, threads: 1, simd } });
    const times = [];
    for (let i = -WARM_UP; i < PASSES; i++) {
      const { ms } = await ask(worker, { type: 'classify', pixels });
      if (i >= 0) times.push(ms);
    }
    worker.terminate();
    return times;
  }
}
