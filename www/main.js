/** Wires panels, views, viewer and scope. No logic here. */
import { find } from './dom.js';
import { Loader } from './loader.js';
import { offered, requestedModel } from './offers.js';
import { keepOffline } from './offline.js';
import { createAnswers } from './panels/answers.js';
import { createCaption } from './panels/caption.js';
import { createExports } from './panels/exports.js';
import { createModelDialog } from './panels/model_dialog.js';
import { createNotice } from './panels/notice.js';
import { createOverlay } from './panels/overlay.js';
import { createSources } from './panels/sources.js';
import { createStage } from './panels/stage.js';
import { createStatus } from './panels/status.js';
import { createTabs } from './panels/tabs.js';
import { SAMPLES } from './samples.js';
import { RELOAD, Scope } from './scope.js';
import { Session } from './session.js';
import { Viewer } from './viewer.js';
import { createClass } from './views/class.js';
import { createFeatures } from './views/features.js';
import { createHeads } from './views/heads.js';
import { createLogitLens } from './views/logit_lens.js';
import { createModelFigures } from './views/model_figures.js';
import { createPatchLens } from './views/patch_lens.js';
import { createRollout } from './views/rollout.js';
import { createSimilarity } from './views/similarity.js';

const at = (/** @type {string} */ id) => find(document, `#${id}`);
const change = () => viewer.change();
const fail = (/** @type {unknown} */ error) => scope.fail(error);

const dialog = /** @type {HTMLDialogElement} */ (at('model'));
const notice = createNotice(at('notice'), dialog);
const answers = createAnswers(at('answers'), (index) => viewer.chooseTarget(index));
const stage = createStage(at('stage'), {
  onPick: (patch) => viewer.choosePatch(patch),
  onHover: (patch) => viewer.hover(patch),
});
const views = [
  createHeads(change), createRollout(change), createClass(change), createLogitLens(change), createPatchLens(change),
  createFeatures(change), createSimilarity(change), createModelFigures(change, (patch) => viewer.choosePatch(patch)),
];

const viewer = new Viewer({
  stage,
  answers,
  caption: createCaption(find(document, 'figcaption'), { onBack: () => viewer.choosePatch(null) }),
  overlay: createOverlay(at('overlay'), () => viewer.redraw()),
  tabs: createTabs(at('views'), views, (id) => viewer.choose(id)),
  exports: createExports(at('exports'), fail),
}, views, fail, () => scope.watch());

const session = new Session();
const status = createStatus(at('status'));
const loader = new Loader(session, {
  notice,
  status,
  dialog: createModelDialog(dialog, at('model-open'), {
    onFiles: (files) => scope.openFiles(files),
    onOffer: (offer) => loader.load(offer),
    onDtype: (dtype) => loader.changeDtype(dtype),
  }),
}, (another) => scope.settle(another));

/** @type {Scope} */
const scope = new Scope(session, loader, {
  notice,
  answers,
  stage,
  status,
  sources: createSources(at('sources'), at('drop'), SAMPLES, {
    onFiles: (files) => scope.openFiles(files),
    onSample: (sample) => scope.openSample(sample),
    onCamera: (on) => scope.useCamera(on),
    onNothing: (message) => notice.show(message),
  }),
}, viewer);

// What nobody has caught: a view that crashes under the pointer, say.
addEventListener('error', ({ error }) => error && scope.fail(error, RELOAD));
addEventListener('unhandledrejection', ({ reason }) => scope.fail(reason, RELOAD));
dispatchEvent(new Event('started')); // index.html waits for it

scope.openSample(SAMPLES[0]);
const requested = requestedModel(new URL(location.href));
stage.expect(offered(requested)?.grid);
loader.start(requested).then(keepOffline);
