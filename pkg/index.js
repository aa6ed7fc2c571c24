/** Public entry: the asynchronous client. For the synchronous engine import `vitscope/engine`. */
export { Vitscope } from './lib/client.js';
export { VitscopeError } from './lib/errors.js';
