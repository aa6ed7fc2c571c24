import { imageSizeFor } from './detail.js';
import { understand } from './files.js';
import { fileOf, fixedSize, photoOf, seenOf } from './photo.js';
import { Overtaken } from './session.js';

/**
 * @typedef {import('../../pkg/index.js').Trace} Trace
 * @typedef {import('./panels/sources.js').Sample} Sample
 * @typedef {import('./photo.js').Photo} Photo
 * @typedef {{
 *   stage: Pick<ReturnType<typeof import('./panels/stage.js').createStage>, 'expect' | 'showPhoto'>,
 *   answers: Pick<ReturnType<typeof import('./panels/answers.js').createAnswers>, 'rows' | 'mark' | 'show'>,
 *   sources: ReturnType<typeof import('./panels/sources.js').createSources>,
 *   status: ReturnType<typeof import('./panels/status.js').createStatus>,
 *   notice: ReturnType<typeof import('./panels/notice.js').createNotice>,
 * }} Panels
 */

const PLACING = 120; // ms after which a new photo is shown without waiting for what the model makes of it
const READOUT_PAUSE = 250; // ms between readings of the live timing, so that they can be read

/** @type {import('./panels/notice.js').Remedy} */
export const RELOAD = { label: 'Reload page', run: () => location.reload() };

/** The photo that the model looks at. Panels draw, the viewer shows what it sees, this decides. */
export class Scope {
  #session;
  #loader;
  /** @type {Panels} */
  #panels;
  #viewer;
  /** @type {Photo | undefined} */
  #photo;
  /** The one that is shown, or on its way. @type {Sample | undefined} */
  #sample;
  #moving;
  #opening = new AbortController();

  /**
   * @param {import('./session.js').Session} session
   * @param {import('./loader.js').Loader} loader
   * @param {Panels} panels
   * @param {Pick<import('./viewer.js').Viewer, 'choice' | 'refusal' | 'refuse' | 'records' | 'forget' | 'clear' | 'take'>} viewer
   * @param {() => Pick<import('./live/live.js').Live, 'running' | 'start' | 'stop' | 'again' | 'forget'>} moving what shows moving pictures
   */
  constructor(session, loader, panels, viewer, moving) {
    this.#session = session;
    this.#loader = loader;
    this.#panels = panels;
    this.#viewer = viewer;
    this.#moving = moving;
  }

  /**
   * After a load.
   * @param {boolean} another whether there is another model than before
   */
  async settle(another) {
    if (!another) {
      if (this.#session.model) return;
      this.#panels.stage.expect(undefined);
      return this.#panels.answers.mark({});
    }
    this.#viewer.forget();
    this.#viewer.refuse(undefined);
    this.#moving().forget();
    if (!this.#moving().running) await this.#ask();
  }

  // Photos

  get sample() {
    return this.#sample;
  }

  /** The photo that is shown, as a file, where it is none of the samples. */
  async own() {
    return !this.#photo || this.#photo.sample ? undefined : fileOf(this.#photo);
  }

  /** What the model is asked about. */
  get seen() {
    return this.#photo && seenOf(this.#photo);
  }

  /** @param {Blob | string | URL | Sample | import('./photo.js').Pair} image */
  show(image) {
    if (image instanceof Blob || (typeof image === 'object' && 'shown' in image)) return this.open(photoOf(image));
    if (typeof image === 'string' || image instanceof URL) return this.openSample({ file: String(image), title: 'Photo' });
    return this.openSample(image);
  }

  /** No picture, moving or not, and no answer any more. */
  end() {
    this.supersede();
    this.#moving().stop();
    this.#viewer.clear();
  }

  /** @param {File[]} files */
  openFiles(files) {
    this.#panels.notice.hide();
    const given = understand(files);
    if (given.kind === 'video') return this.#moving().start({ kind: 'file', given: given.file });
    if (given.kind === 'photo') return this.open({ image: given.file, title: given.file.name });
    if (given.kind === 'model') return this.#loader.load({ name: given.name, source: given.parts });
    return this.#panels.notice.show(given.message);
  }

  /** @param {Sample} sample */
  async openSample(sample) {
    const { notice } = this.#panels;
    const signal = this.supersede();
    this.#sample = sample;
    notice.hide(); // now, not when the photo is there: what goes wrong meanwhile is news
    const again = { label: 'Try again', run: () => void this.openSample(sample) };
    const watch = notice.watch(`The sample ${sample.file} has not come`, () => [again]);
    try {
      const response = await fetch(sample.file, { signal });
      if (!response.ok) throw new Error(`The sample ${sample.file} could not be loaded (HTTP status ${response.status}).`);
      const image = await response.blob();
      watch.over();
      await this.open({ image, title: sample.title, sample });
    } catch (error) {
      if (signal.aborted) return;
      this.fail(error instanceof TypeError ? new Error(`The sample ${sample.file} could not be loaded. Is the server still running?`) : error, again);
    } finally {
      watch.over();
    }
  }

  /**
   * Shows a photo once it is decoded; one that can't be leaves the present one.
   * @param {Photo} photo
   */
  async open(photo) {
    const { notice } = this.#panels;
    const signal = this.supersede();
    /** @type {ImageBitmap} */
    let bitmap;
    try {
      bitmap = await createImageBitmap(photo.image);
    } catch {
      if (!signal.aborted) notice.show(`${photo.title} could not be decoded as an image. Try a JPEG, PNG or WebP file.`);
      return;
    }
    if (signal.aborted) return bitmap.close();
    this.#moving().stop();
    photo.size = { width: bitmap.width, height: bitmap.height };
    this.#hold(photo);
    this.#viewer.forget();
    await this.#ask(bitmap);
  }

  /**
   * A frame becomes the photo: all that is chosen of it stays.
   * @param {Promise<{image: ImageBitmap, title: string, shown: boolean, edge: number | null} | undefined>} still shown: it is on the stage; undefined: there was none yet
   */
  async keep(still) {
    const signal = this.supersede();
    const photo = await still;
    if (signal.aborted) return photo?.image.close();
    if (!photo) return this.#photo && this.open(this.#photo);
    this.#hold(photo);
    await this.#ask(photo.shown ? undefined : await createImageBitmap(photo.image));
  }

  /** @param {Photo} photo */
  #hold(photo) {
    if (this.#photo?.image instanceof ImageBitmap && photo !== this.#photo) this.#photo.image.close();
    this.#photo = photo;
    this.mark(photo.sample);
  }

  /** @param {Sample | undefined} sample the one that is shown */
  mark(sample) {
    this.#sample = sample;
    this.#panels.sources.mark(sample);
  }

  /** What is asked for now takes the place of what was and is not there yet. */
  supersede() {
    this.#opening.abort(new Overtaken());
    this.#opening = new AbortController();
    return this.#opening.signal;
  }

  /**
   * Asks the model about the present photo.
   * @param {ImageBitmap} [bitmap] the photo, where it is not on the stage yet
   */
  async #ask(bitmap) {
    const { stage, answers } = this.#panels;
    const photo = this.#photo;
    if (!photo) return;
    let placed = !bitmap;
    const place = () => {
      if (placed || !bitmap) return;
      placed = true;
      stage.showPhoto(bitmap, photo.title);
      this.#viewer.clear();
    };
    if (!this.#session.model) {
      place();
      if (!this.#session.loading) return this.#loader.missing();
    }
    answers.mark({ busy: true });
    const timer = setTimeout(place, PLACING);
    const watch = this.#session.model && this.watch();
    try {
      const trace = await this.trace(seenOf(photo), photo.size ?? /** @type {ImageBitmap} */ (photo.image), { edge: photo.edge });
      if (photo !== this.#photo) return;
      watch?.over();
      place();
      await this.take(trace, photo);
    } catch (error) {
      if (error instanceof Overtaken || photo !== this.#photo) return;
      place();
      this.fail(error);
    } finally {
      watch?.over();
      clearTimeout(timer);
      if (!placed) bitmap?.close();
    }
  }

  /** Over an answer of the model. */
  watch() {
    return this.#panels.notice.watch('The model has not answered', () => [this.#loader.again, RELOAD]);
  }

  // Answers

  /**
   * @param {import('./photo.js').ImageSource} seen
   * @param {import('./detail.js').Size} size
   * @param {{live?: boolean, edge?: number | null}} [options] edge: patches along it, where none are chosen; as many as the model was made for unless told
   */
  async trace(seen, size, { live = false, edge = null } = {}) {
    await this.#fit(seen, size, edge);
    return this.#session.trace(seen, this.#panels.answers.rows, (config) => this.#viewer.records(config, live));
  }

  /**
   * The model gets the size of image that is chosen, or says why it takes no other; pixel values have theirs.
   * @param {import('./photo.js').Seen} seen
   * @param {import('./detail.js').Size} size of the picture
   * @param {number | null} edge
   */
  async #fit(seen, size, edge) {
    const { model } = this.#session;
    const fixed = fixedSize(seen);
    if (model && fixed) return this.#session.resize(fixed);
    if (!model || this.#viewer.refusal) return;
    const { detail, whole } = this.#viewer.choice;
    try {
      await this.#session.resize(imageSizeFor(model.config, detail ?? edge, whole ? size : undefined));
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'invalid-argument') throw error;
      this.#viewer.refuse(error.message);
      await this.#session.resize(model.config.imageSize);
    }
  }

  /**
   * @param {Trace} trace
   * @param {Pick<Photo, 'image' | 'seen' | 'title'> & Pick<import('./viewer.js').Subject, 'live'>} photo
   */
  async take(trace, { image, seen, title, live }) {
    const { answers } = this.#panels;
    const { vit } = this.#session;
    answers.mark({ live: Boolean(live) });
    if (!vit) return;
    answers.show(trace, vit.config.labels);
    this.#readTiming(trace.timing.forward, Boolean(live));
    await this.#viewer.take({ trace, vit, image, seen: seenOf({ image, seen }), title, live, own: this.#session.model?.config.grid });
  }

  /** The view that is open reads what the trace does not have. */
  async more() {
    const moving = this.#moving();
    if (moving.running) moving.again();
    else await this.#ask();
  }

  #lastReading = 0;

  /**
   * @param {number} ms
   * @param {boolean} live
   */
  #readTiming(ms, live) {
    const now = performance.now();
    if (live && now - this.#lastReading < READOUT_PAUSE) return;
    this.#lastReading = now;
    this.#panels.status.forward(ms);
  }

  /**
   * @param {unknown} error
   * @param {import('./panels/notice.js').Remedy[]} remedies
   */
  fail(error, ...remedies) {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // A newer model has taken its place, or is about to, and is asked again.
    if (code === 'closed' && (this.#session.model || this.#session.loading)) return;
    if (code === 'crashed' || code === 'closed') return this.#loader.lost(message);
    this.#panels.answers.mark({});
    // A script that could not be imported is not asked for a second time before the page is.
    if (code === 'network' && !remedies.length) remedies = [RELOAD];
    this.#panels.notice.show(message, ...remedies);
  }
}
