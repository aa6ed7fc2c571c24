import { simdName, threadCount } from '../backend.js';
import { find } from '../dom.js';

/**
 * Which model runs, in what arithmetic, how fast; while one is loaded, how far that is.
 * @param {HTMLElement} root
 * @param {() => void} onCancel gives up what is loaded
 */
export function createStatus(root, onCancel) {
  const model = find(root, '[data-status=model]');
  const dtype = find(root, '[data-status=dtype]');
  const simd = find(root, '[data-status=simd]');
  const threads = find(root, '[data-status=threads]');
  const forward = find(root, '[data-status=forward]');
  const loading = find(root, '[data-status=loading]');
  const progress = find(root, '[data-status=progress]');
  const fill = find(progress, 'div');
  const cancel = find(root, '[data-status=cancel]');
  cancel.addEventListener('click', onCancel);

  return {
    /**
     * @param {string} name
     * @param {string} [present] the model that answers meanwhile
     * @param {import('../../../pkg/index.js').Progress} [step]
     */
    loading(name, present, step) {
      root.classList.add('busy');
      progress.hidden = cancel.hidden = false;
      const say = (/** @type {string} */ text) => (loading.textContent = `${present ? `${present} answers\n` : ''}${text}`);
      const part = step?.progress ?? 0;
      fill.style.transform = `scaleX(${part})`;
      progress.setAttribute('aria-valuenow', String(Math.round(100 * part)));
      if (step?.phase === 'prepare') return say(`Preparing ${name}`);
      const { loaded = 0, total = 0 } = step?.phase === 'weights' ? step : {};
      const text = loaded ? `Loading ${name}, ${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ''} MB` : `Loading ${name}`;
      if (loaded || !step) say(text);
    },

    /** @param {{name: string, dtype: string, backend: import('../../../pkg/index.js').Backend} | undefined} loaded undefined: there is no model */
    settled(loaded) {
      root.classList.remove('busy');
      progress.hidden = cancel.hidden = true;
      loading.textContent = '';
      model.textContent = loaded?.name ?? 'none';
      model.title = loaded?.name ?? '';
      dtype.textContent = loaded?.dtype ?? '–';
      simd.textContent = loaded ? ` · ${simdName(loaded.backend)}` : '';
      threads.textContent = loaded ? ` · ${threadCount(loaded.backend)}` : '';
      if (!loaded) forward.textContent = '–';
    },

    /** @param {number} ms */
    forward(ms) {
      forward.textContent = `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
    },
  };
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
