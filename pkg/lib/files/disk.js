/** Files on disk, in Node and what is like it. */
import { builtin } from '../common/environment.js';
import { VitscopeError } from '../common/errors.js';

/**
 * What comes of `work` with an open file: its size, and its bytes from one place to another, or as many as there are.
 * @template T
 * @param {string} url
 * @param {(size: number, at: (begin: number, end: number) => Promise<Uint8Array<ArrayBuffer>>) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withDisk(url, work) {
  if (!globalThis.process) throw new VitscopeError('network', `${url} can't be read here: pages have no access to file: addresses. Serve the folder over HTTP.`);
  const fail = (/** @type {any} */ cause) => {
    throw new VitscopeError('network', `${url} could not be read${cause.code === 'ENOENT' ? ': there is no such file' : ''}.`, { cause });
  };
  const file = await builtin('fs/promises').open(new URL(url)).catch(fail);
  try {
    const { size } = await file.stat().catch(fail);
    return await work(size, async (begin, end) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - begin));
      for (let filled = 0; filled < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, begin + filled).catch(fail);
        if (!bytesRead) fail(new Error('it has become shorter'));
        filled += bytesRead;
      }
      return bytes;
    });
  } finally {
    await file.close();
  }
}

/** @param {string} url */
export function readDisk(url) {
  return withDisk(url, (size, at) => at(0, size));
}

/** @param {string} url */
export async function existsOnDisk(url) {
  return Boolean(globalThis.process && (await builtin('fs/promises').access(new URL(url)).then(() => true, () => false)));
}

/**
 * @param {unknown} cause
 * @returns {never}
 */
export function readError(cause) {
  throw new VitscopeError('network', 'A file of the model could not be read. It may have been moved or changed; choose it again.', { cause });
}
