/**
 * The engine's worker as a script of the page's own making. A worker from the server has a policy of its own, that of its answer's headers; one from a blob has
 * the policy of whoever starts it, and so have the threads that it starts in turn: no photo leaves through them.
 */

/** The address of the blob, once it is there. @type {string | undefined} */
let worker;

/**
 * @param {AbortSignal} signal
 * @returns {Promise<import('../pkg/index.js').AssetOptions>}
 */
export async function engineAssets(signal) {
  worker ??= await readWorker(signal);
  return { worker };
}

/** @param {AbortSignal} signal */
async function readWorker(signal) {
  const { href } = /** @type {HTMLLinkElement} */ (document.getElementById('worker')); // index.html asks for it before any script has come
  try {
    const response = await fetch(href, { signal });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return URL.createObjectURL(new Blob([await response.text()], { type: 'text/javascript' }));
  } catch (error) {
    signal.throwIfAborted();
    throw Object.assign(new Error(`${href} could not be loaded (${/** @type {Error} */ (error).message}). Check the connection.`), { code: 'network' });
  }
}
