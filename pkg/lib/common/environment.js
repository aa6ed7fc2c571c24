/** What the place it runs in must allow: read before anything is downloaded, and asked again where something was refused. */
import { VitscopeError } from './errors.js';

/** Magic number and version: the smallest module there is. */
export const HEADER = [0, 97, 115, 109, 1, 0, 0, 0];

/**
 * A module of Node's, which Deno and Bun have too. Asked for by this call, not by an import, so that pages and bundlers never look for it.
 * What is only done where there is a `globalThis.process` is not in what is bundled for browsers.
 * @param {string} name
 * @returns {any}
 */
export function builtin(name) {
  return globalThis.process?.getBuiltinModule?.(`node:${name}`);
}

/** What relative addresses are relative to: the document, or where there is none the working directory. @returns {string | undefined} */
export function documentBase() {
  return globalThis.document?.baseURI ?? globalThis.location?.href ?? builtin('url')?.pathToFileURL('./').href;
}

/** @param {boolean} needsWorker */
export function checkEnvironment(needsWorker) {
  const { ServiceWorkerGlobalScope } = /** @type {any} */ (globalThis);
  if (ServiceWorkerGlobalScope && globalThis instanceof ServiceWorkerGlobalScope) {
    throw new VitscopeError('unsupported-environment', 'vitscope does not run in a service worker, which may not import the engine when it is needed. Load the model in a page or in a worker of its own, and ask it by messages.');
  }
  if (needsWorker && typeof Worker === 'undefined' && !builtin('worker_threads')) {
    throw new VitscopeError('unsupported-environment', "There are no workers here, and Vitscope runs in one. Use Engine of 'vitscope/engine', which runs in the thread that calls it, or Node.js from 20.16 on.");
  }
  checkPolicy();
}

/** Only a policy refuses the smallest module. */
export function checkPolicy() {
  if (typeof WebAssembly !== 'object') return;
  try {
    new WebAssembly.Module(new Uint8Array(HEADER));
  } catch (cause) {
    throw policyError("WebAssembly may not be compiled. Add 'wasm-unsafe-eval' to its script-src, or to that of the script worker.js.", { cause });
  }
}

/**
 * @param {string} problem with the remedy
 * @param {ErrorOptions} [options]
 */
export function policyError(problem, options) {
  return new VitscopeError('csp', `The Content-Security-Policy here is in the way: ${problem}`, options);
}

/** What a policy refused since somebody listens. @type {{directive: string, blocked: string}[]} */
const refusals = [];
let listening = false;

/** From here on refusals are kept, for `wasRefused`. */
export function watchPolicy() {
  const place = /** @type {any} */ (globalThis.document ?? globalThis);
  if (listening || !place.addEventListener) return;
  listening = true;
  place.addEventListener('securitypolicyviolation', (/** @type {SecurityPolicyViolationEvent} */ { disposition, effectiveDirective, blockedURI }) => {
    if (disposition === 'enforce') refusals.push({ directive: effectiveDirective, blocked: blockedURI });
  });
}

/**
 * Whether a policy refused it. What fails for that fails like what is missing, and the event may come after.
 * @param {RegExp} directive
 * @param {string[]} urls any of them, or their beginning
 */
export async function wasRefused(directive, ...urls) {
  if (!listening) return false;
  await new Promise((resolve) => setTimeout(resolve, 50));
  return refusals.some(({ directive: own, blocked }) => directive.test(own) && urls.some((url) => url.startsWith(blocked) || blocked.startsWith(url)));
}
