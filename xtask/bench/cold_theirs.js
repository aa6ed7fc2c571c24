/**
 * The same with onnxruntime-web, in a worker so that it does not block the page. It has no worker of its own that takes a model and an
 * image, and no preprocessing: both are given here for nothing.
 */
import { ask, startWorker } from './ask.js';

const { model, threads } = /** @type {Record<string, string>} */ (Object.fromEntries(new URLSearchParams(location.search)));
const worker = startWorker();
const loaded = await ask(worker, { type: 'load', setup: { side: 'theirs', model, dtype: 'int8', threads: Number(threads) } });
await ask(worker, { type: 'classify', pixels: new Float32Array(loaded.pixels) });
console.debug(performance.now(), loaded.threads);
