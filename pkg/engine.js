/** Public entry: the synchronous engine, for workers, Node and tests. It blocks the thread that calls it. */
export { Engine } from './lib/engine.js';
export { VitscopeError } from './lib/errors.js';
