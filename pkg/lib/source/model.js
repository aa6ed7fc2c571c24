/** A model's files from where they lie, or from where they were kept; and kept once the model was loaded. */
import { openEntry, weightsOf } from '../cache/entry.js';
import { keyOf, lastCommit, setCommit } from '../cache/index.js';
import { Recorder } from '../cache/recorder.js';
import { later, openStore } from '../cache/store.js';
import { fewAtOnce } from '../common/few.js';
import { within } from '../common/patience.js';
import { HUB, fileUrl as hubUrl } from '../hub/hosts.js';
import { hubSite, isPinned, readRepository } from '../hub/hub.js';
import { probe } from '../files/site.js';
import { readChecked } from './integrity.js';
import { fileUrl, webPlace } from './place.js';

/**
 * @typedef {import('./source.js').ModelParts} ModelParts
 * @typedef {import('./source.js').Options} Options
 * @typedef {import('./access.js').Access} Access
 * @typedef {import('../cache/store.js').Store} Store
 * @typedef {import('../cache/entry.js').About} About
 * @typedef {NonNullable<Awaited<ReturnType<typeof openEntry>>>} Entry
 */

/** How long the Hub may take to say which commit a branch has, where one is here, in milliseconds. */
const PATIENCE = 5000;

/**
 * @param {import('../hub/hub.js').Name} name
 * @param {Access} access
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
export async function readFromHub(name, access, options) {
  const { hub, dtype, integrity } = access;
  const site = hubSite(name, access);
  const store = await openStore(access.cache);
  const about = (/** @type {string} */ revision) => ({ model: `hf:${name.repository}`, revision, ...(hub !== HUB && { hub }), dtype });
  const branch = `${hub} ${name.repository} ${name.revision}`;
  const known = isPinned(name) ? name.revision : store && (await lastCommit(store, branch));
  let entry = known && (await openKept(store, about(known), access));
  if (entry && isPinned(name)) return fromEntry(entry, options);
  const asked = readRepository(site, name, hub, options.signal);
  const repository = await (entry ? within(PATIENCE, asked) : asked).catch((error) => {
    options.signal.throwIfAborted();
    if (!entry || isAnswer(error)) throw error;
  });
  if (repository && repository.commit !== known) entry = await openKept(store, about(repository.commit), access);
  if (!repository || entry) return fromEntry(/** @type {Entry} */ (entry), options);
  const { commit, files } = repository;
  const place = webPlace(`${hub}${name.repository}`, (file) => hubUrl(hub, name.repository, commit, file), site, files);
  const parts = await readChecked(place, integrity, options);
  if (!store) return parts;
  return recorded(store, about(commit), parts, access, undefined, async () => {
    if (known && known !== commit) await store.delete(keyOf(about(known)));
    if (!isPinned(name)) await setCommit(store, branch, commit);
  });
}

/**
 * @param {string} folder
 * @param {Access} access
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
export async function readFromWeb(folder, access, options) {
  const { cache, fetch, dtype, integrity } = access;
  const address = (/** @type {string} */ file) => fileUrl(folder, file);
  // A query may be a secret, and another one the next time.
  const about = { model: folder.replace(/\?.*/, ''), dtype };
  const store = folder.startsWith('file:') ? undefined : await openStore(cache);
  const entry = await openKept(store, about, access);
  if (entry && (await isSame(entry, (file) => probe({ fetch }, address(file), options.signal)))) return fromEntry(entry, options);
  const place = webPlace(folder, address, { fetch });
  const parts = await readChecked(place, integrity, options);
  const validators = place.validators?.() ?? {};
  if (!store || (cache !== true && Object.values(validators).includes(undefined))) return parts;
  return recorded(store, about, parts, access, validators);
}

/**
 * @param {Store | undefined} store
 * @param {About} about
 * @param {Access} access
 */
async function openKept(store, about, { integrity = {} }) {
  const entry = store && (await openEntry(store, keyOf(about)));
  return Object.entries(integrity).every(([file, sum]) => entry?.sums?.[file] === sum) ? entry : undefined;
}

/**
 * @param {Entry} entry
 * @param {(file: string) => Promise<string | undefined | false>} ask
 */
async function isSame({ validators = {} }, ask) {
  const answers = await fewAtOnce(Object.entries(validators), ([file, known]) => ask(file).then((now) => now === known, (error) => !isAnswer(error)));
  return answers.every(Boolean);
}

/** Whether somebody said no, and not only nothing. @param {any} error */
function isAnswer({ code, cause }) {
  return code === 'csp' || /^4(?!08|29)/.test(cause?.status ?? '');
}

/**
 * @param {Entry} entry
 * @param {Options} options
 * @returns {Promise<ModelParts>}
 */
async function fromEntry(entry, { onProgress }) {
  const { texts, weights, text, at, remove } = entry;
  const { length } = texts[0] ?? '';
  onProgress({ phase: 'config', loaded: length, total: length });
  const file = weightsOf(entry);
  const header = await file.header({ onBytes: () => {} });
  return { texts: texts.map((text) => text ?? undefined), weights: [{ file, header }], textEmbeddings: () => (text ? at(weights, weights + text) : undefined), forget: remove };
}

/**
 * @param {Store} store
 * @param {About} about
 * @param {ModelParts} parts
 * @param {Access} access
 * @param {Record<string, string | undefined>} [validators]
 * @param {() => Promise<void>} [then]
 * @returns {ModelParts}
 */
function recorded(store, about, parts, { integrity }, validators, then = async () => {}) {
  const recorder = new Recorder(store, keyOf(about), about.model);
  return {
    ...parts,
    async textEmbeddings(compares) {
      const text = await parts.textEmbeddings(compares);
      recorder.text = text ?? recorder.text;
      return text;
    },
    keeper: {
      keep: (tensors, plan) => recorder.keep(tensors, plan),
      finish() {
        const said = { texts: parts.texts, validators, sums: integrity, time: Date.now() };
        later(async () => {
          if (await recorder.finish({ ...about, ...said })) await then();
        }, recorder.holds);
      },
      drop: () => recorder.drop(),
    },
  };
}
