/** Wires panels, views, viewer and scope. No logic here. */
import { find } from './dom.js';
import { DEFAULT_MODEL, requestedModel } from './models.js';
import { createAnswers } from './panels/answers.js';
import { createCaption } from './panels/caption.js';
import { createExports } from './panels/exports.js';
import { createModel } from './panels/model.js';
import { createNotice } from './panels/notice.js';
import { createOverlay } from './panels/overlay.js';
import { createSources } from './panels/sources.js';
import { createStage } from './panels/stage.js';
import { createStatus } from './panels/status.js';
import { createTabs } from './panels/tabs.js';
import { SAMPLES } from './samples.js';
import { Scope } from './scope.js';
import { Session } from './session.js';
import { Viewer } from './viewer.js';
import { createClass } from './views/class.js';
import { createFeatures } from './views/features.js';
import { createHeads } from './views/heads.js';
import { createLogitLens } from './views/logit_lens.js';
import { createModelView } from './views/model.js';
import { createPatchLens } from './views/patch_lens.js';
import { createRollout } from './views/rollout.js';
import { createSimilarity } from './views/similarity.js';

const at = (/** @type {string} */ id) => find(document, `#${id}`);
const redraw = () => viewer.redraw();
const fail = (/** @type {unknown} */ error) => scope.fail(error);

const notice = createNotice(at('notice'));
const answers = createAnswers(at('answers'), (index) => viewer.chooseTarget(index));
const stage = createStage(at('stage'), {
  onPick: (patch) => viewer.choosePatch(patch),
  onHover: (patch) => viewer.hover(patch),
});
const views = [
  createHeads(redraw), createRollout(redraw), createClass(redraw), createLogitLens(redraw), createPatchLens(redraw),
  createFeatures(redraw), createSimilarity(redraw), createModelView(redraw, (patch) => viewer.choosePatch(patch)),
];

const viewer = new Viewer({
  stage,
  answers,
  caption: createCaption(find(document, 'figcaption'), { onBack: () => viewer.choosePatch(null) }),
  overlay: createOverlay(at('overlay'), redraw),
  tabs: createTabs(at('views'), views, (id) => viewer.choose(id)),
  exports: createExports(at('exports'), fail),
}, views, fail);

/** @type {Scope} */
const scope = new Scope(new Session(), {
  notice,
  answers,
  stage,
  status: createStatus(at('status')),
  sources: createSources(at('sources'), at('drop'), SAMPLES, {
    onFiles: (files) => scope.openFiles(files),
    onSample: (sample) => scope.openSample(sample),
    onCamera: (on) => scope.useCamera(on),
    onNothing: (message) => notice.show(message),
  }),
  model: createModel(/** @type {HTMLDialogElement} */ (at('model')), at('model-open'), {
    onFiles: (files) => scope.openFiles(files),
    onDefault: () => scope.loadModel(DEFAULT_MODEL),
    onDtype: (dtype) => scope.changeDtype(dtype),
  }),
}, viewer);

scope.openSample(SAMPLES[0]);
scope.start(requestedModel(new URL(location.href)));
