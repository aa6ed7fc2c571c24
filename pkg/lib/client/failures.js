/** What fails on the way to the worker, in the package's words. */
import { VitscopeError, fromEngine } from '../common/errors.js';
import { taintedError } from '../image/portable.js';

/**
 * @param {unknown} error
 * @returns {never}
 */
export function withoutMemory(error) {
  throw error instanceof RangeError ? fromEngine(error) : error;
}

/**
 * @param {unknown} cause
 * @returns {never}
 */
export function unreadable(cause) {
  throw new VitscopeError('network', 'The file of classes could not be read. It may have been moved or changed; choose it again.', { cause });
}

/**
 * Bitmaps of another site's pictures can be made, but not handed to a worker.
 * @param {unknown} error
 * @returns {never}
 */
export function untransferable(error) {
  throw error instanceof DOMException && error.name === 'DataCloneError' ? taintedError(error) : error;
}
