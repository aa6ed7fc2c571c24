/** The explorer as one component: a photo, a model, and what that sees. Here its parts are wired. */
import { find } from './dom.js';
import { save } from './download.js';
import { Loader } from './loader.js';
import { Live } from './live/live.js';
import { sharesScreens } from './live/origins.js';
import { choiceOf } from './models.js';
import { createAnswers } from './panels/answers.js';
import { createCaption } from './panels/caption.js';
import { createExports } from './panels/exports.js';
import { createJudge } from './panels/judge.js';
import { createLive } from './panels/live.js';
import { createModelDialog } from './panels/model_dialog.js';
import { createNotice } from './panels/notice.js';
import { createOverlay } from './panels/overlay.js';
import { createPins } from './panels/pins.js';
import { createSources } from './panels/sources.js';
import { createStage } from './panels/stage.js';
import { createStatus } from './panels/status.js';
import { createStrip } from './panels/strip.js';
import { createTabs } from './panels/tabs.js';
import { createTeach } from './panels/teach.js';
import { Pins } from './pins/pins.js';
import { Scope } from './scope.js';
import { Session } from './session.js';
import { STYLES } from './styles.js';
import { Teaching } from './teach/teaching.js';
import { TEMPLATE } from './template.js';
import { Viewer } from './viewer.js';
import { createViews } from './views/index.js';

/**
 * @typedef {import('./models.js').ModelChoice} ModelChoice
 * @typedef {import('./models.js').Offer} Offer
 * @typedef {import('./panels/sources.js').Sample} Sample
 * @typedef {import('./choice.js').Choice} Choice
 * @typedef {{
 *   model?: import('../../pkg/index.js').ModelSource | ModelChoice, image?: Blob | string | URL | Sample, state?: Partial<Choice>,
 *   models?: Offer[], samples?: Sample[], around?: HTMLElement | Document, assets?: import('./session.js').Assets, keep?: string, onChange?: (choice: Choice) => void,
 * }} Options
 *   model: what is loaded, the first of `models` unless told; image: what is shown, the first of `samples` unless told; state: what is chosen of what there is to see;
 *   models, samples: what is offered; around: where files may be dropped and pasted, the root unless told; assets: where the engine's files are, unless beside the package;
 *   keep: the name under which one's own classes are kept in the browser, not at all unless told; onChange: told of every choice
 */

/**
 * Puts an explorer into an element: in a shadow root, with its styles, and without a listener outside of `around`.
 * @param {HTMLElement} root
 * @param {Options} [options]
 */
export function mount(root, { model, image, state, models = [], samples = [], around = root, assets, keep, onChange = () => {} } = {}) {
  const life = new AbortController();
  const inside = root.shadowRoot ?? root.attachShadow({ mode: 'open' });
  inside.adoptedStyleSheets = [sheet()];
  inside.innerHTML = TEMPLATE;
  const at = (/** @type {string} */ id) => find(inside, `#${id}`);
  const change = () => viewer.change();
  const fail = (/** @type {unknown} */ error) => scope.fail(error);

  const dialog = /** @type {HTMLDialogElement} */ (at('model'));
  const notice = createNotice(at('notice'), dialog);
  const answers = createAnswers(at('answers'), (index) => viewer.chooseTarget(index));
  const stage = createStage(at('stage'), {
    onPick: (patch) => viewer.choosePatch(patch),
    onHover: (patch) => viewer.hover(patch),
  }, life.signal);
  const views = createViews({ change, choose: (choice) => viewer.choose(choice) });
  const watch = () => scope.watch();
  const viewer = new Viewer({
    stage,
    answers,
    caption: createCaption(find(inside, 'figcaption'), { onBack: () => viewer.choosePatch(null) }),
    overlay: createOverlay(at('overlay'), () => viewer.redraw()),
    strip: createStrip(at('strip'), (choice) => viewer.choose(choice)),
    tabs: createTabs(at('views'), views, (view) => viewer.choose({ view })),
    judge: createJudge(at('judge')),
    exports: createExports(at('exports'), fail),
    pins: { show: (card) => pins.show(card && { ...card, about: `${card.about} (${session.model?.choice.name}, ${session.model?.config.dtype})` }) },
  }, views, { fail, watch, onChoice: onChange, more: () => scope.more() });

  const row = createPins(at('pins'), find(inside, '[data-pins=pin]'), {
    onPin: () => pins.pin().catch(fail),
    onRemove: (card) => pins.remove(card),
    onCommon: (common) => pins.share(common),
    onExport: () => pins.toPicture().then((blob) => save(blob, 'side-by-side.png'), fail),
  });
  const pins = new Pins((pins) => row.show(pins));

  let asked = Promise.resolve();
  const session = new Session(assets);
  const status = createStatus(at('status'));
  const loader = new Loader(session, {
    notice,
    status,
    dialog: createModelDialog(dialog, at('model-open'), models, {
      onFiles: (files) => openFiles(files),
      onOffer: (offer) => loader.load(offer),
      onDtype: (dtype) => loader.changeDtype(dtype),
    }),
  }, models, (another) => {
    asked = scope.settle(another);
    if (another) teaching.update();
  });

  const sources = createSources(at('sources'), at('drop'), samples, around, {
    onFiles: (files) => openFiles(files),
    onSample: (sample) => scope.openSample(sample),
    onNothing: (message) => notice.show(message),
  }, life.signal);
  /** @type {Scope} */
  const scope = new Scope(session, loader, { notice, answers, stage, status, sources }, viewer, () => live);
  const live = new Live(session, scope, viewer, {
    notice,
    stage,
    sources,
    live: createLive(at('sources'), at('stage'), sharesScreens(), {
      onStart: (kind, given) => live.start({ kind, given }),
      onStop: () => live.finish(),
      onToggle: () => live.toggle(),
    }),
  });

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

  if (state) viewer.choose(state);
  const first = image ?? samples[0];
  if (first) scope.show(first);
  const wanted = model === undefined ? models[0] : choiceOf(model);
  stage.expect(wanted && loader.offered(wanted)?.grid);
  const ready = loader.start(wanted).then(() => asked);

  return {
    /** When the first model has answered, or can't be had. */
    ready,

    /** What is chosen of what there is to see; plain data. */
    get state() {
      return viewer.choice;
    },

    /** @param {Partial<Choice>} choice */
    choose: (choice) => viewer.choose(choice),

    /** @param {Blob | string | URL | Sample} image */
    show: (image) => scope.show(image),

    /** @param {import('../../pkg/index.js').ModelSource | ModelChoice} model */
    load: (model) => loader.load(choiceOf(model)),

    /**
     * Says what went wrong, with ways on.
     * @param {unknown} error
     * @param {import('./panels/notice.js').Remedy[]} remedies
     */
    fail: (error, ...remedies) => scope.fail(error, ...remedies),

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

function sheet() {
  const styles = new CSSStyleSheet();
  styles.replaceSync(STYLES);
  return styles;
}
