import { make } from '../../explorer/dom.js';

/** @type {import('../figure.js').Chapter} */
export const cost = {
  id: 'cost',
  title: 'Why not pixels',
  steps: ['<p>To be written.</p>'],
  figure: () => ({ element: make('div'), show: () => '' }),
};
