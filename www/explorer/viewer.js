import { unchosen, within } from './choice.js';
import { moved } from './detail.js';
import { yielded } from './live/turns.js';
import { classNames } from './names.js';
import { AS_THEY_ARE, fixedSize } from './photo.js';
import { cardOf } from './pins/card.js';
import { asker, fits, lacks, recordingFor } from './recordings.js';
import { refusal } from './refusal.js';
import { isStaged, mostHeads, samePoint, windowsOf } from './stages.js';
import { remember } from './views/cache.js';
import { before } from './words.js';

/**
 * @typedef {import('./view.js').ViewMap} ViewMap
 * @typedef {import('./view.js').Trace} Trace
 * @typedef {import('./view.js').Choice} Choice
 * @typedef {import('./view.js').Picture} Picture
 * @typedef {import('./view.js').Context} Context
 * @typedef {import('./view.js').View} View
 * @typedef {import('./view.js').Watch} Watch
 * @typedef {{
 *   stage: ReturnType<typeof import('./panels/stage.js').createStage>,
 *   caption: ReturnType<typeof import('./panels/caption.js').createCaption>,
 *   answers: ReturnType<typeof import('./panels/answers.js').createAnswers>,
 *   overlay: ReturnType<typeof import('./panels/overlay.js').createOverlay>,
 *   strip: ReturnType<typeof import('./panels/strip.js').createStrip>,
 *   tabs: ReturnType<typeof import('./panels/tabs.js').createTabs>,
 *   judge: ReturnType<typeof import('./panels/judge.js').createJudge>,
 *   exports: ReturnType<typeof import('./panels/exports.js').createExports>,
 *   detail: ReturnType<typeof import('./panels/detail.js').createDetail>,
 *   pins: {show: (card: import('./pins/card.js').Card | undefined) => void},
 * }} ViewPanels
 * @typedef {{present: () => void, steady: (map: ViewMap) => ViewMap}} Frame  one of a moving picture: present shows it, once its map is there; steady mixes that with those before
 * @typedef {{trace: Trace, vit: import('../../pkg/index.js').Vitscope, image: Picture, seen: import('./photo.js').ImageSource, title: string, live?: Frame, own?: [number, number]}} Subject  image: what is shown; seen: what the model is asked about; own: rows and columns of patches that the model was made for
 * @typedef {{top: import('../../pkg/index.js').Prediction[], map: ViewMap | undefined, text: string | undefined}} Shown  text: what the map is, in words
 */

/** Which view is shown, of which layer, patch and class, and its map on the stage. Views compute, panels draw, this decides. */
export class Viewer {
  #panels;
  #views;
  #handlers;
  /** @type {Choice} */
  #choice;
  /** @type {Subject | undefined} */
  #subject;
  /** @type {Context | undefined} */
  #context;
  /** @type {ViewMap | undefined} */
  #map;
  #shape = '';
  /** @type {[number, number] | undefined} */
  #grid;
  /** In whose grid the map on the stage is. */
  #shownLayer = 0;
  /** @type {string | undefined} */
  #refusal;
  /** @type {Promise<unknown> | undefined} */
  #coming;
  #shown = new AbortController();
  #wanted = new AbortController();

  /**
   * @param {ViewPanels} panels
   * @param {View[]} views
   * @param {{fail: (error: unknown) => void, watch: () => Watch, onChoice: () => void, onShow: (shown: Shown) => void, more: () => void}} handlers
   *   onShow: something else is shown now; more: the open view reads what the trace does not have
   */
  constructor(panels, views, handlers) {
    this.#panels = panels;
    this.#views = views;
    this.#handlers = handlers;
    this.#choice = { view: views[0].id, ...unchosen() };
    panels.tabs.select(this.#view.id);
  }

  get choice() {
    return { ...this.#choice };
  }

  /** What the model was asked about. */
  get seen() {
    return this.#subject?.seen;
  }

  /** Why the model takes images of one size alone, if that is so. */
  get refusal() {
    return this.#refusal;
  }

  /** @param {string | undefined} message */
  refuse(message) {
    this.#refusal = message && message[0].toUpperCase() + message.slice(1);
  }

  get #view() {
    return this.#views.find(({ id }) => id === this.#choice.view) ?? this.#views[0];
  }

  /**
   * What is written down of a forward pass, for what is to be seen.
   * @param {import('../../pkg/index.js').ModelConfig} model
   * @param {boolean} live
   */
  records(model, live) {
    const query = asker(model.prefix, this.#queryIn(model.stages));
    return recordingFor(model, query, this.#view.reads?.(query) ?? {}, live);
  }

  /**
   * The patch that is asked about, by row and column: the one that has the chosen point of the photo.
   * @param {import('./stages.js').Layer[]} stages
   * @param {number} [layer] in whose grid, the first unless told
   * @returns {[number, number] | undefined}
   */
  #queryIn(stages, layer = 0) {
    const { patch } = this.#choice;
    const [{ grid: [rows, cols] }] = stages;
    if (!this.#view.uses().query || patch === null || patch >= rows * cols) return undefined;
    const here = samePoint(patch, stages[0], stages[layer]);
    const across = stages[layer].grid[1];
    return [Math.floor(here / across), here % across];
  }

  /**
   * Shows what the model made of a picture. Resolves when the view is drawn: while frames follow each other, the next waits for it.
   * @param {Subject} subject
   */
  take(subject) {
    const { layers, heads, grid, stages } = subject.trace;
    const shape = `${layers} ${heads} ${stages[0].heads}`;
    const { target, detail, whole, patch } = this.#choice;
    // What was chosen of a model of another shape means nothing in this one.
    const another = this.#shape && this.#shape !== shape && !this.#coming;
    if (!another && !this.#coming && patch !== null && this.#grid) this.#choice.patch = moved(patch, this.#grid, grid);
    this.#shape = shape;
    this.#grid = grid;
    this.#subject = subject;
    this.#keepWithin(another ? { ...this.#choice, ...unchosen(), target, detail, whole } : this.#choice);
    this.#tell(subject);
    return this.change();
  }

  /** Which views this model does not have, and why. @param {Subject} subject */
  async #tell({ trace, vit }) {
    const staged = isStaged(trace);
    const reasons = staged ? remember(vit, 'refused', () => Promise.all(this.#views.map(({ tries }) => tries && refusal(() => tries(trace))))) : [];
    const known = await reasons;
    if (this.#subject?.vit === vit) this.#views.forEach(({ id }, i) => this.#panels.tabs.refuse(id, known[i]));
  }

  /**
   * What is chosen is meant for a photo or a model that is on its way, whatever is there until then.
   * @param {Promise<unknown>} coming
   */
  async expect(coming) {
    this.#coming = coming;
    await coming;
    if (this.#coming !== coming) return;
    this.expectNothing();
    this.#keepWithin(this.#choice);
  }

  /** The next photo is another one. */
  expectNothing() {
    this.#coming = undefined;
  }

  /** What this model has not is not chosen of it. @param {Choice} choice */
  #keepWithin(choice) {
    const before = this.#choice;
    this.#choice = choice;
    if (!this.#coming && this.#subject) {
      const { trace, vit } = this.#subject;
      const { layers, grid } = trace;
      this.#choice = within(choice, { layers, heads: mostHeads(trace), patches: grid[0] * grid[1], classes: vit.config.numClasses });
    }
    if (JSON.stringify(before) !== JSON.stringify(this.#choice)) this.#handlers.onChoice();
  }

  /** There is no trace of what is on the stage. @param {{whole?: boolean}} [choice] whole: nor is a patch chosen any more */
  clear({ whole = true } = {}) {
    this.#subject = undefined;
    if (whole && this.#shape && !this.#coming) this.#choice.patch = null;
    this.change();
  }

  /** Another photo or another model: what was chosen of the last means nothing here, and what is still asked about it is not wanted. */
  forget() {
    if (this.#shape && !this.#coming) Object.assign(this.#choice, { patch: null, target: null });
    this.#giveUp();
    this.#handlers.onChoice();
  }

  /**
   * Chooses some of what there is; the rest stays.
   * @param {Partial<Choice>} choice
   */
  choose(choice) {
    const stays = 'stop' in choice ? {} : { stop: null }; // whatever else is chosen wants a map
    const known = this.#views.find(({ id }) => id === choice.view) ?? this.#view;
    /** @type {Choice} */
    const next = { ...this.#choice, ...stays, ...choice, view: known.id };
    // A layer is asked for: of a view that has none, another shows it.
    if (typeof choice.layer === 'number' && !choice.view && !this.#view.uses().layer) next.view = this.#views[0].id;
    this.#keepWithin(next);
    this.#panels.tabs.select(this.#view.id);
    if ('detail' in choice || 'whole' in choice) this.#handlers.more();
    return this.change();
  }

  /** @param {number | null} patch */
  choosePatch(patch) {
    if (!this.#subject || !this.#view.uses().query) return;
    const { stages } = this.#subject.trace;
    this.choose({ patch: patch === null ? null : samePoint(patch, stages[this.#shownLayer], stages[0]) });
  }

  /** @param {number} target */
  chooseTarget(target) {
    this.choose(this.#view.uses().target ? { target } : { target, view: 'class' });
  }

  #giveUp() {
    this.#shown.abort();
    this.#wanted.abort();
    this.#wanted = new AbortController();
  }

  /** Something else is wanted: another photo, view, patch, class or option of the view. */
  change() {
    this.#giveUp();
    return this.redraw();
  }

  /**
   * The same, in another look.
   * @returns {Promise<void>}
   */
  async redraw() {
    this.#shown.abort();
    this.#shown = new AbortController();
    const { signal } = this.#shown;
    const subject = this.#subject;
    this.#context = undefined;
    if (!subject) return this.#paint(undefined);
    let painted = false;
    const context = (this.#context = this.#contextOf(subject, signal, (map, words) => {
      if (signal.aborted) return;
      painted = true;
      this.#paint(map, words);
    }));
    this.#panels.answers.choose(this.#view.uses().target ? context.target?.index : undefined);
    try {
      const query = asker(subject.trace.prefix, context.query);
      const reads = this.#view.reads?.(query) ?? {};
      if (lacks(subject.trace, query, reads)) {
        const held = fits(subject.trace, subject.trace.tokens, reads);
        this.#paint(undefined, { detail: held ? 'One moment.' : 'It would take too much memory with so many patches: choose less detail.' });
        return held ? this.#handlers.more() : undefined;
      }
      const drawn = this.#view.show(context);
      const strip = context.live && yielded().then(() => signal.aborted || this.#drawStrip(context)); // the page stays free in between
      if (!strip) this.#drawStrip(context);
      // What takes longer leaves the last map in place while frames follow each other, and none otherwise.
      if (!painted && !subject.live) this.#paint(undefined, { detail: 'One moment.' });
      if (!drawn) return void (await strip);
      const { over } = this.#handlers.watch();
      signal.addEventListener('abort', over);
      await Promise.all([drawn, strip]).finally(over);
    } catch (error) {
      if (signal.aborted) return;
      const reason = await refusal(() => Promise.reject(error));
      this.#paint(undefined, { detail: reason });
      if (!reason) this.#handlers.fail(error);
    }
  }

  /**
   * @param {Subject} subject
   * @param {AbortSignal} signal
   * @param {Context['paint']} paint
   * @returns {Context}
   */
  #contextOf(subject, signal, paint) {
    const { trace } = subject;
    const { layer, head } = this.#choice;
    const { layer: layered } = this.#view.uses();
    const queryIn = (/** @type {number} */ layer) => this.#queryIn(trace.stages, layer);
    const first = () => (layered && this.#view.firstLayer?.({ trace, queryIn })) || trace.layers - 1;
    const at = layer === null || layer >= trace.layers ? first() : layer;
    return {
      ...subject,
      live: Boolean(subject.live),
      look: this.#panels.overlay.read(),
      layer: at,
      head: head === null || head >= trace.stages[at].heads ? null : head,
      query: this.#queryIn(trace.stages),
      queryIn,
      target: this.#targetOf(subject),
      signal,
      wanted: this.#wanted.signal,
      fail: this.#handlers.fail,
      watch: this.#handlers.watch,
      paint,
    };
  }

  /** @param {Subject} subject */
  #targetOf({ trace, vit }) {
    const { target } = this.#choice;
    const index = target !== null && target < vit.config.numClasses ? target : trace.top[0]?.index;
    return index === undefined ? undefined : { index, name: classNames(vit.config.labels)[index] };
  }

  /** @param {Context} context */
  #drawStrip({ trace, layer, queryIn, look, vit, live }) {
    const at = this.#choice.stop ?? (this.#view.uses().layer ? layer : 'answer');
    const [top] = trace.top;
    this.#panels.strip.show({
      stages: trace.stages, at, answer: top ? classNames(vit.config.labels)[top.index] : 'features', grid: trace.grid, crop: trace.crop,
      picture: this.#panels.stage.picture, look, live, of: (layer) => trace.headMap({ layer, query: queryIn(layer) }),
    });
  }

  /**
   * @param {ViewMap | undefined} map
   * @param {import('./view.js').Words} [words]
   */
  #paint(map, words) {
    const { stage, caption, overlay, exports, judge, strip, detail, pins } = this.#panels;
    const look = overlay.read();
    const subject = this.#subject;
    const { stop } = this.#choice;
    if (stop) [map, words] = [undefined, subject && before(subject, stop)];
    subject?.live?.present();
    if (map && subject?.live) map = subject.live.steady(map);
    this.#map = map;
    overlay.suit(map);
    detail.show(this.#choice, subject?.trace.grid, subject?.own, subject && fixedSize(subject.seen) ? AS_THEY_ARE : this.#refusal);
    judge.show(this.#context, map);
    if (!subject) {
      stage.showMap(undefined, undefined, look, null);
      strip.show(undefined);
      caption.show(undefined);
      exports.show(undefined);
      pins.show(undefined);
      this.#handlers.onShow({ top: [], map: undefined, text: undefined });
      return;
    }
    const { trace, image, title } = subject;
    const over = map?.crop ? map : undefined;
    /** @type {[number, number]} */
    const grid = over ? [over.rows, over.cols] : trace.grid;
    this.#shownLayer = Math.max(0, trace.stages.findIndex((layer) => String(layer.grid) === String(grid)));
    const query = this.#context && this.#queryIn(trace.stages, this.#shownLayer);
    const patch = query ? query[0] * grid[1] + query[1] : null;
    const windows = over && words?.window !== undefined && isStaged(trace) ? remember(trace, `windows ${grid} ${JSON.stringify(words.window)}`, () => windowsOf(grid, words?.window ?? null)) : undefined;
    stage.showMap({ crop: over?.crop ?? trace.crop, grid, windows }, over, look, patch, stop === 'patches');
    const text = words?.text ?? this.#inShort(map?.text);
    caption.show({ map, ...words, text, look, query: patch, prefix: trace.prefix, live: Boolean(subject.live) });
    exports.show({ map, trace, image, look, name: `${title}-${this.#view.id}` });
    pins.show(map && cardOf({ map, look, picture: stage.picture, subject, text, words, view: this.#view.id }));
    this.#handlers.onShow({ top: trace.top, map, text });
  }

  /** What a map is, with its class by its short name. @param {string} [text] */
  #inShort(text) {
    const target = this.#subject && this.#targetOf(this.#subject);
    return target ? text?.replace(/** @type {Subject} */ (this.#subject).vit.config.labels[target.index], () => target.name) : text;
  }

  /** @param {number | null} patch under the pointer */
  hover(patch) {
    this.#panels.caption.hover(this.#map?.crop ? patch : null);
  }
}
