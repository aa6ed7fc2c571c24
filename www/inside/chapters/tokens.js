/** The class token, and what goes into the first layer. */
import { make } from '../../explorer/dom.js';
import { count } from '../facts.js';
import { createPhoto } from '../kit/photo.js';
import { createVector } from '../kit/vector.js';

/** @type {import('../figure.js').Chapter} */
export const tokens = {
  id: 'tokens',
  title: 'A token to ask with',
  steps: [
    `<p>The model now has <b data-fact="patches"></b> vectors, one a patch.</p>`,
    `<p data-when="class">One more is put before them: the class token.</p><p data-when="!class">This model has no class token.</p>
     <p>What goes into the first layer has the shape <b data-fact="shape"></b>.</p>`,
  ],
  figure: createTokens,
};

/** @param {import('../figure.js').Hands} hands */
function createTokens({ choose }) {
  const photo = createPhoto('The photo: choose a patch', { onPick: (patch) => choose({ patch }) });
  const vector = createVector('token');
  const element = make('div', {}, [photo.element, vector.element]);
  return {
    element,
    /** @param {import('../figure.js').Context} context */
    async show(context) {
      const { trace, patch, step } = context;
      await photo.show(context, undefined, { patch, cut: true });
      const token = step ? 0 : trace.prefixTokens + patch;
      vector.show(trace.hiddenStates.subarray(token * trace.hiddenSize, (token + 1) * trace.hiddenSize));
      return `${count(trace.tokens)} tokens of ${count(trace.hiddenSize)} numbers; the strip below the photo is one of them.`;
    },
  };
}
