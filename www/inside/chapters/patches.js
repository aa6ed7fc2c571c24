/** How the photo is cut into patches, and how each becomes a vector. */
import { display, math, num, op, row, sub, sum, sup, sym, fact, words } from '../math.js';
import { createPatches } from '../figures/patches.js';

const [P, D, E, w, x, b, i, j] = ['P', 'D', 'E', 'w', 'x', 'b', 'i', 'j'].map((text) => sym(text));
const z = sym('z', 'z');
const xp = sub(x, sym('p'));
const length = row(num(3), sup(P, num(2)));
const reals = (/** @type {string} */ size) => sup(sym('ℝ'), size);

/** @type {import('../figure.js').Chapter} */
export const patches = {
  id: 'patches',
  title: 'The photo becomes patches',
  steps: [
    `<p>The part of the photo that the model takes is scaled to <b data-fact="image"></b> pixels and cut into patches of <b data-fact="patch"></b>. They lie in a grid of <b data-fact="grid"></b>, do not overlap and
     leave nothing out: <b data-fact="patches"></b> patches.</p>
     <p>One is marked, and large beside the photo: the one that the model will attend to most. Any other can be chosen.</p>`,
    `<p>A patch is numbers: how much red, green and blue each pixel has. They are normalised first: the mean that a colour has over many photos is subtracted, then they are divided by how far it varies, so that they lie
     around 0.</p>
     <p>Written in a row, all of red, then green, then blue, they are the flattened patch</p>
     ${display(xp, op('∈'), reals(length), words(',  '), length, op('='), fact('patch-values'))}
     <p>with ${math(P)} the side of a patch. Which pixels were neighbours is told only by the order, which is the same for every patch.</p>`,
    `<p>For one number of the token, each of the <b data-fact="patch-values"></b> numbers ${math(sub(x, i))} is multiplied by a weight of its own, and all products are added up, with a bias ${math(sub(b, j))}:</p>
     ${display(sub(z, j), op('='), sum(i), sub(w, row(j, i)), sub(x, i), op('+'), sub(b, j))}
     <p>The weights were learned. Laid out as the patch is, they are a small picture, a filter. Where filter and patch have the same sign the product is positive, drawn red, else negative, drawn blue. So the
     sum tells how much of the filter’s pattern is in the patch.</p>`,
    `<p>This model has <b data-fact="width"></b> filters, so a patch becomes a vector of ${math(D, op('='), fact('width'))} numbers. All filters, one a row, are the matrix ${math(E)}, as the ViT paper calls it:</p>
     ${display(z, op('='), E, xp, op('+'), b, words(',  '), E, op('∈'), reals(row(D, op('×'), length)))}
     <p>This is one linear layer, with <b data-fact="embedding-weights"></b> weights, and the same for all patches. Those of its filters that answer this patch most strongly come first. Some models’ filters are
     spots, stripes and colours, like the first ones of a convolutional network; others look like noise, and serve all the same.</p>`,
    `<p>The same is a convolution. A window of <b data-fact="patch"></b> pixels goes over the photo, and at each stop it is multiplied by each filter. Its steps, the stride, are as long as the window, so it visits every
     patch once, and nothing twice. In PyTorch:</p>
     <pre><code>nn.Conv2d(3, <span data-fact="outputs"></span>,
          kernel_size=<span data-fact="kernel"></span>,
          stride=<span data-fact="kernel"></span>)</code></pre>
     <p>Each filter leaves a small picture of <b data-fact="grid"></b> numbers. Read across all <b data-fact="width"></b> of them, every place is a vector again. A convolutional network goes on with more of these; a
     Vision Transformer has this one, and then attention.</p>`,
  ],
  styles: `
    #patches .row { flex: 1; gap: 3cqw; }
    #patches .stage { flex: 1; min-width: 0; min-height: 0; margin-top: 20px; }
    #patches .plane { flex: 1; }
    #patches .strip-of-outputs { position: relative; }
    #patches .strip-of-outputs i { position: absolute; top: -4px; height: 28px; width: 2px; margin-left: -1px; background: var(--signal); pointer-events: none; }
    #patches .note { min-height: 20px; color: var(--ink); }
    #patches .field { white-space: nowrap; }
    #patches .field input { width: clamp(120px, 34cqw, 320px); }
    @container drawing (max-aspect-ratio: 7/10) { #patches .row { flex-direction: column; } }
    @container drawing (max-width: 460px) { #patches .stage { flex: 0.7; } #patches .note { font-size: 12px; } }`,
  staged: [0, 1, 2, 3, 4],
  figure: createPatches,
  facts({ trace: { stages: [{ hiddenSize }], patchSize: [height, width] } }) {
    return {
      'embedding-weights': (3 * height * width * hiddenSize).toLocaleString('en'),
      outputs: String(hiddenSize),
      kernel: height === width ? String(width) : `(${height}, ${width})`,
    };
  },
};
