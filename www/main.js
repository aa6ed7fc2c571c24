/** The page: one explorer, with the page's own models and photos. */
import { engineAssets } from './engine_assets.js';
import { mount } from './explorer/mount.js';
import { keepOffline } from './offline.js';
import { OFFERS, requestedModel } from './offers.js';
import { SAMPLES } from './samples.js';

const root = /** @type {HTMLElement} */ (document.getElementById('explorer'));
const [model, refusal] = requested();
const explorer = mount(root, { model, models: OFFERS, samples: SAMPLES, around: document, keep: 'vitscope-classes', assets: engineAssets });
if (refusal) explorer.fail(refusal);
explorer.ready.then(keepOffline);

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
