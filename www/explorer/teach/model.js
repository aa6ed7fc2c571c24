/** What a model makes of one's own classes. */
import { ready } from './classes.js';
import { modelKey } from './example.js';

/**
 * @typedef {import('../../../pkg/index.js').Vitscope} Vitscope
 * @typedef {import('./store.js').Kept} Kept
 * @typedef {import('./example.js').Example} Example
 */

/**
 * Photos that it has not seen.
 * @param {Kept} kept
 * @param {string} key of the model
 */
export function unread({ use, classes }, key) {
  return use === 'photos' ? ready(classes).flatMap(({ examples }) => examples).filter(({ features }) => !features.has(key)) : [];
}

/**
 * @param {Vitscope} base
 * @param {string} key
 * @param {Example[]} examples
 * @param {AbortSignal} signal
 * @param {(passes: import('../passes.js').Passes) => void} onProgress
 */
export async function read(base, key, examples, signal, onProgress) {
  for (const [done, example] of examples.entries()) {
    onProgress({ done, total: examples.length });
    const { features } = await base.classify(example.picture, { topK: 1, signal });
    example.features.set(key, features);
  }
}

/**
 * An instance that answers among the classes in use, all of whose photos are read; none where these are its own.
 * @param {Vitscope} base
 * @param {string} key
 * @param {Kept} kept
 * @returns {Promise<Vitscope | undefined>}
 */
export async function derive(base, key, { use, classes, file }) {
  const among = ready(classes);
  if (use === 'photos' && among.length) {
    return base.teach(Object.fromEntries(among.map(({ label, examples }) => [label, examples.map(({ features }) => ({ features: /** @type {import('../../../pkg/index.js').Floats} */ (features.get(key)) }))])));
  }
  if (use !== 'file' || !file) return undefined;
  if (file.model !== key) throw new Error(`The classes of ${file.name} were opened with another model, and mean nothing to this one.`);
  return base.withClasses(file.bytes);
}

/**
 * A file of classes as it is kept; nothing for other files.
 * @param {File} file
 * @param {{name: string, base: Vitscope}} model
 * @returns {Promise<import('./store.js').ClassesFile>}
 */
export async function classesOf(file, { name, base }) {
  return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()), model: modelKey(name, base.config), labels: /** @type {string[]} */ (await labelsIn(file)) };
}

/**
 * Names of the classes in a safetensors file of them, by its header; nothing for other files.
 * @param {Blob} file
 * @returns {Promise<string[] | undefined>}
 */
export async function labelsIn(file) {
  try {
    const size = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
    const header = JSON.parse(await file.slice(8, 8 + size).text());
    return header.text_embeddings ? JSON.parse(header.__metadata__.labels) : undefined;
  } catch {
    return undefined; // said by what reads it otherwise
  }
}
