/**
 * One request to a worker of worker.js, which answers them one at a time.
 * @param {Worker} worker
 * @param {import('./worker.js').Request} request
 * @returns {Promise<any>}
 */
export function ask(worker, request) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => ('error' in data ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = (event) => reject(new Error(event.message || 'the worker could not be started'));
    worker.postMessage(request);
  });
}

export function startWorker() {
  return new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
}
