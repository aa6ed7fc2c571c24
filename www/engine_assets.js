/**
 * The engine's worker as a script of the page's own making. A worker from the server has a policy of its own, that of its answer's headers; one from a blob has
 * the policy of whoever starts it, and so have the threads that it starts in turn: no photo leaves through them.
 */

/** What was made of which script: as good as ever, unless the server has another. */
let made = { script: '', worker: '' };

/**
 * @param {AbortSignal} signal
 * @returns {Promise<import('../pkg/index.js').AssetOptions>}
 */
export async function engineAssets(signal) {
  const script = await readWorker(signal);
  if (script !== made.script) made = { script, worker: URL.createObjectURL(new Blob([script], { type: 'text/javascript' })) };
  return { worker: made.worker };
}

/** @param {AbortSignal} signal */
async function readWorker(signal) {
  const { href } = /** @type {HTMLLinkElement} */ (document.getElementById('worker')); // index.html asks for it before any script has come
  try {
    const response = await fetch(href, { signal });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return await response.text();
  } catch (error) {
    signal.throwIfAborted();
    throw Object.assign(new Error(`${href} could not be loaded (${/** @type {Error} */ (error).message}). Check the connection.`), { code: 'network' });
  }
}
