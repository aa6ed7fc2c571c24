import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const heads = {
  id: 'heads',
  title: 'Many heads',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
