import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const belief = {
  id: 'belief',
  title: 'What to believe',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
