/** Requests for files: asked again where a server is busy, and with a sentence for each way to fail. */
import { orAborted } from '../common/abort.js';
import { policyError, wasRefused, watchPolicy } from '../common/environment.js';
import { VitscopeError } from '../common/errors.js';
import { existsOnDisk, readDisk } from './disk.js';

/**
 * A server, and how it is asked.
 * @typedef {object} Site
 * @property {typeof globalThis.fetch} [fetch] the caller's own
 * @property {(url: string) => Record<string, string>} [headers] for an address: each one but Range costs a browser a preflight, which the Hub's CDN refuses
 * @property {(response: Response, url: string) => Promise<string | undefined>} [explain] what a failure means there, in place of its number
 * @property {string} [hosts] to allow in connect-src
 */

/** How often something is tried again before it has failed, and how long a server may ask to wait, in seconds. */
export const TRIES = 4;
const LONGEST = 30;

/**
 * `fetch` whose failure names the URL. Only the signal's own reason passes through as it is.
 * @param {string} url
 * @param {RequestInit} [options]
 * @param {Site} [site]
 * @returns {Promise<Response>}
 */
export async function request(url, options, { fetch = globalThis.fetch, hosts = url } = {}) {
  const signal = options?.signal;
  signal?.throwIfAborted();
  watchPolicy();
  try {
    return await fetch(url, options);
  } catch (cause) {
    signal?.throwIfAborted();
    if (await wasRefused(/^(connect|default)-src/, url)) throw policyError(`${url} may not be fetched. Allow ${hosts} in connect-src.`, { cause });
    throw new VitscopeError('network', `${url} could not be fetched. Check the address, the connection and, for another site, its CORS headers.`, { cause });
  }
}

/**
 * @param {Response} response
 * @param {string} url
 * @param {string} [said] what it means
 */
export function requireOk(response, url, said) {
  if (response.ok) return;
  const status = `${response.status} ${response.statusText}`.trim();
  const cause = Object.assign(new Error(status), { status: response.status });
  throw new VitscopeError('network', said ?? `${url} answered with HTTP status ${status}. Check that the address is right and the file is there.`, { cause });
}

/**
 * The answer of a server, asked again where it was a bad moment; another failure only where that is not `allowed`.
 * @param {Site} site
 * @param {string} url
 * @param {{range?: string, signal?: AbortSignal, allowed?: (status: number) => boolean}} [options]
 * @returns {Promise<Response>}
 */
export async function ask(site, url, { range, signal, allowed } = {}) {
  const headers = { ...site.headers?.(url), ...(range && { range }) };
  for (let tries = 1; ; tries++) {
    // Chromium stores parts such that a later request for the whole fails (issue 490137346).
    const response = await request(url, { signal, headers, cache: range ? 'no-store' : 'no-cache' }, site);
    const after = Number(response.headers.get('retry-after')) || 0;
    if (/^(408|429|5..)$/.test(`${response.status}`) && tries <= TRIES && after <= LONGEST) {
      await response.body?.cancel();
      await pause(1000 * after || backoff(tries), signal);
      continue;
    }
    if (!response.ok && !allowed?.(response.status)) requireOk(response, url, await site.explain?.(response, url));
    return response;
  }
}

/**
 * A small file as a whole, tried again where it breaks off.
 * @param {Site} site
 * @param {string} url
 * @param {{signal?: AbortSignal, optional?: boolean, onValidator?: (validator: string | undefined) => void}} [options]
 *   optional: a 404 is an answer, not a failure, and so is the page that some servers send for it
 * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>} undefined where an optional one is missing
 */
export async function readSmall(site, url, { signal, optional, onValidator } = {}) {
  if (url.startsWith('file:')) {
    return readDisk(url).catch((error) => {
      if (!optional || error.cause?.code !== 'ENOENT') throw error;
      return undefined;
    });
  }
  for (let tries = 1; ; tries++) {
    const response = await ask(site, url, { signal, allowed: (status) => Boolean(optional) && isGone(status) }).catch((error) => {
      // Where addresses are of files (an extension's), one that is missing is no answer.
      if (!optional || signal?.aborted || /^https?:/.test(url)) throw error;
    });
    if (!response) return undefined;
    try {
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.ok && !isHtml(response, bytes)) {
        onValidator?.(validator(response));
        return bytes;
      }
    } catch (cause) {
      signal?.throwIfAborted();
      if (tries > TRIES) throw new VitscopeError('network', `The download of ${url} broke off. Try again.`, { cause });
      await pause(backoff(tries), signal);
      continue;
    }
    if (optional) return undefined;
    throw htmlInstead(url);
  }
}

/**
 * What says whether a file is still the same, by a few bytes of it and without a header that would cost a preflight.
 * @param {Site} site
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<string | undefined | false>} false where there is none
 */
export async function probe(site, url, signal) {
  if (url.startsWith('file:')) return (await existsOnDisk(url)) && undefined;
  const response = await ask(site, url, { range: 'bytes=0-7', signal });
  await response.body?.cancel();
  return !isHtml(response) && validator(response);
}

/** @param {number} status */
function isGone(status) {
  return status === 404 || status === 410;
}

/** @param {Response} response */
export function isEncoded({ headers }) {
  return (headers.get('content-encoding') ?? 'identity') !== 'identity';
}

/**
 * Content-Length counts the bytes sent: with a content encoding that isn't the size of what arrives here, and of another site's answer the encoding can't be seen.
 * @param {Response} response
 */
export function lengthOf(response) {
  return response.type === 'cors' || isEncoded(response) ? 0 : Number(response.headers.get('content-length'));
}

/** What says whether a file is still the same, where the answer lets it be seen. @param {Response} response */
export function validator({ headers }) {
  // Compressed on its way, it is another one in name only.
  return headers.get('etag')?.replace(/^W\/|[-;]gzip/g, '') ?? headers.get('last-modified') ?? undefined;
}

/**
 * A server set up for a single-page application answers any missing file with its index page and status 200.
 * @param {Response | undefined} response
 * @param {Uint8Array} [bytes] its first
 */
export function isHtml(response, bytes) {
  return /^text\/html\b/i.test(response?.headers.get('content-type') ?? '') || /^\s*<(!doc|html)/i.test(new TextDecoder().decode(bytes?.subarray(0, 64)));
}

/** @param {string} url */
export function htmlInstead(url) {
  return new VitscopeError('network', `${url} answered with an HTML page instead of the file. Check that the model folder's address is right.`, { cause: 404 });
}

/** @param {number} tries */
export function backoff(tries) {
  return 100 * 2 ** tries;
}

/**
 * @param {number} time in milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(time, signal) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  return orAborted(new Promise((resolve) => (timer = setTimeout(resolve, time))), signal).finally(() => clearTimeout(timer)); // or it would keep a program from ending
}
