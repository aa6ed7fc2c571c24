import { VitscopeError, closed, crashed, unpackError } from './errors.js';
import { addressOf, spawn } from './spawn.js';

/**
 * What is said between the page and the worker.
 * @typedef {{id: number} & (
 *   ({type: 'load', alarm: string} & LoadRequest) |
 *   {type: 'classify' | 'trace', image: import('./image.js').Portable, topK: number} |
 *   {type: 'abort'}
 * )} Request
 * @typedef {{source: import('./source.js').Source, dtype?: 'f32' | 'int8', size?: [number, number], backend: import('../index.js').Backend}} LoadRequest
 * @typedef {{id: number, result?: any, error?: import('./errors.js').PackedError, progress?: import('../index.js').Progress}} Reply
 * @typedef {{onmessage: (event: MessageEvent<Request>) => void, postMessage(message: Reply, transfer: Transferable[]): void}} Port
 * @typedef {{resolve: (result: any) => void, reject: (error: unknown) => void, onProgress?: (progress: import('../index.js').Progress) => void}} Pending
 */

/** Owns the worker: pairs replies with requests, and tells when the worker can't be used any more. */
export class WorkerBridge {
  #worker = spawn('worker.js', () => new Worker(new URL('../worker.js', import.meta.url), { type: 'module' }));
  // A thread that crashes tells so here: the worker waits for it, and couldn't.
  #alarm = new BroadcastChannel(`vitscope-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`);
  #nextId = 0;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #onDeath;

  /** @param {(error: VitscopeError) => void} onDeath called once, when the worker has crashed */
  constructor(onDeath) {
    this.#onDeath = onDeath;
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => this.#die(startFailure(event));
    this.#alarm.onmessage = ({ data }) => this.#die(crashed(data));
    this.#worker.onmessageerror = () => this.#die(crashed('a message could not be read'));
  }

  /**
   * @param {LoadRequest} request
   * @param {Pending['onProgress']} [onProgress]
   * @returns {Promise<{config: import('../index.js').ModelConfig, backend: import('../index.js').Backend, memory: import('../index.js').Memory}>}
   */
  load(request, onProgress) {
    return this.request({ ...request, type: 'load', alarm: this.#alarm.name }, { onProgress });
  }

  /**
   * @param {({type: 'load', alarm: string} & LoadRequest) |
   *   {type: 'classify' | 'trace', image: import('./image.js').Portable, topK: number}} request
   * @param {{transfer?: Transferable[], signal?: AbortSignal, onProgress?: Pending['onProgress']}} [options]
   *   signal: tells the worker that nobody waits any more; the promise still settles only when the worker is free again
   * @returns {Promise<any>}
   */
  request(request, { transfer = [], signal, onProgress } = {}) {
    const id = this.#nextId++;
    const abort = () => this.#worker.postMessage({ id, type: 'abort' });
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
    } else if (error?.code === 'crashed') {
      this.#die(unpackError(error));
    } else if (error) {
      pending.reject(unpackError(error));
    } else {
      pending.resolve(result);
    }
  }

  /** @param {VitscopeError} error */
  #die(error) {
    this.close(error);
    this.#onDeath(error);
  }
}

/** @param {ErrorEvent} event without a message where the script, or one it imports, could not be loaded */
function startFailure(event) {
  if (event.message) return crashed(new Error(event.message));
  return new VitscopeError('network', `The worker ${addressOf('worker.js')} could not be started. Check that the package's files, wasm/ among them, are served beside it.`);
}
