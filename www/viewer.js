import { classNames } from './names.js';

/**
 * What a view is given: the trace and what of it is chosen, and where its map goes.
 *
 * @typedef {import('../pkg/index.js').ViewMap} ViewMap
 * @typedef {import('../pkg/index.js').Trace} Trace
 * @typedef {import('./maps.js').Look} Look
 * @typedef {Blob | ImageBitmap | HTMLVideoElement} Picture
 * @typedef {{detail?: string, format?: (value: number) => string}} Words  a second sentence, and how values are said; as plain numbers unless told
 * @typedef {{
 *   trace: Trace, vit: import('../pkg/index.js').Vitscope, image: Picture, live: boolean, look: Look,
 *   query: [number, number] | undefined, target: {index: number, name: string} | undefined, signal: AbortSignal, wanted: AbortSignal,
 *   paint: (map: ViewMap | undefined, words?: Words) => void, fail: (error: unknown) => void, watch: () => Watch,
 * }} Context
 *   query: a patch, or the image as a whole; target: undefined for a model without classes; signal: aborted when something newer is drawn;
 *   wanted: aborted when another photo, view, patch, class or option is wanted, as is what the model has under way; watch: over an answer of the model
 * @typedef {import('./panels/notice.js').Watch} Watch
 * @typedef {{
 *   id: string, title: string, element: HTMLElement,
 *   uses: () => {query?: boolean, target?: boolean},
 *   show: (context: Context) => void | Promise<void>,
 * }} View
 *   show draws the view's own panel and paints its map, later if it must wait for one
 */

/**
 * @typedef {{
 *   stage: ReturnType<typeof import('./panels/stage.js').createStage>,
 *   caption: ReturnType<typeof import('./panels/caption.js').createCaption>,
 *   answers: ReturnType<typeof import('./panels/answers.js').createAnswers>,
 *   overlay: ReturnType<typeof import('./panels/overlay.js').createOverlay>,
 *   tabs: ReturnType<typeof import('./panels/tabs.js').createTabs>,
 *   exports: ReturnType<typeof import('./panels/exports.js').createExports>,
 * }} ViewPanels
 * @typedef {{trace: Trace, vit: import('../pkg/index.js').Vitscope, image: Picture, title: string, live: boolean}} Subject
 */

/** Which view is shown, of which patch and class, and its map on the stage. Views compute, panels draw, this decides. */
export class Viewer {
  #panels;
  #views;
  #onFail;
  #watch;
  /** @type {View} */
  #view;
  /** @type {Subject | undefined} */
  #subject;
  /** @type {number | null} */
  #query = null;
  /** @type {number | null} null: the likeliest */
  #target = null;
  /** @type {ViewMap | undefined} */
  #map;
  #shown = new AbortController();
  #wanted = new AbortController();

  /**
   * @param {ViewPanels} panels
   * @param {View[]} views
   * @param {(error: unknown) => void} onFail
   * @param {() => Watch} watch
   */
  constructor(panels, views, onFail, watch) {
    this.#panels = panels;
    this.#views = views;
    this.#view = views[0];
    this.#onFail = onFail;
    this.#watch = watch;
    panels.tabs.select(this.#view.id);
  }

  get query() {
    return this.#query;
  }

  /**
   * Shows what the model made of a picture. Resolves when the view is drawn: while frames follow each other, the next waits for it.
   * @param {Subject} subject
   */
  take(subject) {
    this.#subject = subject;
    return this.change();
  }

  /** There is no trace of what is on the stage. @param {{whole?: boolean}} [choice] whole: nor is a patch chosen any more */
  clear({ whole = true } = {}) {
    this.#subject = undefined;
    if (whole) this.#query = null;
    this.change();
  }

  /** Another photo or another model: what was chosen of the last means nothing here, and what is still asked about it is not wanted. */
  forget() {
    this.#query = null;
    this.#target = null;
    this.#giveUp();
  }

  /** @param {string} id */
  choose(id) {
    this.#view = this.#views.find((view) => view.id === id) ?? this.#view;
    this.#panels.tabs.select(this.#view.id);
    this.change();
  }

  /** @param {number | null} patch */
  choosePatch(patch) {
    if (!this.#subject || !this.#view.uses().query) return;
    this.#query = patch;
    this.change();
  }

  /** @param {number} index */
  chooseTarget(index) {
    this.#target = index;
    if (this.#view.uses().target) this.change();
    else this.choose('class');
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
    if (!subject) return this.#paint(undefined);
    const { query, target } = this.#view.uses();
    const [, cols] = subject.trace.grid;
    const patch = this.#query;
    const chosen = this.#targetOf(subject);
    this.#panels.answers.choose(target && chosen ? chosen.index : undefined);
    let painted = false;
    try {
      const drawn = this.#view.show({
        ...subject,
        look: this.#panels.overlay.read(),
        query: query && patch !== null ? [Math.floor(patch / cols), patch % cols] : undefined,
        target: chosen,
        signal,
        wanted: this.#wanted.signal,
        fail: this.#onFail,
        watch: this.#watch,
        paint: (map, words) => {
          if (signal.aborted) return;
          painted = true;
          this.#paint(map, words);
        },
      });
      // What takes longer leaves the last map in place while frames follow each other, and none otherwise.
      if (!painted && !subject.live) this.#paint(undefined, { detail: 'One moment.' });
      if (!drawn) return;
      const { over } = this.#watch();
      signal.addEventListener('abort', over);
      await drawn.finally(over);
    } catch (error) {
      if (signal.aborted) return;
      this.#paint(undefined);
      this.#onFail(error);
    }
  }

  /** @param {Subject} subject */
  #targetOf({ trace, vit }) {
    const index = this.#target ?? trace.top[0]?.index;
    return index === undefined ? undefined : { index, name: classNames(vit.config.labels)[index] };
  }

  /**
   * @param {ViewMap | undefined} map
   * @param {import('./viewer.js').Words} [words]
   */
  #paint(map, words) {
    const { stage, caption, overlay, exports } = this.#panels;
    const look = overlay.read();
    const subject = this.#subject;
    this.#map = map;
    const query = this.#view.uses().query ? this.#query : null;
    const onPhoto = map?.crop !== undefined;
    overlay.suit(map);
    if (!subject) {
      stage.showMap(undefined, undefined, look, null);
      caption.show(undefined);
      exports.show(undefined);
      return;
    }
    const { trace, live, image, title } = subject;
    stage.showMap({ crop: trace.crop, grid: trace.grid }, onPhoto ? map : undefined, look, query);
    caption.show({ map, text: this.#inShort(map?.text), ...words, look, query, prefix: trace.prefix, live });
    exports.show({ map, trace, image, look, name: `${title}-${this.#view.id}` });
  }

  /** What a map is, with its class by its short name. @param {string} [text] */
  #inShort(text) {
    const target = this.#subject && this.#targetOf(this.#subject);
    return target && text?.replace(/** @type {Subject} */ (this.#subject).vit.config.labels[target.index], () => target.name);
  }

  /** @param {number | null} patch under the pointer */
  hover(patch) {
    this.#panels.caption.hover(this.#map?.crop ? patch : null);
  }
}
