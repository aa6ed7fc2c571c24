import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const positions = {
  id: 'positions',
  title: 'Where a patch is',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
