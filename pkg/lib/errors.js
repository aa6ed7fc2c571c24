/** @typedef {import('../index.js').ErrorCode} ErrorCode */

/** Every failure of the package: `code` for programs, `message` for people. */
export class VitscopeError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'VitscopeError';
    this.code = code;
  }
}

/**
 * Turns whatever the wasm boundary threw into a VitscopeError. Rust's own errors carry a `code`; anything else means
 * that the instance can no longer be trusted.
 * @param {unknown} error
 * @returns {VitscopeError}
 */
export function fromEngine(error) {
  if (error instanceof VitscopeError) return error;
  if (error instanceof WebAssembly.RuntimeError) return crashed(error);
  // A RangeError is an allocation that failed, unless it is the stack that ran over.
  if (error instanceof RangeError && !/call stack/i.test(error.message)) {
    return new VitscopeError('out-of-memory', `There is not enough memory for this model or image: ${error.message}.`, { cause: error });
  }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return new VitscopeError(/** @type {ErrorCode} */ (error.code), error.message, { cause: error });
  }
  return crashed(error);
}

/**
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
export function guard(work) {
  try {
    return work();
  } catch (error) {
    throw fromEngine(error);
  }
}

/**
 * @param {unknown} cause
 * @returns {VitscopeError}
 */
export function crashed(cause) {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new VitscopeError('crashed', `The engine stopped unexpectedly (${reason}). Load the model again; the console may say more.`, { cause });
}

/** @returns {VitscopeError} */
export function closed() {
  return new VitscopeError('closed', 'This instance was closed. Load the model again to go on.');
}

/**
 * What crosses the worker boundary: structured clone would drop the class and the code.
 * @typedef {{code: ErrorCode, message: string, cause?: {name: string, message: string, stack?: string}}} PackedError
 */

/**
 * @param {VitscopeError} error
 * @returns {PackedError}
 */
export function packError(error) {
  const { code, message, cause } = error;
  if (!(cause instanceof Error)) return { code, message };
  return { code, message, cause: { name: cause.name, message: cause.message, stack: cause.stack } };
}

/**
 * @param {PackedError} packed
 * @returns {VitscopeError}
 */
export function unpackError({ code, message, cause }) {
  if (!cause) return new VitscopeError(code, message);
  return new VitscopeError(code, message, { cause: Object.assign(new Error(cause.message), cause) });
}
