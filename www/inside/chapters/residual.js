import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const residual = {
  id: 'residual',
  title: 'What stays, and what is added',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
