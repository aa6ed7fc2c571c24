/** Where the files of a model lie: a folder on a server or on disk, a repository of the Hub at a commit, files that somebody chose. */
import { VitscopeError } from '../common/errors.js';
import { warnOnce } from '../common/warn.js';
import { readError } from '../files/disk.js';
import { probe, readSmall } from '../files/site.js';
import { WebFile } from '../files/web.js';
import { checkedFile, diskFile, givenFile } from '../files/weights.js';

/**
 * @typedef {import('../files/weights.js').WeightFile} WeightFile
 * @typedef {object} Place
 * @property {string} name for messages
 * @property {(file: string, signal?: AbortSignal) => Promise<boolean>} has
 * @property {(file: string, signal?: AbortSignal) => Promise<Uint8Array>} read a small file
 * @property {(file: string, signal: AbortSignal, config: Promise<unknown>) => Promise<Uint8Array | undefined>} find one that may be missing; config: of the same place
 * @property {(file: string, alone: boolean, sum?: string, onward?: Promise<boolean>) => Promise<WeightFile>} open a large one; alone: nothing else waits for a connection, so that this one may be held open; sum: its SHA-256, for which it is read whole; onward: whether what follows on its header is wanted
 * @property {() => Record<string, string | undefined>} [validators] of what was read, where it may change
 */

/**
 * @param {string} name
 * @param {(file: string) => string} address
 * @param {import('../files/site.js').Site} site
 * @param {Map<string, import('../hub/hub.js').Listed>} [files] all there are, at an address that never changes
 * @returns {Place}
 */
export function webPlace(name, address, site, files) {
  /** @type {Record<string, string | undefined>} */
  const validators = {};
  /** @type {Record<string, WebFile>} */
  const opened = {};
  const isThere = (/** @type {string} */ file) => !files || files.has(file);
  const requireThere = (/** @type {string} */ file) => {
    if (!isThere(file)) throw missing(name, file);
  };
  const read = (/** @type {string} */ file, /** @type {AbortSignal | undefined} */ signal, optional = false) => readSmall(site, address(file), { signal, optional, onValidator: (now) => void (validators[file] = now) });
  return {
    name,
    has: async (file, signal) => (files ? files.has(file) : probe(site, address(file), signal).then((found) => found !== false, () => false)),
    async read(file, signal) {
      requireThere(file);
      return /** @type {Uint8Array} */ (await read(file, signal));
    },
    async find(file, signal, config) {
      if (!isThere(file)) return undefined;
      return read(file, signal, true).catch(async (error) => {
        if (files || error.cause?.status !== 403) throw error;
        await config; // where not even that comes, the folder is closed
        warnOnce(`${address(file)} answered with HTTP status 403, which vitscope takes for a missing file: so buckets answer whose files may not be listed.`);
        return undefined;
      });
    },
    async open(file, alone, sum, onward) {
      requireThere(file);
      const url = address(file);
      if (url.startsWith('file:')) return checkedFile(diskFile(file, url), sum);
      return (opened[file] = new WebFile(file, site, url, { pinned: Boolean(files), alone, onward, ...files?.get(file), ...(sum && { sha256: sum, must: true }) }));
    },
    validators: () => ({ ...validators, ...Object.fromEntries(Object.entries(opened).flatMap(([file, { arrived, validator }]) => (arrived ? [[file, validator]] : []))) }),
  };
}

/**
 * Files that somebody chose, by their names.
 * @param {string} name
 * @param {(file: string) => Promise<File | undefined>} find
 * @returns {Place}
 */
export function chosenPlace(name, find) {
  const require = async (/** @type {string} */ file) => {
    const found = await find(file);
    if (!found) throw missing(name, file);
    return found;
  };
  const read = async (/** @type {Blob | undefined} */ found) => found && new Uint8Array(await found.arrayBuffer().catch(readError));
  return {
    name,
    has: async (file) => Boolean(await find(file)),
    read: async (file) => /** @type {Uint8Array} */ (await read(await require(file))),
    find: async (file) => read(await find(file)),
    open: async (file, _, sum) => checkedFile(givenFile(file, await require(file)), sum),
  };
}

/**
 * A query (an access token, say) belongs to each file of the folder.
 * @param {string} folder
 * @param {string} name
 */
export function fileUrl(folder, name) {
  const url = new URL(encodeURIComponent(name), folder);
  url.search = new URL(folder).search;
  return url.href;
}

/**
 * @param {string} place
 * @param {string} file
 */
function missing(place, file) {
  return new VitscopeError('network', `${place} has no ${file}.`, { cause: { status: 404 } });
}
