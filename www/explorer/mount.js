/** The explorer as one component: a photo, a model, and what that sees. Here its parts are wired. */
import { find } from './dom.js';
import { save } from './download.js';
import { inhabit, setTheme, themeOf } from './host.js';
import { Live } from './live/live.js';
import { sharesScreens } from './live/origins.js';
import { createModelDesk } from './model_desk.js';
import { choiceFor, choiceOf, keyOf } from './models.js';
import { createAnswers } from './panels/answers.js';
import { createCaption } from './panels/caption.js';
import { createDetail } from './panels/detail.js';
import { createExports } from './panels/exports.js';
import { createJudge } from './panels/judge.js';
import { createLive } from './panels/live.js';
import { createNotice } from './panels/notice.js';
import { createOverlay } from './panels/overlay.js';
import { createPins } from './panels/pins.js';
import { createSources } from './panels/sources.js';
import { createStage } from './panels/stage.js';
import { createStrip } from './panels/strip.js';
import { createTabs } from './panels/tabs.js';
import { createTeach } from './panels/teach.js';
import { Pins } from './pins/pins.js';
import { Scope } from './scope.js';
import { Session } from './session.js';
import { Teaching } from './teach/teaching.js';
import { Viewer } from './viewer.js';
import { createViews } from './views/index.js';

/**
 * @typedef {import('./models.js').ModelChoice} ModelChoice
 * @typedef {import('./models.js').Offer} Offer
 * @typedef {import('./panels/sources.js').Sample} Sample
 * @typedef {import('./choice.js').State} State
 * @typedef {import('./choice.js').Wish} Wish
 * @typedef {Blob | string | URL | Sample | import('./photo.js').Pair} Image  of a pair one is shown, and the model is asked about the other
 * @typedef {{
 *   model?: import('../../pkg/index.js').ModelSource | ModelChoice, image?: Image, state?: Wish,
 *   models?: Offer[], samples?: Sample[], around?: HTMLElement | Document, assets?: import('./session.js').Assets, keep?: string, hub?: import('./library.js').HubAccess,
 *   theme?: import('./host.js').Theme, onChange?: (state: State) => void, onShow?: (shown: import('./viewer.js').Shown) => void,
 * }} Options
 *   model: what is loaded, that of `state` or the first of `models` unless told; image: what is shown, the sample of `state` or the first of `samples` unless told;
 *   state: what is chosen of what there is to see;
 *   models, samples: what is offered; around: where files may be dropped and pasted, the root unless told; assets: where the engine's files are, unless beside the package;
 *   keep: the name under which one's own classes are kept in the browser, not at all unless told;
 *   hub: whether the Hub may be asked, and what of it is suggested; without it there is no talk of it; theme: as the system has it unless told;
 *   onChange: told of every change of the state; onShow: told of what is on the photo, and of what the model took it for, whenever that may be another than before
 */

/**
 * Puts an explorer into an element: in a shadow root, with its styles, and without a listener outside of `around`.
 * @param {HTMLElement} root
 * @param {Options} [options]
 */
export function mount(root, { model, image, state, models = [], samples = [], around = root, assets, keep, hub, theme, onChange = () => {}, onShow = () => {} } = {}) {
  const life = new AbortController();
  const inside = inhabit(root, life.signal);
  setTheme(root, theme ?? themeOf(root));
  const at = (/** @type {string} */ id) => find(inside, `#${id}`);
  const change = () => viewer.change();
  const changed = () => onChange(now());
  const fail = (/** @type {unknown} */ error) => scope.fail(error);

  const notice = createNotice(at('notice'), /** @type {HTMLDialogElement} */ (at('model')));
  const answers = createAnswers(at('answers'), (index) => viewer.chooseTarget(index));
  const stage = createStage(at('stage'), {
    onPick: (patch) => viewer.choosePatch(patch),
    onHover: (patch) => viewer.hover(patch),
  }, life.signal);
  const views = createViews({ change, choose: (choice) => viewer.choose(choice) });
  const watch = () => scope.watch();
  const overlay = createOverlay(at('overlay'), () => {
    viewer.redraw();
    changed();
  });
  const viewer = new Viewer({
    stage,
    answers,
    caption: createCaption(find(inside, 'figcaption'), { onBack: () => viewer.choosePatch(null) }),
    overlay,
    detail: createDetail(at('detail'), (choice) => viewer.choose(choice)),
    strip: createStrip(at('strip'), (choice) => viewer.choose(choice)),
    tabs: createTabs(at('views'), views, (view) => viewer.choose({ view })),
    judge: createJudge(at('judge')),
    exports: createExports(at('exports'), fail),
    pins: { show: (card) => pins.show(card && { ...card, about: `${card.about} (${session.model?.choice.name}, ${session.model?.config.dtype})` }) },
  }, views, { fail, watch, onChoice: changed, onShow, more: () => scope.more() });

  const row = createPins(at('pins'), find(inside, '[data-pins=pin]'), {
    onPin: () => pins.pin().catch(fail),
    onRemove: (card) => pins.remove(card),
    onCommon: (common) => pins.share(common),
    onExport: () => pins.toPicture().then((blob) => save(blob, 'side-by-side.png'), fail),
  });
  const pins = new Pins((pins) => row.show(pins));

  let asked = Promise.resolve();
  const session = new Session(assets);
  const { status, loader, propose } = createModelDesk(inside, session, { notice, models, hub }, {
    onFiles: (files) => openFiles(files),
    choose: (state) => void choose(state),
    onSettled: (another) => {
      asked = scope.settle(another);
      if (another) teaching.update();
    },
    onChange: changed,
    fail,
  });

  /** @type {Scope} */
  const scope = new Scope(session, loader, {
    notice,
    answers,
    stage,
    status,
    sources: createSources(at('sources'), at('drop'), samples, around, {
      onFiles: (files) => anew(() => openFiles(files)),
      onSample: (sample) => anew(() => scope.openSample(sample)),
      onNothing: (message) => notice.show(message),
    }, life.signal),
  }, viewer, () => live);
  const live = new Live(session, scope, viewer, {
    notice,
    stage,
    live: createLive(at('sources'), at('stage'), sharesScreens(), {
      onStart: (kind, given) => anew(() => live.start({ kind, given })),
      onStop: () => live.finish(),
      onToggle: () => live.toggle(),
    }),
  });

  /** @param {() => unknown} open */
  function anew(open) {
    viewer.expectNothing();
    open();
  }

  /** Where one was in the lesson, which is told when one goes back to it. @type {string | null} */
  let chapter = state?.chapter ?? null;

  /** @returns {State} */
  function now() {
    const { sample } = scope;
    return { ...viewer.choice, model: keyOf(loader.chosen, models), sample: sample?.name ?? null, chapter, look: overlay.read() };
  }

  /** @param {string | null} [name] */
  const sampleOf = (name) => samples.find((sample) => name && sample.name === name);

  /** @param {Wish} state */
  async function choose({ model, sample, look, chapter: place = chapter, ...choice }) {
    chapter = place;
    const coming = [];
    const picture = sampleOf(sample);
    if (picture && picture !== scope.sample) coming.push(scope.openSample(picture));
    if (model && model !== keyOf(loader.chosen, models)) coming.push(loader.load(choiceFor(model, models)).then(() => asked));
    const come = coming.length ? viewer.expect(Promise.all(coming)) : undefined;
    if (look) overlay.show(look);
    await (Object.keys(choice).length ? viewer.choose(choice) : viewer.redraw());
    await come;
  }

  const teach = createTeach(at('teach'), at('answers'), {
    onOpen: () => teaching.begin(),
    onAdd: () => teaching.addClass(),
    onRemove: (own) => teaching.removeClass(own),
    onRename: (own, label) => teaching.rename(own, label),
    onPhotos: (own, photos) => teaching.add(own, photos),
    onForget: (own, example) => teaching.remove(own, example),
    onUse: (use) => teaching.answerAmong(use),
    onSave: () => save(teaching.toFile(), 'text_embeddings.safetensors'), // by this name it is found beside a model
    onFile: (file) => openFiles([file]),
    current: async () => stage.picture && createImageBitmap(stage.picture),
    isLive: () => live.running,
  });
  const teaching = new Teaching(session, { show: (shown) => teach.show(shown), onAnswer: () => void (asked = scope.settle(true)), fail, watch, say: (...said) => notice.show(...said) }, keep);

  /** @param {File[]} files */
  async function openFiles(files) {
    // Of a single file of tensors its header says whether it holds classes.
    if (files.length === 1 && /\.safetensors$/i.test(files[0].name) && (await teaching.open(files[0]))) return;
    await scope.openFiles(files);
  }

  const defaults = now();
  const { model: key, sample: name, look, chapter: _, ...choice } = state ?? {};
  const first = image ?? sampleOf(name) ?? samples[0];
  const wanted = model !== undefined ? choiceOf(model) : key ? choiceFor(key, models) : models[0];
  if (look) overlay.show(look);
  if (state) viewer.choose(choice);
  stage.expect(wanted && loader.offered(wanted)?.grid);
  const shown = first && scope.show(first);
  const ready = loader.start(wanted).then(() => asked);
  viewer.expect(Promise.all([shown, ready]));

  return {
    /** When the first model has answered, or can't be had. */
    ready,

    /** What is chosen: of what there is to see, which model and which sample, and how it is drawn; plain data. */
    get state() {
      return now();
    },

    /** What a state is in which nothing was chosen. @type {State} */
    defaults: { ...defaults, model: models[0]?.name ?? null, sample: samples[0]?.name ?? null, chapter: null },

    /** Chooses some of it; the rest stays. Resolves when it is there. */
    choose,

    /** What is shown, where it is the visitor's own. @returns {Promise<File | undefined>} */
    photo: () => scope.own(),

    /** What the model is asked about. */
    get image() {
      return live.running ? viewer.seen : scope.seen;
    },

    /** What answers, once it is loaded. */
    get vit() {
      return session.vit;
    },

    /** The open view over the photo, with what it is and its scale; the photo alone where no view is on it. @returns {Promise<Blob>} a PNG */
    snapshot: () => pins.snapshot(stage.picture),

    get theme() {
      return themeOf(root);
    },

    set theme(theme) {
      setTheme(root, theme);
      viewer.redraw(); // the shade's colour is the page's
    },

    /**
     * @param {Image} image
     * @param {{keep?: boolean}} [options] keep: what is chosen of the one before is chosen of this, too
     */
    show(image, { keep = false } = {}) {
      const shown = scope.show(image);
      if (keep) viewer.expect(shown);
      return shown;
    },

    /** @param {import('../../pkg/index.js').ModelSource | ModelChoice} model */
    load(model) {
      const choice = choiceOf(model);
      return loader.load(choice, choice.dtype);
    },

    propose,

    /**
     * Says what went wrong, with ways on.
     * @param {unknown} error
     * @param {import('./panels/notice.js').Remedy[]} remedies
     */
    fail: (error, ...remedies) => scope.fail(error, ...remedies),

    /** Ends the model's worker, whatever it is at, and so gives its memory back at once. What is shown stays. */
    rest: () => session.end(),

    /** The same model again, after `rest`. */
    resume: () => loader.again.run(),

    /** Ends the model's worker and the camera, and takes everything out of the root. */
    destroy() {
      life.abort();
      teaching.end();
      pins.end();
      scope.end();
      session.end();
      inside.replaceChildren();
      inside.adoptedStyleSheets = [];
    },
  };
}
