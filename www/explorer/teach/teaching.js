import { MOST, freshName, ready, refusal } from './classes.js';
import { exampleOf, modelKey } from './example.js';
import { classesOf, derive, labelsIn, read, unread } from './model.js';
import { Store } from './store.js';
import { photos, sentence } from './words.js';

/**
 * @typedef {import('../../../pkg/index.js').Vitscope} Vitscope
 * @typedef {import('./store.js').OwnClass} OwnClass
 * @typedef {import('./store.js').Kept} Kept
 * @typedef {{classes: OwnClass[], says: string, passes: import('../passes.js').Passes | undefined, taught: boolean, ready: boolean}} Shown
 *   passes: while photos are read by the model; taught: other classes than its own answer; ready: so may those by photos
 * @typedef {{
 *   show: (shown: Shown) => void, onAnswer: () => void, fail: (error: unknown) => void, watch: () => import('../panels/notice.js').Watch,
 *   say: (message: string, ...remedies: import('../panels/notice.js').Remedy[]) => void,
 * }} Handlers  onAnswer: the model answers among other classes now
 */

const UNSAVED = 'Your classes could not be kept in this browser, which may be private or full: save them as a file before you leave.';
const FEW = 2; // photos that are read without a word

/** One's own classes, by photos or of a file, and whether the model answers among them. Each photo is read once by each model. */
export class Teaching {
  #session;
  #handlers;
  #store;
  /** @type {Kept} */
  #kept = { classes: [], file: undefined, use: 'model' };
  /** Counts the changes of what the answer is among. */
  #version = 0;
  /** What answers now. @type {{base: Vitscope | undefined, version: number}} */
  #made = { base: undefined, version: 0 };
  #touched = false;
  #asked = false;
  #working = false;
  #saved = true;
  #writing = Promise.resolve();
  /** @type {import('../passes.js').Passes | undefined} */
  #passes;
  #stop = new AbortController();

  /**
   * @param {import('../session.js').Session} session
   * @param {Handlers} handlers
   * @param {string} [place] under which they are kept in the browser; not at all unless told
   */
  constructor(session, handlers, place) {
    this.#session = session;
    this.#handlers = handlers;
    this.#store = place === undefined ? undefined : new Store(place);
    session.prepareBy((base, name) => this.#prepare(base, name));
    this.#restore();
  }

  async #restore() {
    const kept = await this.#store?.read().catch(() => undefined); // said when something can't be written
    if (!kept || this.#touched) return;
    this.#kept = kept;
    this.#version++;
    this.update();
  }

  // What people do

  /** Something to fill in. */
  begin() {
    while (this.#kept.classes.length < 2) this.addClass();
  }

  addClass() {
    const own = { label: freshName(this.#kept.classes), examples: [] };
    this.#kept.classes.push(own);
    this.#change();
  }

  /** @param {OwnClass} own */
  removeClass(own) {
    const { classes } = this.#kept;
    const at = classes.indexOf(own);
    classes.splice(at, 1);
    this.#change();
    if (!own.examples.length) return;
    this.#handlers.say(`${own.label} is gone, with ${photos(own.examples.length)}.`, { label: 'Undo', run: () => {
      if (refusal(classes, own, own.label)) own.label = freshName(classes); // another has got its name
      classes.splice(at, 0, own);
      this.#change();
    } });
  }

  /**
   * @param {OwnClass} own
   * @param {string} label
   */
  rename(own, label) {
    const name = label.trim();
    const reason = refusal(this.#kept.classes, own, name);
    if (reason) this.#handlers.say(reason);
    else own.label = name;
    this.#change();
  }

  /**
   * @param {OwnClass} own
   * @param {(Blob | ImageBitmap)[]} images bitmaps are closed
   */
  async add(own, images) {
    /** @type {string[]} */
    const unlike = [];
    let there = false;
    for (const image of images) {
      if (own.examples.length >= MOST) return this.#handlers.say(`${own.label} has ${photos(MOST)}, and more would not help. Remove some to add others.`);
      const example = await exampleOf(image).catch(() => undefined);
      there = own.examples.some(({ id }) => id === example?.id);
      if (!example) unlike.push(image instanceof File ? image.name : 'A picture');
      else if (!there) this.#give(own, example);
    }
    if (unlike.length) this.#handlers.say(`${unlike.join(', ')} could not be read as a picture. Try JPEG, PNG or WebP.`);
    else if (there && images.length === 1) this.#handlers.say(`This photo is one of ${own.label} already.`);
  }

  /**
   * @param {OwnClass} own
   * @param {import('./example.js').Example} example
   */
  #give(own, example) {
    const known = this.#kept.classes.flatMap(({ examples }) => examples).find(({ id }) => id === example.id); // of another class: it is not read again
    own.examples.push(known ?? example);
    this.answerAmong('photos');
  }

  /**
   * @param {OwnClass} own
   * @param {import('./example.js').Example} example
   */
  remove(own, example) {
    own.examples = own.examples.filter((other) => other !== example);
    this.#change();
  }

  /** @param {import('./store.js').Use} use */
  answerAmong(use) {
    if (use !== this.#kept.use) this.#stop.abort();
    this.#kept.use = use;
    this.#change();
  }

  /**
   * @param {File} file
   * @returns {Promise<boolean>} whether it is one of classes
   */
  async open(file) {
    if (!(await labelsIn(file))) return false;
    const { base, model } = this.#session;
    if (!base || !model) this.#handlers.say(`There is no model yet for the classes of ${file.name}. Open them when one is there.`);
    else {
      this.#kept.file = await classesOf(file, { name: model.choice.name, base });
      this.answerAmong('file');
    }
    return true;
  }

  /** The classes that answer, as the package, the command line and this page read them. */
  toFile() {
    return new Blob([/** @type {Vitscope} */ (this.#session.vit).saveClasses()]);
  }

  end() {
    this.#touched = true;
    this.#stop.abort();
  }

  // What follows from it

  #change() {
    this.#touched = true;
    this.#version++;
    this.#write();
    this.update();
  }

  /** One after the other; of several that wait the last does. */
  #write() {
    const mine = this.#version;
    this.#writing = this.#writing.then(async () => {
      if (mine !== this.#version) return;
      try {
        await this.#store?.write(this.#kept);
        this.#saved = true;
      } catch {
        if (this.#saved) this.#handlers.say(UNSAVED); // once, not with every photo
        this.#saved = false;
      }
    });
  }

  /** Has the present model answer among what is wanted now. */
  async update() {
    this.#asked = true;
    this.#show();
    if (this.#working) return;
    this.#working = true;
    while (this.#asked) {
      this.#asked = false;
      await this.#bring().catch((error) => this.#refuse(error));
    }
    this.#working = false;
    this.#show();
  }

  async #bring() {
    const { base, model } = this.#session;
    const version = this.#version;
    if (!base || !model || (this.#made.base === base && this.#made.version === version)) return;
    const key = modelKey(model.choice.name, base.config);
    if (!(await this.#read(base, key))) return;
    const derived = await derive(base, key, this.#kept);
    const same = !derived && this.#session.vit === base;
    if (!same && !(await this.#session.answerBy(base, derived))) return;
    this.#made = { base, version };
    if (!same) this.#handlers.onAnswer();
  }

  /**
   * @param {Vitscope} base
   * @param {string} key
   * @returns {Promise<boolean>} whether all is known now
   */
  async #read(base, key) {
    const news = unread(this.#kept, key);
    if (!news.length) return true;
    const { signal } = (this.#stop = new AbortController());
    const watch = this.#handlers.watch();
    try {
      await read(base, key, news, signal, (passes) => {
        watch.alive();
        this.#passes = news.length > FEW ? passes : undefined;
        this.#show();
      });
      this.#write();
      return this.#session.base === base && !unread(this.#kept, key).length; // else what has come meanwhile is read in the next turn
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    } finally {
      watch.over();
      this.#passes = undefined;
    }
  }

  /**
   * For a model that is about to be used: what takes no pass.
   * @param {Vitscope} base
   * @param {string} name
   */
  async #prepare(base, name) {
    const version = this.#version;
    const key = modelKey(name, base.config);
    if (unread(this.#kept, key).length) return undefined;
    const derived = await derive(base, key, this.#kept).catch(() => undefined); // `update` says why
    if (derived) this.#made = { base, version };
    return derived;
  }

  /** Back to the model's own, unless the model has gone: then the next is asked again. @param {any} error */
  #refuse(error) {
    if (error.code === 'closed' || error.code === 'crashed') return this.#handlers.fail(error);
    this.answerAmong('model');
    this.#handlers.say(`${error.message} It answers among its own.`);
  }

  #show() {
    const { base, vit } = this.#session;
    const taught = vit !== base;
    this.#handlers.show({
      classes: this.#kept.classes, passes: this.#passes, taught, ready: ready(this.#kept.classes).length > 0,
      says: sentence(this.#kept, { taught, reading: this.#passes !== undefined }),
    });
  }
}
