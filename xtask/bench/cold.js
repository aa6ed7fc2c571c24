/** A page that nobody has visited: what passes until the first answer, each side as a site would use it without blocking the page. */
import { ask, startWorker } from './ask.js';

const DTYPE = /** @type {const} */ ('int8');
const { side, model, threads, simd } = /** @type {Record<string, string>} */ (Object.fromEntries(new URLSearchParams(location.search)));

const ran = side === 'ours' ? await ours() : await theirs();
// Counted by the page's own clock, which starts with the navigation.
Object.assign(document.documentElement.dataset, { ms: performance.now(), threads: ran });

/** @returns {Promise<number>} threads that really ran, as in `theirs` */
async function ours() {
  const { Vitscope } = await import('../../pkg/dist/index.js');
  const options = { dtype: DTYPE, threads: Number(threads), simd: /** @type {'relaxed' | 'simd128' | undefined} */ (simd) };
  const vit = await Vitscope.load(`${model}/${DTYPE}/`, options);
  await vit.classify(new ImageData(224, 224));
  return vit.backend.threads;
}

/** They have no worker of their own that takes a model and an image, and no preprocessing: both are given here for nothing. */
async function theirs() {
  const worker = startWorker();
  const loaded = await ask(worker, { type: 'load', setup: { side: 'theirs', model, dtype: DTYPE, threads: Number(threads) } });
  await ask(worker, { type: 'classify', pixels: new Float32Array(3 * 224 * 224) });
  return loaded.threads;
}
