import { VitscopeError, closed, crashed, unpackError } from './errors.js';

/**
 * What is said between the page and the worker.
 * @typedef {{id: number} & (
 *   {type: 'load', source: import('./source.js').Source, dtype?: 'f32' | 'int8'} |
 *   {type: 'classify' | 'trace', image: import('./image.js').Portable, topK: number} |
 *   {type: 'abort'}
 * )} Request
 * @typedef {{id: number, result?: any, error?: import('./errors.js').PackedError, progress?: import('../index.js').Progress}} Reply
 * @typedef {{onmessage: (event: MessageEvent<Request>) => void, postMessage(message: Reply, transfer: Transferable[]): void}} Port
 * @typedef {{resolve: (result: any) => void, reject: (error: unknown) => void, onProgress?: (progress: import('../index.js').Progress) => void}} Pending
 */

/** Owns the worker: pairs replies with requests, and tells when the worker can't be used any more. */
export class WorkerBridge {
  #worker = spawn();
  #nextId = 0;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #onDeath;

  /** @param {(error: VitscopeError) => void} onDeath called once, when the worker has crashed */
  constructor(onDeath) {
    this.#onDeath = onDeath;
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => this.#die(startFailure(event));
    this.#worker.onmessageerror = () => this.#die(crashed('a message could not be read'));
  }

  /**
   * @param {{type: 'load', source: import('./source.js').Source, dtype?: 'f32' | 'int8'} |
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
    this.#worker.terminate();
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

/** @returns {Worker} */
function spawn() {
  // A worker's script must come from the page's own origin. Where the package is served by another site, a script of our
  // own that imports it will do, as that site's CORS headers allowed the import of this very file.
  if (new URL(import.meta.url).origin !== globalThis.location.origin) {
    const script = `import ${JSON.stringify(new URL('../worker.js', import.meta.url).href)};`;
    const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
    const worker = new Worker(url, { type: 'module' });
    worker.addEventListener('message', () => URL.revokeObjectURL(url), { once: true });
    return worker;
  }
  // Bundlers find the worker by this exact form.
  return new Worker(new URL('../worker.js', import.meta.url), { type: 'module' });
}

/** @param {ErrorEvent} event without a message where the script, or one it imports, could not be loaded */
function startFailure(event) {
  if (event.message) return crashed(new Error(event.message));
  return new VitscopeError('network', `The worker ${new URL('../worker.js', import.meta.url).href} could not be started. Check that the package's files, wasm/ among them, are served beside it.`);
}
