// The service worker of a site (`cargo xtask site`): keeps the page's files of one version and answers with them, with the headers that a plain host lacks.
// Models are not among them: the package keeps those. xtask/site.mjs says what the version is, in front of this.
import { has } from '../pkg/lib/engine/backend.js';

/** @typedef {{version: string, files: Record<string, string>}} Shell  files: SHA-256 by path from the scope; those of a version lie in a folder of its name, but a few whose versions may mix */

const worker = /** @type {any} */ (globalThis);
const { version, files } = /** @type {Shell} */ (worker.SHELL);
/** The site's folder. @type {string} */
const scope = worker.registration.scope;
// Of several sites on one origin each has its own.
const PREFIX = `vitscope-site ${scope} `;
const cacheOf = (/** @type {string} */ version) => PREFIX + version;

// What makes a page cross-origin isolated, so that it has threads.
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Resource-Policy': 'same-origin' };

/** Builds of the engine that this browser won't ask for. */
const unused = has('relaxed') ? /\/simd128[^/]*\.wasm$/ : /\/relaxed[^/]*\.wasm$/;

worker.addEventListener('install', (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(Promise.all([worker.clients.claim(), tidy(0)])));

worker.addEventListener('message', (/** @type {any} */ event) => {
  if (event.data === 'take') worker.skipWaiting();
  if (event.data.opened === version) event.waitUntil(tidy(1));
});

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  const path = pathOf(request.url);
  if (request.method !== 'GET' || path === undefined) return;
  // A page goes on with the version that it opened with, also where this one has taken over meanwhile.
  const [, of = version] = /^([0-9a-f]{12})\//.exec(path) ?? [];
  if (path === '' || path in files || of !== version) event.respondWith(answer(request, path, of));
});

/** All of the version's files or none: one that is missing or another than it should be, in a site that is just being uploaded, gives up all. */
async function install() {
  const cache = await caches.open(cacheOf(version));
  const keep = async (/** @type {[string, string]} */ [path, integrity]) => {
    const response = await fetch(scope + path, { integrity, cache: 'no-cache' });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    await cache.put(scope + path, isolated(response));
  };
  try {
    await Promise.all(Object.entries(files).filter(([path]) => !unused.test(path)).map(keep));
  } catch (error) {
    await caches.delete(cacheOf(version));
    throw error;
  }
}

/**
 * @param {Request} request
 * @param {string} path
 * @param {string} of the version whose file it is
 */
async function answer(request, path, of) {
  const found = await caches.match(scope + path, { cacheName: cacheOf(of) });
  if (found) return found;
  // A browser has cleared it. The next visit begins anew.
  const document = /(^|\/)$/.test(path);
  if (document) await worker.registration.unregister();
  return isolated(await (path in files && !document ? fetch(request, { integrity: files[path] }) : fetch(request)));
}

/** @param {Response} response */
function isolated({ body, status, statusText, headers: own }) {
  const headers = new Headers({ ...Object.fromEntries(own), ...ISOLATION });
  // The same file for all who ask, and no longer compressed.
  for (const name of ['Vary', ...(headers.has('Content-Encoding') ? ['Content-Encoding', 'Content-Length'] : [])]) headers.delete(name);
  return new Response(body, { status, statusText, headers });
}

/**
 * Which file of the site an address means; none where it is elsewhere.
 * @param {string} url
 */
function pathOf(url) {
  const path = url.startsWith(scope) ? url.slice(scope.length).replace(/[?#].*/s, '') : undefined;
  return path?.replace(/(^|\/)index\.html$/, '$1');
}

/**
 * Deletes what earlier versions kept, unless a page may still want it.
 * @param {number} open how many pages may be open, which are of this version
 */
async function tidy(open) {
  const { installing, waiting } = worker.registration;
  const pages = await worker.clients.matchAll({ includeUncontrolled: true });
  if (installing || waiting || pages.length > open) return;
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== cacheOf(version));
  await Promise.all(names.map((name) => caches.delete(name)));
}
