/** How a test says that a call is refused. */
import assert from 'node:assert/strict';
import { VitscopeError } from '../../pkg/dist/engine.node.js';

/** Lets through what no typed caller would pass. @returns {any} */
export const wrong = (/** @type {any} */ value) => value;

/** For `assert.throws` and `assert.rejects`. */
export const failure = (/** @type {RegExp} */ message, code = 'invalid-argument') => (/** @type {any} */ error) => {
  assert.ok(error instanceof VitscopeError, `${error?.stack}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};
