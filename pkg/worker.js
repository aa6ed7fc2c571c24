/** The worker's side of lib/bridge.js: one engine, one request at a time. */
import { Engine } from './lib/engine.js';
import { fromEngine, packError } from './lib/errors.js';
import { readPixels } from './lib/pixels.js';

/** @typedef {import('./lib/bridge.js').Request} Request */

const port = /** @type {import('./lib/bridge.js').Port} */ (/** @type {unknown} */ (self));
/** @type {Engine | undefined} */
let engine;
/** The job whose answer nobody waits for any more. @type {number | undefined} */
let abortedId;

/** @param {MessageEvent<Request>} event */
port.onmessage = async ({ data: request }) => {
  const { id } = request;
  if (request.type === 'abort') {
    abortedId = id;
    return;
  }
  try {
    const { result, transfer } = await answer(request);
    port.postMessage({ id, result }, transfer);
  } catch (error) {
    port.postMessage({ id, error: packError(fromEngine(error)) }, []);
  }
};

/**
 * @param {Exclude<Request, {type: 'abort'}>} request
 * @returns {Promise<{result: unknown, transfer: Transferable[]}>}
 */
async function answer(request) {
  if (request.type === 'load') {
    const { id, source, ...options } = request;
    // (The source came as a copy, so that its buffer may be given back.)
    engine = await Engine.fromSource(source, { ...options, owned: true, onProgress: (progress) => port.postMessage({ id, progress }, []) });
    const { config, backend, memory } = engine;
    return { result: { config, backend, memory }, transfer: [] };
  }
  if (!engine) throw new Error('no model is loaded');
  const start = performance.now();
  const pixels = await readPixels(request.image);
  if (abortedId === request.id) return { result: { memory: engine.memory }, transfer: [] };
  const answer = engine[request.type](pixels, { topK: request.topK });
  answer.timing.total = performance.now() - start;
  const arrays = Object.values(answer).filter((value) => value instanceof Float32Array);
  return { result: { answer, memory: engine.memory }, transfer: arrays.map((array) => array.buffer) };
}
