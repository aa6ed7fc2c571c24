/** Entry: the asynchronous client. The synchronous engine is `engine.js`. */
export { Vitscope } from './client.js';
export { VitscopeError } from './errors.js';
export { toJSON, toNpy, toPNG } from './export.js';
export { COLORMAPS, colourise, drawOverlay, upsample } from './render.js';
