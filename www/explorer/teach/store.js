/**
 * One's own classes, kept in the browser: which there are, and each photo once, so that one more writes one more.
 *
 * @typedef {import('./example.js').Example} Example
 * @typedef {{label: string, examples: Example[]}} OwnClass
 * @typedef {{name: string, bytes: Uint8Array<ArrayBuffer>, model: string, labels: string[]}} ClassesFile  model: by which it was opened
 * @typedef {'model' | 'photos' | 'file'} Use  whose classes answer
 * @typedef {{classes: OwnClass[], file: ClassesFile | undefined, use: Use}} Kept
 */

const TABLES = ['classes', 'photos'];
const KEY = 'own';

export class Store {
  #name;
  /** What is written of each photo: the number of models that have read it. @type {Map<string, number>} */
  #written = new Map();

  /** @param {string} name of the database */
  constructor(name) {
    this.#name = name;
  }

  /** @returns {Promise<Kept | undefined>} */
  read() {
    return this.#within('readonly', async (classes, photos) => {
      const [found, ids, values] = await Promise.all([answer(classes.get(KEY)), answer(photos.getAllKeys()), answer(photos.getAll())]);
      if (!found) return undefined;
      const examples = new Map(ids.map((id, i) => [String(id), /** @type {Example} */ ({ id: String(id), ...values[i] })]));
      this.#written = new Map([...examples].map(([id, { features }]) => [id, features.size]));
      // Another tab may have taken some away.
      const own = /** @type {{label: string, ids: string[]}[]} */ (found.classes).map(({ label, ids }) => ({ label, examples: ids.flatMap((id) => examples.get(id) ?? []) }));
      return { ...found, classes: own };
    });
  }

  /** All or nothing. @param {Kept} kept */
  write({ classes: own, file, use }) {
    const examples = new Map(own.flatMap(({ examples }) => examples).map((example) => [example.id, example]));
    const sizes = new Map([...examples].map(([id, { features }]) => [id, features.size]));
    return this.#within('readwrite', async (classes, photos) => {
      const present = new Set((await answer(photos.getAllKeys())).map(String)); // of whatever tab
      for (const [id, { picture, features }] of examples) if (!present.has(id) || this.#written.get(id) !== sizes.get(id)) photos.put({ picture, features }, id);
      for (const id of present) if (!examples.has(id)) photos.delete(id);
      classes.put({ classes: own.map(({ label, examples }) => ({ label, ids: examples.map(({ id }) => id) })), file, use }, KEY);
    }).then(() => void (this.#written = sizes));
  }

  /**
   * A connection is closed at once: an open one keeps a page from coming back through the back button.
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(classes: IDBObjectStore, photos: IDBObjectStore) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #within(mode, work) {
    const opening = indexedDB.open(this.#name, 1);
    opening.onupgradeneeded = () => TABLES.forEach((name) => opening.result.createObjectStore(name));
    const database = await answer(opening);
    try {
      const transaction = database.transaction(TABLES, mode);
      const over = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      const [result] = await Promise.all([work(transaction.objectStore(TABLES[0]), transaction.objectStore(TABLES[1])), over]);
      return result;
    } finally {
      database.close();
    }
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
