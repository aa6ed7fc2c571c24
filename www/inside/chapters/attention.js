import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const attention = {
  id: 'attention',
  title: 'One asks, all answer',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
