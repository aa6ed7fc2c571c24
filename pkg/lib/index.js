/** Entry: the asynchronous client. The synchronous engine is `engine.js`. */
export { Vitscope } from './client.js';
export { VitscopeError } from './errors.js';
