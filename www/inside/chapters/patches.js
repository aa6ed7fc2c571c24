import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const patches = {
  id: 'patches',
  title: 'The photo becomes patches',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
