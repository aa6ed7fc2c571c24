import { policyError, wasRefused, watchPolicy } from '../common/environment.js';
import { ASSETS_HINT, VitscopeError, closed, crashed, unpackError } from '../common/errors.js';
import { spawn } from '../common/spawn.js';

/**
 * What is said between the page and the worker.
 * @typedef {{type: 'start', backend: import('../../index.js').Backend, assets: import('../assets.js').Assets, alarm: string, bell?: Int32Array} |
 *   {type: 'walk', form: Form, method: keyof import('../engine/walker.js').Walker, args: any[]} |
 *   {type: 'derive', engine: number, given: import('../classes/given.js').Given} |
 *   {type: 'resize', engine: number, size: [number, number]} |
 *   {type: 'release', engine: number} |
 *   {type: 'run', engine: number, method: Method, image?: import('../image/portable.js').Portable, args: any[]}} Question
 * @typedef {{engine: number, config: import('../../index.js').ModelConfig, backend: import('../../index.js').Backend, memory: import('../../index.js').Memory, warning?: string}} Loaded
 *   engine: its number, for later requests
 * @typedef {'classify' | import('../views/requests.js').Method} Method  of `Core`
 * @typedef {({id: number} & (Question | {type: 'abort'})) | {type: 'module', module: WebAssembly.Module} | import('../engine/threads.js').ThreadStart} Request
 * @typedef {import('../engine/walker.js').Form} Form
 * @typedef {{id: number, result?: any, error?: import('../common/errors.js').PackedError, progress?: any}} Reply
 * @typedef {{onmessage: (event: MessageEvent<Request>) => void, postMessage(message: Reply | undefined, transfer: Transferable[]): void}} Port
 * @typedef {{resolve: (result: any) => void, reject: (error: unknown) => void, onProgress?: (progress: any) => void}} Pending
 */

/** Owns the worker: pairs replies with requests, and tells when the worker can't be used any more. */
export class WorkerBridge {
  #worker;
  #assets;
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

  /**
   * @param {import('../assets.js').Assets} assets
   * @param {(error: VitscopeError) => void} onDeath called once, when the worker has crashed
   */
  constructor(assets, onDeath) {
    this.#assets = assets;
    this.#onDeath = onDeath;
    try {
      this.#worker = newWorker(assets.worker);
    } catch (error) {
      this.#alarm.close();
      throw error;
    }
    this.#worker.onmessage = (/** @type {MessageEvent<Reply>} */ { data }) => this.#receive(data);
    this.#worker.onerror = async (/** @type {ErrorEvent} */ event) => this.#die(await startFailure(event, assets.worker));
    this.#alarm.onmessage = ({ data }) => this.#die(unpackError(data));
    this.#worker.onmessageerror = () => this.#die(crashed('a message could not be read'));
  }

  /**
   * Brings up the engine in the worker.
   * @param {import('../../index.js').Backend} backend
   * @param {Promise<WebAssembly.Module>} module already asked for
   */
  start(backend, module) {
    const started = this.request({ type: 'start', backend, assets: this.#assets, alarm: this.#alarm.name, bell: this.#bell }, { onProgress: () => this.#watchWorker() });
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

/** @param {string} script */
function newWorker(script) {
  watchPolicy();
  try {
    return spawn(script);
  } catch (cause) {
    throw workerRefused(script, { cause }); // some browsers throw, others send an event
  }
}

/**
 * @param {string} script
 * @param {ErrorOptions} [options]
 */
function workerRefused(script, options) {
  return policyError(`the worker ${script} may not be started. Allow its origin in worker-src; where the package comes from another site than the page, blob: too; with require-trusted-types-for, the policy vitscope in trusted-types.`, options);
}

/**
 * @param {ErrorEvent} event without a message where the script could not be loaded
 * @param {string} script
 */
async function startFailure(event, script) {
  if (event.message) return crashed(new Error(event.message));
  if (await wasRefused(/^(worker|child|script|default)-src/, script, 'blob:')) return workerRefused(script);
  return new VitscopeError('network', `The worker ${script} could not be started. Check that it is served as JavaScript, and that a Content-Security-Policy, if there is one, allows it in worker-src. ${ASSETS_HINT}`);
}
