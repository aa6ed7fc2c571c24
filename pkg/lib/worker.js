/** What runs in a worker: engines, one request at a time, as client/bridge.js asks; or one more thread of an engine, as engine/threads.js asks. */
import { builtin } from './common/environment.js';
import { closed, fromEngine, packError } from './common/errors.js';
import { runThread } from './engine/thread.js';
import { Walker } from './engine/walker.js';
import { loadWasm } from './engine/wasm.js';
import { readPixels } from './image/pixels.js';

/**
 * @typedef {import('./client/bridge.js').Request} Request
 * @typedef {import('./engine/core.js').Core} Core
 */

/** Node has another. @type {import('./client/bridge.js').Port} */
const port = globalThis.process && !('postMessage' in globalThis) ? builtin('worker_threads').parentPort : globalThis;
/** @type {(module: WebAssembly.Module) => void} */
let giveModule;
/** @type {Promise<WebAssembly.Module>} */
const module = new Promise((resolve) => (giveModule = resolve));
/** @type {import('./engine/wasm.js').Instance | undefined} */
let instance;
/** What takes the model. @type {Walker | undefined} */
let walker;
/** By the numbers of the requests that made them. @type {Map<number, Core>} */
const engines = new Map();
/** The job whose answer nobody waits for any more. @type {number | undefined} */
let abortedId;
/** By it the page calls out of a forward pass, where memory can be shared; elsewhere the engine comes out after each block. @type {Int32Array | undefined} */
let bell;
const echo = new MessageChannel();

/** @param {MessageEvent<Request>} event */
port.onmessage = async ({ data: request }) => {
  if (request.type === 'thread') return runThread(request, (failure) => port.postMessage(failure, []));
  if (request.type === 'module') return giveModule(request.module);
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
 * @param {import('./client/bridge.js').Question & {id: number}} request
 * @returns {Promise<{result: unknown, transfer: Transferable[]}>}
 */
async function answer(request) {
  if (request.type === 'start') {
    const { id } = request;
    hold(request.alarm, () => port.postMessage({ id, progress: 'held' }, []));
    bell = request.bell;
    instance = { ...(await loadWasm(request.backend, request.assets, { module, alarm: request.alarm })), bell };
    return { result: undefined, transfer: [] };
  }
  if (request.type === 'walk') {
    if (!instance) throw new Error('the engine has not started');
    walker ??= new Walker(instance, request.form);
    const result = await /** @type {any} */ (walker)[request.method](...request.args);
    const transfer = (result?.kept ?? []).map((/** @type {import('./source/walk.js').Kept} */ { bytes }) => bytes.buffer);
    return { result: result?.loaded ? { ...result, loaded: added(request.id, result.loaded).result } : result, transfer };
  }
  const engine = engines.get(request.engine);
  if (!engine) throw closed();
  if (request.type === 'derive') return added(request.id, engine.withClasses(request.given));
  if (request.type === 'resize') {
    engine.resize(request.size);
    return { result: { config: engine.config, memory: engine.memory }, transfer: [] };
  }
  if (request.type === 'release') {
    engines.delete(request.engine);
    engine.close();
    return { result: undefined, transfer: [] };
  }
  const answer = await run(engine, request);
  const answers = Array.isArray(answer) ? answer : [answer ?? {}];
  const values = answers.flatMap((one) => (one instanceof Float32Array ? [one] : Object.values(one)));
  return { result: { answer, memory: engine.memory }, transfer: values.flatMap((value) => (value instanceof Float32Array ? [value.buffer] : [])) };
}

/**
 * @param {number} id
 * @param {Core} engine
 */
function added(id, engine) {
  engines.set(id, engine);
  const { config, backend, memory, warning } = engine;
  return { result: { engine: id, config, backend, memory, warning }, transfer: [] };
}

/**
 * @param {Core} engine
 * @param {Extract<import('./client/bridge.js').Question, {type: 'run'}> & {id: number}} request
 */
async function run(engine, { id, method, image, args }) {
  const start = performance.now();
  const pixels = image && (await readPixels(image));
  if (isAborted(id)) return undefined;
  const work = /** @type {any} */ (engine)[method](...(pixels ? [pixels] : []), ...args);
  const answer = typeof work?.next === 'function' ? await step(id, work) : work;
  if (answer?.timing) answer.timing.total = performance.now() - start;
  return answer;
}

/**
 * Block by block, or pass by pass. In between the worker looks for messages, so that it hears of an abort.
 * @param {number} id
 * @param {Generator<unknown, any>} work
 */
async function step(id, work) {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    if (value) port.postMessage({ id, progress: value }, []);
    await messages();
    if (isAborted(id)) return work.return(undefined).value;
  }
}

/** @param {number} id of the job under way */
function isAborted(id) {
  if (bell && Atomics.exchange(bell, 0, 0) === id + 1) abortedId = id;
  return abortedId === id;
}

/**
 * Takes a lock that only the end of this worker gives back, where there are locks.
 * @param {string} name
 * @param {() => void} tell
 */
function hold(name, tell) {
  const held = () => {
    tell();
    return new Promise(() => {});
  };
  globalThis.navigator?.locks?.request(name, held).catch(() => {});
}

/** Resolves behind the messages that are there; a timer would take milliseconds more, and so would two new ports for each block. */
function messages() {
  return new Promise((resolve) => {
    echo.port1.onmessage = resolve;
    echo.port2.postMessage(undefined);
  });
}
