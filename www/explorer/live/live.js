import { LEAST, offered } from '../detail.js';
import { Overtaken } from '../session.js';
import { createAuto } from './auto.js';
import { Feed } from './feed.js';
import { KINDS, cameras } from './origins.js';
import { createPace } from './pace.js';
import { createSteady } from './steady.js';
import { yielded } from './turns.js';

/**
 * @typedef {import('./origins.js').Kind} Kind
 * @typedef {'off' | 'starting' | 'on' | 'frozen'} State
 * @typedef {{kind: Kind, given?: any}} Origin  given: a camera's device, or a file
 */

const READOUT_PAUSE = 500; // ms between readings, so that they can be read

/** A moving picture that the model looks at: what is shown is the frame that it saw, with that frame's map. One frame after the other, each as soon as the model is free: while it looks at one, the one before is drawn. */
export class Live {
  #session;
  #scope;
  #viewer;
  #panels;
  /** @type {State} */
  #state = 'off';
  /** @type {Origin} */
  #origin = { kind: 'camera' };
  /** @type {Feed | undefined} */
  #feed;
  #wish = {};
  #listening = new AbortController();
  #drawn = false; // whether a frame of this feed is on the stage
  /** As many patches along an edge as that one was cut into, where none are chosen. @type {number | null} */
  #edge = null;
  /** What is drawn of the last frame. @type {Promise<void>} */
  #drawing = Promise.resolve();
  #pace = createPace();
  #auto = createAuto();
  #steady;
  #lastReading = 0;

  /**
   * @param {import('../session.js').Session} session
   * @param {import('../scope.js').Scope} scope
   * @param {import('../viewer.js').Viewer} viewer
   * @param {{
   *   live: ReturnType<typeof import('../panels/live.js').createLive>,
   *   stage: ReturnType<typeof import('../panels/stage.js').createStage>,
   *   notice: ReturnType<typeof import('../panels/notice.js').createNotice>,
   * }} panels
   */
  constructor(session, scope, viewer, panels) {
    this.#session = session;
    this.#scope = scope;
    this.#viewer = viewer;
    this.#panels = panels;
    this.#steady = createSteady(() => panels.live.steady);
  }

  /** Whether frames follow each other. */
  get running() {
    return this.#state === 'on';
  }

  /** Frames a second. */
  get rate() {
    return this.#pace.rate;
  }

  /** Another model is in use: what was measured of the last means nothing. */
  forget() {
    this.#auto.forget();
  }

  /** @param {Origin} origin */
  async start(origin) {
    this.stop();
    this.#scope.supersede();
    this.#panels.notice.hide();
    const wish = (this.#wish = {});
    this.#origin = origin;
    this.#auto.forget();
    const { kind, given } = origin;
    this.#enter('starting');
    this.#listen();
    try {
      const source = await KINDS[kind].open(given);
      const feed = new Feed(source, () => this.#feed === feed && this.#state !== 'starting' && this.#end(KINDS[kind].ended));
      if (wish !== this.#wish || document.visibilityState === 'hidden') {
        feed.stop();
        return void (wish === this.#wish && this.stop());
      }
      this.#feed = feed;
      await feed.play().catch((cause) => {
        throw new Error(KINDS[kind].unplayable, { cause });
      });
      if (wish !== this.#wish) return;
      this.#enter('on');
      this.#scope.mark(undefined);
      this.#viewer.forget();
      if (kind === 'camera') this.#list(feed);
      this.#panels.live.mirror(kind === 'camera' && feed.camera.facing !== 'environment');
      await this.#follow(feed);
    } catch (error) {
      if (wish !== this.#wish) return;
      this.stop();
      this.#scope.fail(error);
    }
  }

  /** Off, at once: what still comes of an earlier start is released. */
  stop() {
    this.#wish = {};
    this.#feed?.stop();
    this.#feed = undefined;
    this.#drawn = false;
    this.#listening.abort();
    if (this.#state !== 'off') this.#enter('off');
  }

  /** Off, and what was seen last stays as a photo. */
  async finish() {
    if (this.#state !== 'on') return this.stop();
    const still = this.#still();
    this.stop(); // at once, and not when that is there
    await this.#scope.keep(still);
  }

  /** Stands still, so that it can be looked into, or goes on. */
  async toggle() {
    const feed = this.#feed;
    if (!feed) return;
    if (this.#state === 'frozen') {
      this.#scope.supersede();
      this.#enter('on');
      if (document.visibilityState === 'visible') await feed.play();
      return this.#follow(feed);
    }
    if (this.#state !== 'on') return;
    const still = this.#still();
    feed.pause();
    this.#enter('frozen');
    await this.#scope.keep(still);
  }

  /** The present frame is asked about once more: another view reads other things. */
  again() {
    this.#feed?.again();
  }

  /** @param {Feed} feed */
  async #follow(feed) {
    this.#pace.rest();
    feed.again(); // it may be a picture that stands still
    for (;;) {
      await feed.next();
      if (!this.#follows(feed)) return;
      const image = feed.grab(this.#panels.live.mirrored);
      if (image) await this.#look(image, feed);
    }
  }

  /** @param {Feed} feed */
  #follows(feed) {
    return feed === this.#feed && this.running;
  }

  /**
   * Resolves once the model is free for the next frame.
   * @param {ImageBitmap} image the stage's, once it is shown
   * @param {Feed} feed
   */
  async #look(image, feed) {
    const { edge } = this.#auto;
    const start = performance.now();
    if (!this.#session.model) {
      this.#present(image, edge);
      return this.#viewer.clear();
    }
    const watch = this.#scope.watch();
    try {
      const trace = await this.#scope.trace(image, image, { live: true, edge });
      await this.#drawing;
      if (!this.#follows(feed)) return image.close();
      this.#drawing = this.#draw(trace, image, feed, edge);
      this.#count(trace, performance.now() - start);
    } catch (error) {
      image.close();
      await this.#fail(error, feed);
    } finally {
      watch.over();
    }
  }

  /**
   * @param {import('../../../pkg/index.js').Trace} trace
   * @param {ImageBitmap} image
   * @param {Feed} feed
   * @param {number | null} edge
   */
  async #draw(trace, image, feed, edge) {
    let shown = false;
    const present = () => {
      if (shown) return;
      shown = true;
      this.#present(image, edge);
    };
    try {
      await yielded(); // the model gets its next frame first
      if (this.#follows(feed)) await this.#scope.take(trace, { image, title: this.#title, live: { present, steady: this.#steady } });
    } catch (error) {
      await this.#fail(error, feed);
    } finally {
      if (!shown) image.close();
    }
  }

  /**
   * @param {ImageBitmap} image
   * @param {number | null} edge
   */
  #present(image, edge) {
    this.#drawn = true;
    this.#edge = edge;
    this.#panels.stage.showPhoto(image, this.#title);
  }

  get #title() {
    return KINDS[this.#origin.kind].title(this.#origin.given);
  }

  /**
   * @param {unknown} error
   * @param {Feed} feed
   */
  async #fail(error, feed) {
    // While a model is loaded or replaced there may be none for a moment.
    if (error instanceof Overtaken || !this.#follows(feed)) return;
    await this.finish();
    this.#scope.fail(error);
  }

  /**
   * @param {import('../../../pkg/index.js').Trace} trace
   * @param {number} busy ms
   */
  #count({ grid: [rows, cols], timing: { forward } }, busy) {
    this.#pace.tick();
    const { model } = this.#session;
    if (model) this.#auto.saw({ edge: Math.sqrt(rows * cols), forward, busy, width: model.config.hiddenSize, least: offered(model.config.grid)[0], most: Math.max(LEAST, ...model.config.grid) });
    const now = performance.now();
    if (now - this.#lastReading < READOUT_PAUSE) return;
    this.#lastReading = now;
    this.#panels.live.read(this.#pace.rate);
  }

  /** What is seen now, as a bitmap of its own. */
  async #still() {
    const { picture } = this.#panels.stage;
    const shown = this.#drawn && picture !== undefined;
    const image = shown ? await createImageBitmap(picture) : this.#feed?.grab(this.#panels.live.mirrored);
    return image && { image, title: this.#title, shown, edge: this.#edge };
  }

  /** @param {string} reason */
  async #end(reason) {
    await this.finish();
    if (reason) this.#scope.fail(new Error(reason));
  }

  /** Only while there is something that may have to go off. */
  #listen() {
    this.#listening.abort();
    const { signal } = (this.#listening = new AbortController());
    addEventListener('pagehide', () => this.#rest(), { signal });
    document.addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? this.#pause() : this.#wakeUp()), { signal });
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#feed && this.#origin.kind === 'camera' && this.#list(this.#feed), { signal });
  }

  /** Nobody sees the page: a camera goes off, and the rest stands still. */
  #pause() {
    if (this.#origin.kind === 'camera') return this.#feed && this.#rest();
    this.#feed?.pause();
  }

  #wakeUp() {
    if (this.running) this.#feed?.play();
  }

  async #rest() {
    if (!this.#feed || this.#state === 'starting') return this.stop();
    const { kind } = this.#origin;
    const origin = this.#origin;
    await this.finish();
    this.#panels.notice.show(KINDS[kind].rested, { label: 'Start again', run: () => this.start(origin) });
  }

  /** @param {Feed} feed */
  async #list(feed) {
    const all = await cameras();
    if (feed === this.#feed) this.#panels.live.list(all, feed.camera.device);
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state;
    if (state !== 'on') this.#pace.rest();
    this.#panels.live.mark(this.#origin.kind, state);
  }
}
