/** Where the page is a site with a service worker: registers that, and offers the next version once it is all there. Elsewhere the document names none. */
import { make } from './explorer/dom.js';

/** To be called when the page has time: the files that are kept are asked for again. */
export async function keepOffline() {
  const named = /** @type {HTMLMetaElement | null} */ (document.querySelector('meta[name=serviceworker]'));
  const { serviceWorker } = navigator;
  if (!named || !serviceWorker) return;
  const registration = await serviceWorker.register(named.content, { updateViaCache: 'none' }).catch(() => undefined);
  if (!registration) return; // a private window's, say: the page works without
  serviceWorker.controller?.postMessage({ opened: named.dataset.version });
  let offered = false;
  const look = () => {
    if (!registration.waiting || !serviceWorker.controller || offered) return;
    offered = true;
    offer(() => take(serviceWorker, registration));
  };
  const watch = () => registration.installing?.addEventListener('statechange', look);
  registration.addEventListener('updatefound', watch);
  watch();
  look();
}

/**
 * @param {ServiceWorkerContainer} serviceWorker
 * @param {ServiceWorkerRegistration} registration
 */
function take(serviceWorker, { waiting }) {
  if (!waiting) return location.reload(); // another page has taken it
  serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
  waiting.postMessage('take');
}

/** @param {() => void} accept */
function offer(accept) {
  const text = make('p', { role: 'status' });
  const reload = make('button', { type: 'button', class: 'button' }, ['Reload']);
  const later = make('button', { type: 'button', class: 'button quiet' }, ['Later']);
  const box = make('div', { class: 'notice version' }, [text, reload, later]);
  reload.addEventListener('click', accept);
  later.addEventListener('click', () => box.remove());
  document.body.append(box);
  text.textContent = 'A new version is ready.'; // once it is there: so it is read out
}
