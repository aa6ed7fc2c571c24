/** @typedef {import('../../index.js').ErrorCode} ErrorCode */

const BRAND = Symbol.for('vitscope.VitscopeError');

/** The remedy where a tool made less of the package than it is. */
export const ASSETS_HINT = "Copy the package's folder dist/vitscope/ to where it is served, and say where by load(model, { assets: { base: '/vitscope/' } }).";

/** Every failure of the package: `code` for programs, `message` for people. */
export class VitscopeError extends Error {
  /** In the bundle a class is called by a letter. @override */
  static name = 'VitscopeError';

  /**
   * Each entry is one file, with this class in it: an error of one is an instance in all.
   * @override
   * @param {any} value
   */
  static [Symbol.hasInstance](value) {
    return this === VitscopeError ? value?.[BRAND] === true : super[Symbol.hasInstance](value);
  }

  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }

  get [BRAND]() {
    return true;
  }
}

// Before one is made, so that its stack begins with it.
VitscopeError.prototype.name = VitscopeError.name;

/**
 * Turns whatever the wasm boundary threw into a VitscopeError. Rust's own errors carry a `code`; anything else means
 * that the instance can no longer be trusted.
 * @param {unknown} error
 * @param {WebAssembly.Memory} [memory] the engine's
 * @returns {VitscopeError}
 */
export function fromEngine(error, memory) {
  if (error instanceof VitscopeError) return error;
  if (error instanceof WebAssembly.RuntimeError && memory && isFull(memory)) {
    return new VitscopeError('out-of-memory', 'The engine ran out of memory and stopped. Load the model again, at a smaller size or in its int8 form, or another one.', { cause: error });
  }
  // A RangeError is an allocation that failed, unless it is the stack that ran over.
  if (error instanceof RangeError && !/call stack/i.test(error.message)) {
    return new VitscopeError('out-of-memory', `There is not enough memory for this model or image: ${error.message}.`, { cause: error });
  }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return new VitscopeError(/** @type {ErrorCode} */ (error.code), error.message, { cause: error });
  }
  return crashed(error);
}

/** Buffers of the engine leave this much for what nobody checks: if it is gone, that is what it died of. @param {WebAssembly.Memory} memory */
function isFull(memory) {
  try {
    memory.grow(16);
    return false;
  } catch {
    return true;
  }
}

/**
 * Calls the engine.
 * @template T
 * @param {() => T} work
 * @param {WebAssembly.Memory} [memory] the engine's
 * @returns {T}
 */
export function guard(work, memory) {
  try {
    return work();
  } catch (error) {
    // The engine catches what JavaScript throws below it: an array that was transferred meanwhile, say.
    if (error instanceof TypeError) throw invalid(`What the engine was given can't be read (${error.message}).`, { cause: error });
    throw fromEngine(error, memory);
  }
}

const OF_AN_IMAGE = ['invalid-image', 'decode-image', 'network', 'invalid-argument'];

/**
 * What is wrong with one of several images says which it is.
 * @param {unknown} error
 * @param {number} index
 */
export function ofImage(error, index) {
  if (!(error instanceof VitscopeError) || !OF_AN_IMAGE.includes(error.code)) return error;
  return new VitscopeError(error.code, `images[${index}]: ${error.message}`, { cause: error });
}

/**
 * Whether the instance can't be used any more.
 * @param {unknown} error
 */
export function isFatal(error) {
  return error instanceof VitscopeError && (error.code === 'crashed' || error.cause instanceof WebAssembly.RuntimeError);
}

/**
 * @param {unknown} cause
 * @returns {VitscopeError}
 */
export function crashed(cause) {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new VitscopeError('crashed', `The engine stopped unexpectedly (${reason}). Load the model again; the console may say more.`, { cause });
}

/**
 * What a caller gave is wrong.
 * @param {string} message
 * @param {ErrorOptions} [options]
 */
export function invalid(message, options) {
  return new VitscopeError('invalid-argument', message, options);
}

/**
 * A view that means nothing of a model.
 * @param {string} view
 * @param {string} why in a sentence
 */
export function unsupported(view, why) {
  return new VitscopeError('unsupported-view', `${view} is not defined for this model: ${why}`);
}

/** @returns {VitscopeError} */
export function closed() {
  return new VitscopeError('closed', 'This instance was closed. Load the model again to go on.');
}

/**
 * What crosses the worker boundary: structured clone would drop the class and the code.
 * @typedef {{code: ErrorCode, message: string, fatal: boolean, cause?: {name: string, message: string, stack?: string}}} PackedError
 */

/**
 * @param {VitscopeError} error
 * @returns {PackedError}
 */
export function packError(error) {
  const { code, message, cause } = error;
  const packed = { code, message, fatal: isFatal(error) };
  if (!(cause instanceof Error)) return packed;
  return { ...packed, cause: { name: cause.name, message: cause.message, stack: cause.stack } };
}

/**
 * @param {PackedError} packed
 * @returns {VitscopeError}
 */
export function unpackError({ code, message, cause }) {
  if (!cause) return new VitscopeError(code, message);
  return new VitscopeError(code, message, { cause: Object.assign(new Error(cause.message), cause) });
}
