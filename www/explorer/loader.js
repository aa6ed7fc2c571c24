import { loadFirst } from './first.js';
import { Overtaken } from './session.js';

/**
 * @typedef {import('./models.js').ModelChoice} ModelChoice
 * @typedef {import('./panels/notice.js').Remedy} Remedy
 * @typedef {'f32' | 'int8' | undefined} Dtype
 * @typedef {{
 *   dialog: ReturnType<typeof import('./panels/model_dialog.js').createModelDialog>,
 *   status: ReturnType<typeof import('./panels/status.js').createStatus>,
 *   notice: ReturnType<typeof import('./panels/notice.js').createNotice>,
 * }} Panels
 */

/** What may be otherwise next time: the network, the browser, the memory that others hold. */
const MAY_PASS = ['network', 'crashed', 'out-of-memory'];

/** Which model is in use, and the way on where one can't be had. */
export class Loader {
  #session;
  /** @type {Panels} */
  #panels;
  #offers;
  #onSettled;
  /** The last that worked, or the first that was wanted. @type {{choice: ModelChoice, dtype: Dtype}} */
  #last;
  /** The last that worked and does not only stand in for another, or the first that was wanted. @type {ModelChoice | undefined} */
  #chosen;
  #onChange;
  #withdraw = () => {};

  /**
   * @param {import('./session.js').Session} session
   * @param {Panels} panels
   * @param {import('./models.js').Offer[]} offers
   * @param {(loaded: boolean) => void} onSettled
   * @param {() => void} onChange there is another model than was chosen before
   */
  constructor(session, panels, offers, onSettled, onChange) {
    this.#session = session;
    this.#panels = panels;
    this.#offers = offers;
    this.#last = { choice: offers[0], dtype: undefined };
    this.#onSettled = onSettled;
    this.#onChange = onChange;
  }

  get chosen() {
    return this.#chosen;
  }

  /**
   * What somebody chose.
   * @param {ModelChoice} choice
   * @param {Dtype} [dtype]
   * @param {(progress: import('../../pkg/index.js').Progress) => void} [onProgress]
   * @returns {Promise<boolean>} false: something else is wanted meanwhile
   */
  async load(choice, dtype, onProgress) {
    const settled = await this.standIn(choice, dtype, onProgress);
    if (settled && this.#session.model?.choice === choice && this.#chosen !== choice) {
      this.#chosen = choice;
      this.#onChange();
    }
    return settled;
  }

  /**
   * Whatever happens to it, the present model stays in use until the new one is ready.
   * @param {ModelChoice} choice
   * @param {Dtype} [dtype]
   * @param {(progress: import('../../pkg/index.js').Progress) => void} [onProgress]
   * @returns {Promise<boolean>} false: something else is wanted meanwhile
   */
  async standIn(choice, dtype, onProgress = () => {}) {
    const { status, notice } = this.#panels;
    notice.hide();
    status.loading(choice.name, this.#session.model?.choice.name);
    const watch = notice.watch(`No progress in loading ${choice.name}`, () => this.#waysOn(choice, dtype));
    try {
      await this.#session.load(choice, dtype, (progress) => {
        watch.alive();
        status.loading(choice.name, this.#session.model?.choice.name, progress);
        onProgress(progress);
      });
      this.#last = { choice, dtype };
      this.#withdraw();
      this.#settle(true);
    } catch (error) {
      if (error instanceof Overtaken) return false;
      this.#settle(false);
      this.#fail(error, choice, dtype);
    } finally {
      watch.over();
    }
    return true;
  }

  /**
   * @param {ModelChoice | undefined} wanted the first that is offered, unless told
   */
  async start(wanted = this.#offers[0]) {
    if (!wanted) return this.missing();
    this.#chosen = wanted;
    this.#last = { choice: wanted, dtype: wanted.dtype };
    await (wanted === this.#offers[0] ? loadFirst(this, this.#offers) : this.load(wanted, wanted.dtype));
  }

  /** What is said of it before it is there. @param {ModelChoice} choice */
  offered(choice) {
    return this.#offers.find((offer) => offer === choice);
  }

  /** @param {Dtype} dtype */
  changeDtype(dtype) {
    return this.load(this.#last.choice, dtype);
  }

  /** A photo waits for a model, and none is on its way. */
  missing() {
    this.#onSettled(false);
    if (!this.#panels.notice.visible) this.#say('There is no model to look at this photo.', this.again); // else it is said why
  }

  /**
   * The model in use has crashed.
   * @param {string} message
   */
  lost(message) {
    this.#session.close();
    this.#settle(false);
    this.#say(message, this.again);
  }

  /** The last that worked, anew: what is left of it may not answer any more. @type {Remedy} */
  again = { label: 'Load again', run: () => this.#replace(this.#last.choice, this.#last.dtype) };

  /**
   * Loads without keeping the present model.
   * @param {ModelChoice} choice
   * @param {Dtype} dtype
   */
  #replace(choice, dtype) {
    this.#session.close();
    this.load(choice, dtype);
  }

  /**
   * @param {unknown} error
   * @param {ModelChoice} choice
   * @param {Dtype} dtype
   */
  #fail(error, choice, dtype) {
    const { message, code = '' } = /** @type {Error & {code?: string}} */ (error);
    const { model } = this.#session;
    let stays = model ? ` ${model.choice.name} stays in use` : '';
    let [again, ...others] = this.#waysOn(choice, dtype);
    if (model) others = [];
    if (model && code === 'out-of-memory') {
      stays += ', and takes memory too';
      again = { label: 'Unload it and try again', run: () => this.#replace(choice, dtype) };
    }
    this.#say(message + (stays && `${stays}.`), ...(this.offered(choice) || MAY_PASS.includes(code) ? [again] : []), ...others);
  }

  /**
   * @param {ModelChoice} choice
   * @param {Dtype} dtype
   * @returns {Remedy[]}
   */
  #waysOn(choice, dtype) {
    const again = { label: 'Try again', run: () => void this.load(choice, dtype) };
    if (this.#session.model) return [again, { label: 'Cancel', run: () => this.cancel() }];
    const other = this.#offers.find((model) => model !== choice);
    return !other ? [again] : [again, { label: `${other.name}, ${other.megabytes} MB`, run: () => void this.load(other) }];
  }

  /** Gives up what is on its way; the present model stays. */
  cancel() {
    this.#session.cancel();
    this.#settle(false);
    this.#panels.notice.hide();
    if (!this.#session.model) this.missing();
  }

  /** @param {boolean} loaded whether there is another model than before */
  #settle(loaded) {
    const { status, dialog } = this.#panels;
    const present = this.#session.model;
    status.settled(present && { name: present.choice.name, dtype: present.config.dtype, backend: present.backend });
    dialog.show(present && { ...present, name: present.choice.name, offer: present.dtype ? undefined : this.offered(present.choice) });
    this.#onSettled(loaded);
  }

  /**
   * @param {string} message
   * @param {Remedy[]} remedies
   */
  #say(message, ...remedies) {
    this.#withdraw = this.#panels.notice.show(message, ...remedies);
  }
}
