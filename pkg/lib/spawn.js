// By way of a constant: bundlers would take `new URL('…', import.meta.url)` for a file to ship.
const HERE = import.meta.url;

/**
 * The address of a worker's script, where no bundler has moved it.
 * @param {'worker.js' | 'thread.js'} script
 */
export function addressOf(script) {
  return new URL(`./${script}`, HERE).href;
}

/**
 * Starts a worker of this package.
 *
 * A worker's script must come from the page's own origin. Where the package is served by another site, a script of our own that
 * imports it will do, as that site's CORS headers allowed the import of this very file.
 *
 * @param {'worker.js' | 'thread.js'} script
 * @param {() => Worker} start `new Worker(new URL('…', import.meta.url), { type: 'module' })`: by that exact form bundlers find it
 * @returns {Worker}
 */
export function spawn(script, start) {
  if (new URL(HERE).origin === globalThis.location.origin) return start();
  const url = URL.createObjectURL(new Blob([`import ${JSON.stringify(addressOf(script))};`], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module' });
  worker.addEventListener('message', () => URL.revokeObjectURL(url), { once: true });
  return worker;
}
