import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const mlp = {
  id: 'mlp',
  title: 'Each token by itself',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
