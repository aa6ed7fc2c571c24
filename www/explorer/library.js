/** Models beyond those that are offered: on the Hub, and such as were kept. Panels draw, this decides. */
import { Vitscope } from '../../pkg/dist/index.js';
import { choiceOf } from './models.js';

/**
 * @typedef {import('../../pkg/index.js').CachedModel} CachedModel
 * @typedef {{name: string, what: string, bytes: number}} Suggestion  name: `org/name`
 * @typedef {{readonly allowed: boolean, allow: (name: string) => void, forbid: () => void, suggestions?: Suggestion[]}} HubAccess
 *   whether the page may talk to the Hub; allow, forbid: changes that, which may open the page anew: name is what was asked for
 * @typedef {{
 *   dialog: ReturnType<typeof import('./panels/model_dialog.js').createModelDialog>,
 *   hub: ReturnType<typeof import('./panels/hub.js').createHub>,
 *   kept: ReturnType<typeof import('./panels/kept.js').createKept>,
 * }} Panels
 */

export class Library {
  /** @type {Panels} */
  #panels;
  #access;
  #offers;
  #handlers;
  #asking = new AbortController();

  /**
   * @param {Panels} panels
   * @param {HubAccess | undefined} access none: there is no talk of the Hub
   * @param {import('./models.js').Offer[]} offers
   * @param {{load: (choice: import('./models.js').ModelChoice, dtype?: 'int8') => void, fail: (error: unknown) => void}} handlers
   */
  constructor(panels, access, offers, handlers) {
    this.#panels = panels;
    this.#access = access;
    this.#offers = offers;
    this.#handlers = handlers;
    if (access) this.name('');
  }

  /** What lies here already, as of now. */
  async refresh() {
    try {
      this.#panels.kept.show((await Vitscope.cache.list()).sort((a, b) => Number(b.date) - Number(a.date)));
    } catch (error) {
      this.#handlers.fail(error);
    }
  }

  /** @param {CachedModel} model */
  open({ model, revision, dtype }) {
    const offer = this.#offers.find(({ source }) => source === model);
    // At its commit nothing is asked of the Hub.
    const source = revision && !this.#access?.allowed ? `${model}@${revision}` : model;
    this.#panels.dialog.close();
    this.#handlers.load(offer ?? { ...choiceOf(model), source }, dtype);
  }

  /** @param {CachedModel} [model] all of them unless told */
  async forget(model) {
    try {
      if (!model) await Vitscope.cache.clear();
      else await Vitscope.cache.delete(model.revision ? `${model.model}@${model.revision}` : model.model);
    } catch (error) {
      this.#handlers.fail(error);
    }
    await this.refresh();
  }

  /**
   * Shows a model of the Hub, and waits for the visitor's word.
   * @param {string} name `org/name`, empty for none yet
   * @param {boolean} [ask] it was given for that the Hub is asked
   */
  propose(name, ask = false) {
    this.#panels.dialog.open();
    this.refresh();
    this.#panels.hub.name = name;
    if (ask && name && this.#access?.allowed) return this.lookUp(name);
    this.name(name);
    this.#panels.hub.focus();
  }

  /** Another name is written. @param {string} name */
  name(name) {
    this.#asking.abort();
    const suggestion = this.#access?.suggestions?.find((one) => one.name === name);
    this.#panels.hub.show({ allowed: Boolean(this.#access?.allowed), name, bytes: suggestion?.bytes });
  }

  /** @param {string} name */
  async lookUp(name) {
    this.#asking.abort();
    const { signal } = (this.#asking = new AbortController());
    this.#panels.hub.show({ allowed: true, name, busy: true });
    try {
      const found = await Vitscope.describe(`hf:${name}`, { signal });
      this.#panels.hub.show({ allowed: true, name, found, bytes: found.bytes });
    } catch (error) {
      if (!signal.aborted) this.#panels.hub.show({ allowed: true, name, refusal: /** @type {Error} */ (error).message });
    }
  }

  /** @param {string} name */
  load(name) {
    this.#panels.dialog.close();
    this.#handlers.load(choiceOf(`hf:${name}`));
  }

  /** @param {string} name */
  allow(name) {
    this.#access?.allow(name);
  }

  forbid() {
    this.#access?.forbid();
  }
}
