import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const after = {
  id: 'after',
  title: 'What came after',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
