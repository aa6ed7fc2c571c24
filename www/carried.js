/**
 * What goes along from one page to the other and no address can hold: a photo of the visitor's own, and that loading a model of the Hub was agreed to. (Files of a model can't go along.) It is this tab's alone, in this browser:
 * the photo itself lies in IndexedDB, since the tab's storage takes texts only, and is forgotten with the tab, or with the next photo.
 */
const KEY = 'vitscope-carried';
const STORE = 'photos';
const DAY = 86_400_000; // ms, after which no tab is believed to want its photo back

/** @typedef {{tab: string, photo: boolean, agreed?: string, left?: boolean}} Carried  left: a model of the visitor's own was left behind, which is news once */

/** @returns {Carried | undefined} */
function noted() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    return undefined; // no storage
  }
}

/**
 * Before the other page is opened.
 * @param {File | undefined} photo
 * @param {{agreed?: string, left?: boolean}} model agreed: `hf:org/name`; left: its files are the visitor's own
 */
export async function carry(photo, model) {
  const tab = noted()?.tab ?? crypto.randomUUID();
  try {
    if (photo || noted()?.photo) await change((store) => void (photo ? store.put({ photo, date: Date.now() }, tab) : store.delete(tab)));
    sessionStorage.setItem(KEY, JSON.stringify({ tab, photo: Boolean(photo), ...model }));
  } catch {
    // A browser that keeps nothing: the other page opens with a sample.
  }
}

/** What came along, or was here when the page was opened last. @returns {Promise<{photo?: File, agreed?: string, left?: boolean}>} */
export async function carried() {
  const { tab, photo, agreed, left } = noted() ?? {};
  if (left) sessionStorage.setItem(KEY, JSON.stringify({ tab, photo, agreed }));
  if (!tab || !photo) return { agreed, left };
  /** @type {IDBRequest | undefined} */
  let found;
  await change((store) => void (found = store.get(tab))).catch(() => {});
  return { photo: found?.result?.photo, agreed, left };
}

/** Forgets what tabs left here that are closed. To be called when the page has time. */
export async function forgetCarried() {
  try {
    if (!(await indexedDB.databases()).some(({ name }) => name === KEY)) return;
    await change((store) => {
      store.openCursor().onsuccess = ({ target }) => {
        const cursor = /** @type {IDBRequest<IDBCursorWithValue | null>} */ (target).result;
        if (!cursor) return;
        if (cursor.key !== noted()?.tab && Date.now() - cursor.value.date > DAY) cursor.delete();
        cursor.continue();
      };
    });
  } catch {
    // Where there is no storage, nothing is left there.
  }
}

/** @param {(store: IDBObjectStore) => void} work */
function change(work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(KEY, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, 'readwrite');
      transaction.oncomplete = () => resolve(database.close());
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
      work(transaction.objectStore(STORE));
    };
  });
}
