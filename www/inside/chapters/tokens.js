/** The class token, and what goes into the first layer. */
import { display, fact, op, row, sub, sup, sym, words } from '../math.js';
import { createTokens } from '../figures/tokens.js';
import { count } from '../facts.js';

const Z = sym('z', 'z');
const patch = (/** @type {string} */ above) => sup(Z, above);
const comma = op(',');
const row0 = (/** @type {string[]} */ ...parts) => display(sub(Z, row(sym('0'))), op('='), op('['), ...parts, op(']'));
const ALL = [patch(sym('1')), comma, patch(sym('2')), comma, op('⋯'), comma, patch(sym('N'))];

/** @type {import('../figure.js').Chapter} */
export const tokens = {
  id: 'tokens',
  title: 'A token to ask with',
  steps: [
    `<p>The model now has <b data-fact="patches"></b> vectors of <b data-fact="width"></b> numbers, one a patch. Read row after row they are a sequence, as the words of a sentence are. From here on they are called
     tokens, and the network is that of language models, the Transformer’s encoder (<a href="https://arxiv.org/abs/1706.03762">Vaswani et al., 2017</a>).</p>
     <p>Each token tells of its own patch alone. An answer about the whole photo has to be gathered from all of them.</p>`,
    `<p data-when="class">For this ViT takes a trick of BERT’s (<a href="https://arxiv.org/abs/1810.04805">Devlin et al., 2018</a>): one more token is put before the others, the class token. It belongs to no
     patch. Its <b data-fact="width"></b> numbers were learned in training, like the weights.</p>
     <div data-when="class">${row0(sub(Z, words('class')), comma, ...ALL)}</div>
     <p data-when="class">In each layer it asks the patches, as they ask each other. <span data-when="reads-class">After the last layer the answer is read from <span data-fact="reads"></span>.</span>
     <span data-when="!reads-class">This model reads its answer from <span data-fact="reads"></span> all the same.</span></p>
     <p data-when="!class">Many models put one more, learned token before them, a trick of BERT’s (<a href="https://arxiv.org/abs/1810.04805">Devlin et al., 2018</a>): the class token, from which the answer is read
     at the end. The model that is loaded here has none:</p>
     <div data-when="!class">${row0(...ALL)}</div>
     <p data-when="!class">It reads its answer from <b data-fact="reads"></b>.</p>
     <p data-when="distillation">A second learned token, the distillation token, was trained to say what another network says, the teacher (<a href="https://arxiv.org/abs/2012.12877">Touvron et al., 2020</a>).</p>
     <p data-when="registers">Register tokens are learned too, and nothing is read from them: they are room where layers put what concerns the whole photo, which would else take the place of plain patches
     (<a href="https://arxiv.org/abs/2309.16588">Darcet et al., 2023</a>).</p>`,
    `<p data-when="class">Before the first layer the class token knows nothing. The second row is what the same model makes of a picture that is grey all over: every patch has other numbers than in the photo, the class
     token has the same. Choose another photo above, and it stays as it is.</p>
     <p data-when="class">So whatever it tells at the end, it has from the patches, by way of attention.</p>
     <p data-when="!class">The second row is what the same model makes of a picture that is grey all over. Each patch has other numbers than in the photo.</p>
     <p>Grey patches have the same pixels everywhere. If their strips are still not all alike, it is by what a token is told of its place, which is the next chapter.</p>`,
    `<p>What goes into the first layer is a block of numbers of the shape</p>
     ${display(fact('shape'))}
     <p>one photo, <b data-fact="tokens"></b> tokens (<span data-fact="counted"></span>), <b data-fact="width"></b> numbers each. ViT-B/16 of the paper has [1, 197, 768]: a class token and 196 patches.</p>
     <p>Each of the <b data-fact="layers"></b> layers takes a block of this shape and gives one of the same shape. That is why they can be stacked.</p>`,
  ],
  styles: `
    #tokens .stage { flex: 1.15; }
    #tokens .plane { flex: 1; }`,
  staged: [0, 1, 2, 3],
  figure: createTokens,
  facts: ({ trace: { prefixTokens, tokens } }) => ({
    counted: prefixTokens ? `${count(prefixTokens)} and ${count(tokens - prefixTokens)} patches` : 'patches alone',
  }),
};
