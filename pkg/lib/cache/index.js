/** What is kept, for its owner to see and to delete. */
import { openEntry } from './entry.js';
import { openStore } from './store.js';

export { writeNow } from './store.js';

/**
 * @typedef {import('./entry.js').About} About
 * @typedef {import('./store.js').Store} Store
 * @typedef {string | URL} Folder  of Node.js, where there is one
 */

/** Before a branch, of which the commit is kept as it was last known. */
const BRANCH = 'branch~';

/** @param {About} about */
export function keyOf({ model, revision, hub, dtype }) {
  return named([model, revision, hub, dtype].join(' '));
}

/** As a file or an address may be called. @param {string} text */
function named(text) {
  return encodeURIComponent(text).replace(/[%*]/g, '~');
}

/**
 * @param {Store} store
 * @param {string} branch
 */
export async function lastCommit(store, branch) {
  const kept = await store.get(BRANCH + named(branch));
  return kept && new TextDecoder().decode(await kept.slice(0, kept.size).arrayBuffer());
}

/**
 * @param {Store} store
 * @param {string} branch
 * @param {string} commit
 */
export function setCommit(store, branch, commit) {
  return store.put(BRANCH + named(branch), new Blob([commit]).stream()).catch(() => {}); // it is for a day without a network
}

export const cache = {
  /** @param {Folder} [folder] */
  async list(folder) {
    return (await entries(folder)).map(({ model, revision, hub, dtype, size, time }) => ({ model, revision, hub, dtype: /** @type {'int8' | undefined} */ (dtype), bytes: size, date: new Date(time) }));
  },

  /** @param {Folder} [folder] */
  async size(folder) {
    return (await entries(folder)).reduce((sum, { size }) => sum + size, 0);
  },

  /**
   * @param {string | URL} model
   * @param {Folder} [folder]
   */
  async delete(model, folder) {
    const found = (await entries(folder)).filter((entry) => [entry.model, `${entry.model}@${entry.revision}`].includes(String(model)));
    for (const { remove } of found) await remove();
    return found.length > 0;
  },

  /** @param {Folder} [folder] */
  async clear(folder) {
    const store = await openStore(folder);
    for (const key of (await store?.keys()) ?? []) await store?.delete(key);
  },
};

/** @param {Folder} [folder] */
async function entries(folder) {
  const store = await openStore(folder);
  if (!store) return [];
  const keys = (await store.keys()).filter((key) => !key.startsWith(BRANCH));
  return (await Promise.all(keys.map((key) => openEntry(store, key)))).filter((entry) => entry !== undefined);
}
