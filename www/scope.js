import { closeCamera, nextFrame, openCamera } from './camera.js';
import { understand } from './files.js';
import { DEFAULT_MODEL } from './models.js';
import { Overtaken } from './session.js';

/**
 * @typedef {import('./models.js').ModelChoice} ModelChoice
 * @typedef {import('../pkg/index.js').Trace} Trace
 * @typedef {import('./panels/sources.js').Sample} Sample
 * @typedef {{image: Blob | ImageBitmap, title: string, sample?: Sample}} Photo
 * @typedef {{
 *   stage: ReturnType<typeof import('./panels/stage.js').createStage>,
 *   answers: ReturnType<typeof import('./panels/answers.js').createAnswers>,
 *   sources: ReturnType<typeof import('./panels/sources.js').createSources>,
 *   model: ReturnType<typeof import('./panels/model.js').createModel>,
 *   status: ReturnType<typeof import('./panels/status.js').createStatus>,
 *   notice: ReturnType<typeof import('./panels/notice.js').createNotice>,
 * }} Panels
 */

const PATIENCE = 120; // ms after which a new photo is shown without waiting for what the model makes of it
const READOUT_PAUSE = 250; // ms between readings of the live timing, so that they can be read

/** The photo or webcam, and the model that looks at it. Panels draw, the viewer shows what it sees, this decides. */
export class Scope {
  #session;
  /** @type {Panels} */
  #panels;
  #viewer;
  /** @type {import('./session.js').LoadedModel | undefined} the last that worked, even if it has crashed since */
  #model;
  /** @type {Photo | undefined} */
  #photo;
  /** @type {MediaStream | undefined} */
  #camera;
  #newest = 0;

  /**
   * @param {import('./session.js').Session} session
   * @param {Panels} panels
   * @param {import('./viewer.js').Viewer} viewer
   */
  constructor(session, panels, viewer) {
    this.#session = session;
    this.#panels = panels;
    this.#viewer = viewer;
  }

  // Models

  /**
   * @param {ModelChoice} choice
   * @param {'f32' | 'int8'} [dtype]
   */
  async loadModel(choice, dtype) {
    const { status, notice } = this.#panels;
    notice.hide();
    status.loading(choice.name);
    try {
      this.#model = await this.#session.load(choice, dtype, (progress) => status.loading(choice.name, progress));
      this.#viewer.forget();
    } catch (error) {
      if (error instanceof Overtaken) return;
      const again = { label: 'Try again', run: () => this.loadModel(choice, dtype) };
      const instead = { label: 'Default model', run: () => this.loadModel(DEFAULT_MODEL) };
      this.fail(error, choice.isDefault ? again : this.#session.model ? undefined : instead);
    }
    this.#showModel();
    if (!this.#camera && this.#session.model) await this.#look();
  }

  /** @param {ModelChoice | Error} requested what the page's address asks for */
  async start(requested) {
    await this.loadModel(requested instanceof Error ? DEFAULT_MODEL : requested);
    if (requested instanceof Error) this.#panels.notice.show(requested.message);
  }

  /** @param {'f32' | 'int8' | undefined} dtype */
  changeDtype(dtype) {
    return this.loadModel(this.#session.model?.choice ?? DEFAULT_MODEL, dtype);
  }

  #showModel() {
    const { status, model } = this.#panels;
    const loaded = this.#session.model;
    status.settled(loaded && { name: loaded.choice.name, dtype: loaded.config.dtype, backend: loaded.backend });
    model.show(loaded && { ...loaded, name: loaded.choice.name, isDefault: loaded.choice.isDefault && !loaded.dtype });
  }

  // Photos

  /** @param {File[]} files */
  openFiles(files) {
    this.#panels.notice.hide();
    const given = understand(files);
    if (given.kind === 'photo') return this.open({ image: given.file, title: given.file.name });
    if (given.kind === 'model') return this.loadModel({ name: given.name, source: given.parts, isDefault: false });
    return this.#panels.notice.show(given.message);
  }

  /** @param {Sample} sample */
  async openSample(sample) {
    const ticket = ++this.#newest;
    this.#panels.notice.hide(); // now, not when the photo is there: what goes wrong meanwhile is news
    try {
      const response = await fetch(sample.file);
      if (!response.ok) throw new Error(`The sample ${sample.file} could not be loaded (HTTP status ${response.status}).`);
      const image = await response.blob();
      if (ticket === this.#newest) await this.open({ image, title: sample.title, sample });
    } catch (error) {
      this.fail(error instanceof TypeError ? new Error(`The sample ${sample.file} could not be loaded. Is the server still running?`) : error);
    }
  }

  /**
   * Shows a photo once it is decoded; one that can't be leaves the present one.
   * @param {Photo} photo
   */
  async open(photo) {
    const { notice, sources } = this.#panels;
    const ticket = ++this.#newest;
    /** @type {ImageBitmap} */
    let bitmap;
    try {
      bitmap = await createImageBitmap(photo.image);
    } catch {
      if (ticket === this.#newest) notice.show(`${photo.title} could not be decoded as an image. Try a JPEG, PNG or WebP file.`);
      return;
    }
    if (ticket !== this.#newest) return bitmap.close();
    if (this.#camera) this.#endCamera();
    if (this.#photo?.image instanceof ImageBitmap) this.#photo.image.close();
    this.#photo = photo;
    this.#viewer.forget();
    sources.mark(photo.sample);
    await this.#look(bitmap);
  }

  /**
   * Asks the model about the present photo.
   * @param {ImageBitmap} [bitmap] the photo, where it is not on the stage yet
   */
  async #look(bitmap) {
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
    answers.mark({ busy: true });
    if (!this.#session.model) place();
    const timer = setTimeout(place, PATIENCE);
    try {
      const trace = await this.#session.trace(photo.image, answers.rows);
      if (photo !== this.#photo) return;
      place();
      await this.#take(trace, photo);
    } catch (error) {
      if (error instanceof Overtaken || photo !== this.#photo) return;
      place();
      this.fail(error);
    } finally {
      clearTimeout(timer);
      if (!placed) bitmap?.close();
    }
  }

  // Webcam

  /** @param {boolean} on */
  async useCamera(on) {
    if (on) await this.#startCamera();
    else if (this.#camera) await this.#freeze();
  }

  async #startCamera() {
    const { stage, sources, notice } = this.#panels;
    const ticket = ++this.#newest;
    notice.hide();
    try {
      const stream = await openCamera(stage.video);
      if (ticket !== this.#newest) return closeCamera(stage.video, stream);
      this.#camera = stream;
    } catch (error) {
      return this.fail(error);
    }
    sources.mark(undefined);
    sources.markCamera(true);
    this.#viewer.forget();
    stage.showVideo();
    this.#viewer.clear();
    await this.#watch(this.#camera);
  }

  /**
   * One frame after the other, each as soon as the model is free.
   * @param {MediaStream} stream
   */
  async #watch(stream) {
    const { stage, answers } = this.#panels;
    stream.getVideoTracks()[0].addEventListener('ended', () => {
      if (this.#camera === stream) this.#freeze().then(() => this.fail(new Error('The camera was disconnected.')));
    });
    while (this.#camera === stream) {
      await nextFrame(stage.video);
      if (this.#camera !== stream) return;
      try {
        const trace = await this.#session.trace(stage.video, answers.rows);
        if (this.#camera === stream) await this.#take(trace, { image: stage.video, title: 'Webcam' }, { live: true });
      } catch (error) {
        // While a model is loaded or replaced there may be none for a moment.
        if (error instanceof Overtaken || this.#camera !== stream) continue;
        await this.#freeze();
        this.fail(error);
      }
    }
  }

  /** Stops the webcam and keeps its last picture. */
  async #freeze() {
    const { stage } = this.#panels;
    const image = await createImageBitmap(stage.video).catch(() => undefined);
    const { query } = this.#viewer;
    this.#endCamera();
    if (!image) return;
    await this.open({ image, title: 'Webcam picture' });
    this.#viewer.choosePatch(query);
  }

  #endCamera() {
    const { stage, sources } = this.#panels;
    if (this.#camera) closeCamera(stage.video, this.#camera);
    this.#camera = undefined;
    sources.markCamera(false);
  }

  // Answers

  /**
   * @param {Trace} trace
   * @param {{image: import('./viewer.js').Picture, title: string}} photo
   * @param {{live?: boolean}} [state]
   */
  async #take(trace, { image, title }, { live = false } = {}) {
    const { answers } = this.#panels;
    const { vit } = this.#session;
    answers.mark({ live });
    answers.show(trace);
    this.#readTiming(trace.timing.forward, live);
    if (vit) await this.#viewer.take({ trace, vit, image, title, live });
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
   * @param {{label: string, run: () => void}} [remedy]
   */
  fail(error, remedy) {
    // A newer model has taken its place, and is asked again.
    if (error instanceof Error && 'code' in error && error.code === 'closed') return;
    const { notice, answers } = this.#panels;
    answers.mark({});
    const crashed = this.#session.ended(error);
    const { choice, dtype } = this.#model ?? { choice: DEFAULT_MODEL };
    const reload = { label: 'Load again', run: () => this.loadModel(choice, dtype) };
    notice.show(error instanceof Error ? error.message : String(error), remedy ?? (crashed ? reload : undefined));
    if (crashed) this.#showModel();
  }
}
