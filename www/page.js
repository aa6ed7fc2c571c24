/** What the pages have in common: which models and photos there are, the address, the policy, the service worker. */
import { createAddress, wish } from './address.js';
import { carried, carry, forgetCarried } from './carried.js';
import { engineAssets } from './engine_assets.js';
import { keyOf } from './explorer/models.js';
import { keepOffline } from './offline.js';
import { isOnHub } from './linked_model.js';
import { OFFERS, requestedModel } from './offers.js';
import { SAMPLES } from './samples.js';
import { allowHub, forbidHub, hubAllowed } from './policy.js';
import { createShare } from './share.js';
import { SUGGESTIONS } from './suggestions.js';

/**
 * @typedef {import('./explorer/mount.js').Options} Options
 * @typedef {Omit<ReturnType<typeof import('./explorer/mount.js').mount>, 'load' | 'show' | 'image' | 'vit' | 'snapshot' | 'theme' | 'destroy'>} Mounted
 */

/**
 * Fills the page with a component, which the address and the page's consents are about.
 * @param {HTMLElement} root
 * @param {(root: HTMLElement, options: Options) => Mounted} mount
 * @param {{up?: string, keep?: string}} [own] up: from the document to the folder that has the samples
 */
export async function openPage(root, mount, { up = '', keep } = {}) {
  const { photo, agreed, left } = await carried();
  if (agreed && !history.state) history.replaceState({ agreed }, '');
  const [model, refusal] = requested();
  const wished = wish();
  /** Of a single file the policy has no host: nothing is reached. */
  const alone = !document.getElementById('policy');
  /** @type {ReturnType<typeof createAddress>} */
  let address;
  const mounted = mount(root, {
    model: wished.state.model ? undefined : model,
    image: wished.state.sample ? undefined : photo,
    state: wished.state,
    models: OFFERS,
    samples: SAMPLES.map((sample) => ({ ...sample, file: up + sample.file })),
    around: document,
    assets: engineAssets,
    keep,
    hub: alone ? undefined : {
      get allowed() {
        return hubAllowed();
      },
      allow(name) {
        address.leave(name);
        if (!allowHub()) mounted.fail(new Error('This browser keeps nothing, so it can\'t be remembered that huggingface.co is allowed. Download the model and choose its folder here.'));
      },
      forbid() {
        address.leave(null);
        forbidHub();
      },
      suggestions: SUGGESTIONS,
    },
    onChange: (state) => address?.change(state),
  });
  address = createAddress(mounted, { ...mounted.defaults, model: keyOf(model, OFFERS) }, propose);
  if (refusal) mounted.fail(refusal);
  else if (left) mounted.fail(new Error("The files of your model can't go along from page to page. Choose its folder here, by Model."));
  else propose(wished);
  mounted.ready.then(() => Promise.all([keepOffline(), forgetCarried()]));
  link(mounted, address);

  createShare(/** @type {HTMLElement} */ (document.getElementById('share')), () => {
    const { model, sample } = mounted.state;
    return { link: address.link, whole: model !== null && sample !== null };
  }, mounted.fail);

  /** What the address wishes and a link alone doesn't get. @param {import('./address.js').Wished} wished */
  function propose({ refusal, hub, asked, state }) {
    if (refusal) mounted.fail(refusal);
    if (hub === undefined) return;
    if (alone) mounted.fail(new Error(`The link asks for ${hub} of huggingface.co, and from the disk this page reaches nothing. Download it and choose its folder here.`));
    else mounted.propose(hub, asked, state);
  }

  // A page that is left needs no memory, not even where the back button may bring it back as it is.
  addEventListener('pagehide', () => mounted.rest());
  addEventListener('pageshow', ({ persisted }) => persisted && mounted.resume());

  // What nobody has caught: a view that crashes under the pointer, say.
  const RELOAD = { label: 'Reload page', run: () => location.reload() };
  addEventListener('error', ({ error }) => error && mounted.fail(error, RELOAD));
  addEventListener('unhandledrejection', ({ reason }) => mounted.fail(reason, RELOAD));
  dispatchEvent(new Event('started')); // index.html waits for it
}

/**
 * The way to the other page takes along what is shown.
 * @param {Mounted} mounted
 * @param {{readonly link: string}} address
 */
function link(mounted, address) {
  const { pathname } = /** @type {HTMLAnchorElement | null} */ (document.getElementById('other')) ?? {};
  // There may be others in the text that lead there.
  addEventListener('click', async (event) => {
    const other = event.composedPath().find((part) => part instanceof HTMLAnchorElement && part.pathname === pathname);
    if (!(other instanceof HTMLAnchorElement)) return;
    other.hash = new URL(address.link).hash;
    const folder = new URL(location.href).searchParams.get('model'); // from here on, where it is no path
    if (folder) other.search = `?model=${new URL(folder, location.href).pathname}`;
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return; // another tab, which begins by itself
    event.preventDefault();
    const { model } = mounted.state;
    await carry(await mounted.photo(), model ? { agreed: isOnHub(model) ? model : undefined } : { left: true });
    location.assign(other.href);
  });
}

/** @returns {[import('./explorer/models.js').ModelChoice, unknown?]} the model that the address asks for, or why another one is loaded */
function requested() {
  try {
    return [requestedModel(new URL(location.href))];
  } catch (error) {
    return [OFFERS[0], error];
  }
}
