import { addressOf, startWorker } from '../assets.js';
import { policyError, wasRefused, watchPolicy } from '../common/environment.js';
import { VitscopeError, closed, crashed, unpackError } from '../common/errors.js';

/**
 * What is said between the page and the worker.
 * @typedef {{type: 'start', backend: import('../../index.js').Backend, alarm: string, bell?: Int32Array} |
 *   {type: 'walk', form: Form, method: keyof import('../engine/walker.js').Walker, args: any[]} |
 *   {type: 'derive', engine: number, given: import('../classes/given.js').Given} |
 *   {type: 'release', engine: number} |
 *   {type: 'run', engine: number, method: Method, image?: import('../image/portable.js').Portable, args: any[]}} Question
 * @typedef {{engine: number, config: import('../../index.js').ModelConfig, backend: import('../../index.js').Backend, memory: import('../../index.js').Memory, warning?: string}} Loaded
 *   engine: its number, for later requests
 * @typedef {'classify' | import('../views/requests.js').Method} Method  of `Core`
 * @typedef {({id: number} & (Question | {type: 'abort'})) | {type: 'module', module: WebAssembly.Module}} Request
 * @typedef {import('../engine/walker.js').Form} Form
 * @typedef {{id: number, result?: any, error?: import('../common/errors.js').PackedError, progress?: any}} Reply
 * @typedef {{onmessage: (event: MessageEvent<Request>) => void, postMessage(message: Reply, transfer: Transferable[]): void}} Port
 * @typedef {{resolve: (result: any) => void, reject: (error: unknown) => void, onProgress?: (progress: any) => void}} Pending
 */

/** Owns the worker: pairs replies with requests, and tells when the worker can't be used any more. */
export class WorkerBridge {
  #worker;
  // A thread that crashes tells so here: the worker waits for it, and couldn't.
  #alarm = new BroadcastChannel(`vitscope-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`);
  // The worker hears of no message while its engine runs: where memory can be shared it reads here which request is aborted, as its number plus 1.
  #bell = globalThis.crossOriginIsolated && typeof SharedArrayBuffer === 'function' ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
  // Whoever gets the lock that the worker holds has outlived it: of most ends there is no event.
  #watch = new AbortController();
  #nextId = 0;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #onDeath;
  /** @type {Error | undefined} */
  #closed;

  /** @param {(error: VitscopeError) => void} onDeath called once, when the worker has crashed */
  constructor(onDeath) {
    this.#onDeath = onDeath;
    try {
      this.#worker = newWorker();
    } catch (error) {
      this.#alarm.close();
      throw error;
    }
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = async (event) => this.#die(await startFailure(event));
    this.#alarm.onmessage = ({ data }) => this.#die(unpackError(data));
    this.#worker.onmessageerror = () => this.#die(crashed('a message could not be read'));
  }

  /**
   * Brings up the engine in the worker.
   * @param {import('../../index.js').Backend} backend
   * @param {Promise<WebAssembly.Module>} module already asked for
   */
  start(backend, module) {
    const started = this.request({ type: 'start', backend, alarm: this.#alarm.name, bell: this.#bell }, { onProgress: () => this.#watchWorker() });
    return Promise.all([started, module.then((module) => this.#worker.postMessage({ type: 'module', module }))]);
  }

  /**
   * @param {Question} request
   * @param {{transfer?: Transferable[], signal?: AbortSignal, onProgress?: Pending['onProgress']}} [options]
   *   signal: tells the worker that nobody waits any more; the promise still settles only when the worker is free again
   * @returns {Promise<any>}
   */
  request(request, { transfer = [], signal, onProgress } = {}) {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    const abort = () => {
      if (this.#bell) Atomics.store(this.#bell, 0, id + 1);
      this.#worker.postMessage({ id, type: 'abort' });
    };
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress });
      this.#worker.postMessage({ ...request, id }, transfer); // throws where something can't be transferred
      signal?.addEventListener('abort', abort);
    }).finally(() => {
      this.#pending.delete(id);
      signal?.removeEventListener('abort', abort);
    });
  }

  /** @param {Error} [reason] */
  close(reason = closed()) {
    this.#closed ??= reason;
    this.#watch.abort();
    this.#worker.terminate(); // and its threads with it
    this.#alarm.close();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  /** @param {Reply} reply */
  #receive({ id, result, error, progress }) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    if (progress) {
      pending.onProgress?.(progress);
    } else if (error?.fatal) {
      this.#die(unpackError(error));
    } else if (error) {
      pending.reject(unpackError(error));
    } else {
      pending.resolve(result);
    }
  }

  /** Once the worker has said that it holds its lock. */
  #watchWorker() {
    const ended = () => this.#die(crashed('its worker has ended'));
    navigator.locks.request(this.#alarm.name, { signal: this.#watch.signal }, ended).catch(() => {});
  }

  /** @param {VitscopeError} error */
  #die(error) {
    if (this.#closed) return;
    this.close(error);
    this.#onDeath(error);
  }
}

/** @returns {Worker} */
function newWorker() {
  watchPolicy();
  try {
    return startWorker();
  } catch (cause) {
    throw workerRefused({ cause }); // some browsers throw, others send an event
  }
}

/** @param {ErrorOptions} [options] */
function workerRefused(options) {
  return policyError(`the worker ${addressOf('worker.js')} may not be started. Allow its origin in worker-src; where the package comes from another site than the page, blob: too.`, options);
}

/** @param {ErrorEvent} event without a message where the script, or one it imports, could not be loaded */
async function startFailure(event) {
  if (event.message) return crashed(new Error(event.message));
  if (await wasRefused(/^(worker|child|script|default)-src/, addressOf('worker.js'), 'blob:')) return workerRefused();
  return new VitscopeError('network', `The worker ${addressOf('worker.js')} could not be started. Check that the package's files, wasm/ among them, are served beside it, and that a Content-Security-Policy, if there is one, allows them in worker-src.`);
}
