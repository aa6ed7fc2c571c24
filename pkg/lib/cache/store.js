/** Where models are kept: in the browser's Cache API, in Node.js in a folder. An entry is seen whole or not at all. */
import { builtin } from '../common/environment.js';
import { warnOnce } from '../common/warn.js';
import { withDisk } from '../files/disk.js';

/**
 * @typedef {{size: number, slice: (begin: number, end: number) => {arrayBuffer: () => Promise<ArrayBuffer>}}} Kept  a Blob, or a file like one
 * @typedef {object} Store
 * @property {(key: string) => Promise<Kept | undefined>} get by a name that a file or an address may have
 * @property {(key: string, body: ReadableStream<Uint8Array>) => Promise<unknown>} put where the stream fails there is no entry
 * @property {(key: string) => Promise<unknown>} delete
 * @property {() => Promise<string[]>} keys
 */

/** With the version of what an entry is. */
const NAME = 'vitscope-1';
/** No server's: a service worker that looks for an answer in all caches finds none of ours. */
const BASE = 'https://vitscope.invalid/';
const PART = '.part';

/** How long a model that was loaded has the machine for itself at most, for its first answer, in milliseconds. */
const REST = 1000;

/** What is still being written in this thread. */
let writing = Promise.resolve();
/** What has it begin now. @type {Set<() => void>} */
const resting = new Set();

/**
 * Writes behind a load that need not wait for it; whoever opens a store does.
 * @param {() => Promise<void>} write
 * @param {boolean} rests whether it is much, which the first answer goes before
 */
export function later(write, rests) {
  const rested = new Promise((/** @type {(_: void) => void} */ resolve) => {
    const end = () => {
      clearTimeout(timer);
      resting.delete(end);
      resolve();
    };
    const timer = setTimeout(end, rests ? REST : 0);
    resting.add(end);
  });
  writing = Promise.all([writing, rested.then(write)]).then(() => {});
}

/** The first answer is there: what rests need no more. */
export function writeNow() {
  resting.forEach((end) => end());
}

/**
 * @param {boolean | string | URL} [cache] the option
 * @returns {Promise<Store | undefined>} none where nothing is to be kept, or can be: in a page without a secure connection, in some private windows
 */
export async function openStore(cache) {
  if (cache === false) return undefined;
  writeNow();
  await writing;
  if (globalThis.process && (typeof cache === 'string' || cache instanceof URL)) return inFolder(cache);
  // In a sandboxed frame it throws to ask for it.
  const own = await (async () => globalThis.caches?.open(NAME))().catch(() => undefined);
  if (own?.keys) return inBrowser(own); // Deno's has no list
  if (cache) warnOnce(`cache: true keeps nothing here: ${builtin('fs/promises') ? "name a folder, { cache: './models' }" : 'the Cache API takes HTTPS, and no private window'}.`);
}

/**
 * @param {Cache} cache
 * @returns {Store}
 */
function inBrowser(cache) {
  return {
    get: async (key) => (await cache.match(BASE + key))?.blob(), // which is read where it is needed
    put: (key, body) => cache.put(BASE + key, new Response(body)),
    delete: (key) => cache.delete(BASE + key),
    keys: async () => (await cache.keys()).map(({ url }) => url.slice(BASE.length)),
  };
}

/**
 * @param {string | URL} folder
 * @returns {Store}
 */
function inFolder(folder) {
  const fs = builtin('fs/promises');
  const root = `${folder instanceof URL ? folder : builtin('url').pathToFileURL(folder)}/${NAME}/`;
  const file = (/** @type {string} */ key) => new URL(root + key);
  return {
    async get(key) {
      const found = await fs.stat(file(key)).catch(() => undefined);
      return found && { size: found.size, slice: (begin, end) => ({ arrayBuffer: () => withDisk(file(key).href, async (_, at) => (await at(begin, end)).buffer) }) };
    },
    async put(key, body) {
      const part = file(`${key}.${Math.random()}${PART}`);
      try {
        await fs.mkdir(new URL(root), { recursive: true });
        await fs.writeFile(part, body);
        await fs.rename(part, file(key));
      } catch (error) {
        await fs.rm(part, { force: true }).catch(() => {});
        throw error;
      }
    },
    delete: (key) => fs.rm(file(key), { force: true }),
    keys: async () => (await fs.readdir(new URL(root)).catch(() => [])).filter((/** @type {string} */ name) => !name.endsWith(PART)),
  };
}
