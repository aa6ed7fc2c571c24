/** The page: one explorer, with the page's own models and photos, and what of it is in the address. */
import { createAddress, wish } from './address.js';
import { engineAssets } from './engine_assets.js';
import { keyOf } from './explorer/models.js';
import { mount } from './explorer/mount.js';
import { keepOffline } from './offline.js';
import { OFFERS, requestedModel } from './offers.js';
import { SAMPLES } from './samples.js';
import { allowHub, forbidHub, hubAllowed } from './policy.js';
import { createShare } from './share.js';
import { SUGGESTIONS } from './suggestions.js';

const root = /** @type {HTMLElement} */ (document.getElementById('explorer'));
const [model, refusal] = requested();
const wished = wish();
/** Of a single file the policy has no host: nothing is reached. */
const alone = !document.getElementById('policy');
/** @type {ReturnType<typeof createAddress>} */
let address;
const explorer = mount(root, {
  model: wished.state.model ? undefined : model,
  state: wished.state,
  models: OFFERS,
  samples: SAMPLES,
  around: document,
  assets: engineAssets,
  keep: 'vitscope-classes',
  hub: alone ? undefined : {
    get allowed() {
      return hubAllowed();
    },
    allow(name) {
      address.leave(name);
      if (!allowHub()) explorer.fail(new Error('This browser keeps nothing, so it can\'t be remembered that huggingface.co is allowed. Download the model and choose its folder here.'));
    },
    forbid() {
      address.leave(null);
      forbidHub();
    },
    suggestions: SUGGESTIONS,
  },
  onChange: (state) => address?.change(state),
});
address = createAddress(explorer, { ...explorer.defaults, model: keyOf(model, OFFERS) }, propose);
if (refusal) explorer.fail(refusal);
else propose(wished);
explorer.ready.then(keepOffline);

createShare(/** @type {HTMLElement} */ (document.getElementById('share')), () => {
  const { model, sample } = explorer.state;
  return { link: address.link, whole: model !== null && sample !== null };
}, explorer.fail);

/** What the address wishes and a link alone doesn't get. @param {import('./address.js').Wished} wished */
function propose({ refusal, hub, asked, state }) {
  if (refusal) explorer.fail(refusal);
  if (hub === undefined) return;
  if (alone) explorer.fail(new Error(`The link asks for ${hub} of huggingface.co, and from the disk this page reaches nothing. Download it and choose its folder here.`));
  else explorer.propose(hub, asked, state);
}

// A page that is left needs no memory, not even where the back button may bring it back as it is.
addEventListener('pagehide', () => explorer.rest());
addEventListener('pageshow', ({ persisted }) => persisted && explorer.resume());

// What nobody has caught: a view that crashes under the pointer, say.
const RELOAD = { label: 'Reload page', run: () => location.reload() };
addEventListener('error', ({ error }) => error && explorer.fail(error, RELOAD));
addEventListener('unhandledrejection', ({ reason }) => explorer.fail(reason, RELOAD));
dispatchEvent(new Event('started')); // index.html waits for it

/** @returns {[import('./explorer/models.js').ModelChoice, unknown?]} the model that the address asks for, or why another one is loaded */
function requested() {
  try {
    return [requestedModel(new URL(location.href))];
  } catch (error) {
    return [OFFERS[0], error];
  }
}
