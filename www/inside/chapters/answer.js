import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const answer = {
  id: 'answer',
  title: 'From a token to an answer',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
