/** Workers by the address of their script, in browsers and elsewhere. */
import { builtin } from './environment.js';

/** What is used of a `Worker`. @typedef {Pick<Worker, 'postMessage' | 'terminate'> & {onmessage: any, onerror: any, onmessageerror: any, unref?: () => void}} Thread */

/**
 * @param {string} address absolute
 * @returns {Thread}
 */
export function spawn(address) {
  if (globalThis.process && typeof Worker === 'undefined') return new NodeWorker(address);
  // Without an origin, in a sandboxed frame or a file opened from the disk, Chromium has no modules import others, nor a module be a worker's script.
  const type = globalThis.origin === 'null' ? 'classic' : 'module';
  if (!isForeign(address)) return new Worker(trusted(address), { type });
  // A worker's script must come from the page's own origin. A script of our own that imports it will do, as far as the other site's CORS headers allow.
  const name = JSON.stringify(address);
  const url = URL.createObjectURL(new Blob([type === 'classic' ? `importScripts(${name})` : `import ${name}`], { type: 'text/javascript' }));
  const worker = new Worker(trusted(url), { type });
  worker.addEventListener('message', () => URL.revokeObjectURL(url), { once: true });
  return worker;
}

/** Only what came over the network has an origin of its own. @param {string} address */
function isForeign(address) {
  const { protocol, origin } = new URL(address);
  return /^https?:$/.test(protocol) && Boolean(globalThis.location) && origin !== globalThis.origin;
}

/** @type {{createScriptURL(url: string): string} | undefined} */
let policy;

/** Pages with `require-trusted-types-for` take no plain address, and may allow this policy by its name. @param {string} url */
function trusted(url) {
  try {
    policy ??= /** @type {any} */ (globalThis).trustedTypes?.createPolicy('vitscope', { createScriptURL: (/** @type {string} */ url) => url });
  } catch {} // the page allows no such policy: whether it minds is seen where the worker starts
  return policy?.createScriptURL(url) ?? url;
}

/** Node's, as a page's. */
class NodeWorker {
  #worker;
  /** @type {any} */
  onmessage;
  /** @type {any} */
  onerror;
  /** @type {any} */
  onmessageerror;

  /** @param {string} address */
  constructor(address) {
    this.#worker = new (builtin('worker_threads').Worker)(new URL(address));
    const failed = (/** @type {string} */ message) => this.onerror?.({ message, preventDefault() {} });
    this.#worker.on('message', (/** @type {unknown} */ data) => this.onmessage?.({ data }));
    this.#worker.on('messageerror', () => this.onmessageerror?.());
    this.#worker.on('error', (/** @type {Error} */ error) => failed(error.message));
    this.#worker.on('exit', () => failed('its worker has ended'));
  }

  /**
   * @param {unknown} message
   * @param {any} [transfer]
   */
  postMessage(message, transfer) {
    this.#worker.postMessage(message, transfer);
  }

  terminate() {
    this.#worker.removeAllListeners();
    this.#worker.on('error', () => {}); // none that nobody hears
    this.#worker.terminate();
  }

  /** It keeps no program from ending. */
  unref() {
    this.#worker.unref();
  }
}
