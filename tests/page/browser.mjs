/** Where the repository is, and how its tests start Chromium. */
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** As root in a container, and silent: no calls home. */
export const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

/** For pages of tests: `explorer()` is where the page's parts are. */
export function withExplorer() {
  globalThis.explorer = () => /** @type {ShadowRoot} */ (document.querySelector('#explorer')?.shadowRoot ?? document.createElement('div').attachShadow({ mode: 'open' }));
}
