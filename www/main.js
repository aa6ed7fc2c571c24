/** Wires the panels to the scope. No logic here. */
import { find } from './dom.js';
import { DEFAULT_MODEL, requestedModel } from './models.js';
import { createAnswers } from './panels/answers.js';
import { createCaption } from './panels/caption.js';
import { createHeads } from './panels/heads.js';
import { createModel } from './panels/model.js';
import { createNotice } from './panels/notice.js';
import { createSources } from './panels/sources.js';
import { createStage } from './panels/stage.js';
import { createStatus } from './panels/status.js';
import { createView } from './panels/view.js';
import { SAMPLES } from './samples.js';
import { Scope } from './scope.js';
import { Session } from './session.js';

const at = (/** @type {string} */ id) => find(document, `#${id}`);

const notice = createNotice(at('notice'));
const caption = createCaption(find(document, 'figcaption'), { onBack: () => scope.choosePatch(null) });

/** @type {Scope} */
const scope = new Scope(new Session(), {
  notice,
  caption,
  answers: createAnswers(at('answers')),
  status: createStatus(at('status')),
  view: createView(at('view'), () => scope.redraw()),
  heads: createHeads(at('heads'), {
    onSelect: (choice) => scope.chooseHead(choice),
    onPreview: (choice) => scope.previewHead(choice),
  }),
  stage: createStage(at('stage'), {
    onPick: (patch) => scope.choosePatch(patch),
    onHover: (patch) => caption.hover(patch),
  }),
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
});

scope.openSample(SAMPLES[0]);
scope.start(requestedModel(new URL(location.href)));
