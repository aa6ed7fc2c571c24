/** Entry: the asynchronous client. The synchronous engine is `engine.js`. */
export { Vitscope } from './client/client.js';
export { VitscopeError } from './common/errors.js';
export { toPNG } from './draw/png.js';
export { toJSON, toNpy } from './views/files.js';
export { Trace } from './engine/trace.js';
export { drawOverlay } from './draw/overlay.js';
export { COLORMAPS, colourise, upsample } from './draw/render.js';
