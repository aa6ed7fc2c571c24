import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const layers = {
  id: 'layers',
  title: 'Layer by layer',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
