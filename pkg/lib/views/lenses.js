/** The views of a trace that need the model which made it: what each asks of it, and the names of its options. */
import { mlp, norms, query, unit } from './inside.js';
import { LENS_OPTIONS, logitLens, patchLens } from './requests.js';

/** @typedef {{request: (config: import('../../index.js').ModelConfig, trace: any, options: any) => import('./requests.js').Request<any>, options: string[]}} Lens */

export const LENSES = {
  logitLens: /** @type {Lens} */ ({ request: logitLens, options: [] }),
  patchLens: /** @type {Lens} */ ({ request: patchLens, options: LENS_OPTIONS }),
  query: /** @type {Lens} */ ({ request: query, options: ['layer', 'head', 'query'] }),
  mlp: /** @type {Lens} */ ({ request: mlp, options: ['layer', 'token'] }),
  unit: /** @type {Lens} */ ({ request: unit, options: ['layer', 'unit'] }),
  norms: /** @type {Lens} */ ({ request: norms, options: ['layer'] }),
};
