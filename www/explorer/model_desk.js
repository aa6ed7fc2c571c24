/** Which model runs: its line in the header, its dialog, and what is on the Hub or was kept. The explorer has one, and so has the lesson. */
import { find } from './dom.js';
import { Library } from './library.js';
import { Loader } from './loader.js';
import { createHub } from './panels/hub.js';
import { createKept } from './panels/kept.js';
import { createModelDialog } from './panels/model_dialog.js';
import { createStatus } from './panels/status.js';

/**
 * @typedef {{
 *   onFiles: (files: File[]) => void, choose: (state: import('./choice.js').Wish) => void, onSettled: (loaded: boolean) => void, onChange: () => void, fail: (error: unknown) => void,
 * }} Handlers
 *   choose: a model of the Hub that was proposed is wanted, with what goes with it; onSettled: whether there is another model than before; onChange: another is chosen
 */

/**
 * @param {ShadowRoot} inside with `HEADER` and `MODEL_DIALOG` of template.js
 * @param {import('./session.js').Session} session
 * @param {{notice: ReturnType<typeof import('./panels/notice.js').createNotice>, models: import('./models.js').Offer[], hub?: import('./library.js').HubAccess}} around
 * @param {Handlers} handlers
 */
export function createModelDesk(inside, session, { notice, models, hub }, { onFiles, choose, onSettled, onChange, fail }) {
  /** What was asked for together with a model of the Hub. @type {import('./choice.js').Wish} */
  let proposed = {};
  const dialog = /** @type {HTMLDialogElement} */ (find(inside, '#model'));
  const status = createStatus(find(inside, '#status'), () => loader.cancel());
  const picker = createModelDialog(dialog, find(inside, '#model-open'), models, {
    onOpen: () => library.refresh(),
    onFiles,
    onOffer: (offer) => loader.load(offer),
    onDtype: (dtype) => loader.changeDtype(dtype),
  });
  const loader = new Loader(session, { notice, status, dialog: picker }, models, onSettled, onChange);
  const library = new Library({
    dialog: picker,
    kept: createKept(find(dialog, '[data-model=kept]'), { onOpen: (model) => library.open(model), onForget: (model) => library.forget(model) }),
    hub: createHub(find(dialog, '[data-model=hub]'), hub?.suggestions ?? [], {
      onName: (name) => library.name(name),
      onLookUp: (name) => library.lookUp(name),
      onLoad: (name) => library.load(name),
      onAllow: (name) => library.allow(name),
      onForbid: () => library.forbid(),
    }),
  }, hub, models, { fail, load: (choice, dtype) => (proposed.model === choice.source ? choose(proposed) : loader.load(choice, dtype)) });

  return {
    status,
    loader,

    /**
     * Shows a model of the Hub, `org/name`, and waits for the visitor's word.
     * @param {string} name
     * @param {boolean} [ask] it was given for that the Hub is asked what the model is
     * @param {import('./choice.js').Wish} [state] what is chosen with it
     */
    propose(name, ask, state) {
      proposed = { ...state, model: `hf:${name}` };
      library.propose(name, ask);
    },
  };
}
