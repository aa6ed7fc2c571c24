/** What came after the first Vision Transformer, an idea a step; a mistake that is often seen; and where to go on. */
import { createDistillation } from '../figures/after/distillation.js';
import { createDivisor } from '../figures/after/divisor.js';
import { createOffsets } from '../figures/after/offsets.js';
import { createOutlines } from '../figures/after/outlines.js';
import { createRegisters } from '../figures/after/registers.js';
import { createWhole } from '../figures/after/whole.js';
import { createWindows } from '../figures/after/windows.js';
import { createScenes } from '../kit/scenes.js';
import { brackets, display, fact, fn, frac, math, op, root, row, sub, sup, sym } from '../math.js';

/** In the order of the steps. */
const SCENES = /** @type {const} */ (['distillation', 'windows', 'outlines', 'offsets', 'registers', 'divisor', 'whole']);

/** √d_k */
const scale = root(sub(sym('d'), sym('k')));

/** @type {import('../figure.js').Chapter} */
export const after = {
  id: 'after',
  title: 'What came after',
  steps: [
    `<p>The first Vision Transformers needed hundreds of millions of pictures. <b>DeiT</b> (<a href="https://arxiv.org/abs/2012.12877">Touvron et al., 2021</a>) learned from ImageNet’s 1.3 million, with a
     teacher: beside the class token there is a <b>distillation token</b>, which learns what a trained convolutional network says of the photo. When it is used, the two answers are averaged.</p>
     <p data-when="distillation">This model has both. The figure shows what each looks at.</p>
     <p data-when="!distillation">The loaded model has no such token.</p>`,

    `<p>Every token meets every other, so twice as many patches a side cost sixteen times as many scores. <b>Swin</b> (<a href="https://arxiv.org/abs/2103.14030">Liu et al., 2021</a>) lets a patch look only
     within its window, and shifts the windows by half their size in every other block, so that what is known gets across their edges. Windows at the edge are then of parts that lie apart in the
     photo and do not see each other. Between stages four patches become one, as in a convolutional network: with the <b>stage</b>’s slider patches grow, and so does what a window spans.</p>
     <p data-when="!staged">The loaded model looks everywhere. What it gives to patches outside of the window, Swin would have to bring by other blocks. The figure cuts the photo as
     Swin-T does; with a Swin checkpoint opened by the <b>Model</b> button, at the top of this page, it shows where that model’s heads look.</p>
     <p data-when="staged">The loaded model is a <b data-fact="family"></b>, and the figure shows where its heads look: choose a patch.</p>`,

    `<p><b>DINO</b> (<a href="https://arxiv.org/abs/2104.14294">Caron et al., 2021</a>) trained without any labels: two views of a photo have to get the same answer from two copies of the network, one of
     which is a slow average of the other. Nobody drew an outline for it, and yet heads of the last layer followed those of objects.</p>
     <p>The loaded model is a <b data-fact="family"></b>. Here are the <b data-fact="last-heads"></b> heads of its last layer as DINO’s paper shows them: of each the strongest patches, which share 60 % of what the
     head looks at.</p>`,

    `<p><b>BEiT</b> (<a href="https://arxiv.org/abs/2106.08254">Bao et al., 2021</a>) learned like a language model, by filling in patches that were hidden. In each head it adds a learned number
     ${math(sym('b', 's'))} to a score, the same wherever two patches are equally far apart:</p>
     ${display(frac(row(sup(sub(sym('q', 'q'), sym('i')), sym('T')), sub(sym('k', 'k'), sym('j'))), scale), op('+'), sub(sym('b', 's'), row(sym('j'), op('−'), sym('i'))))}
     <p>Here ${math(sub(sym('q', 'q'), sym('i')))} is the query of patch ${math(sym('i'))} and ${math(sub(sym('k', 'k'), sym('j')))} the key of patch ${math(sym('j'))}.
     <span data-when="relative">The table is this model’s own.</span>
     <span data-when="!relative">The loaded model has no such table. But its heads learned distances all the same, from positions and contents: here is how one looks around itself, on this photo.</span></p>`,

    `<p>In large models a few patches of plain background grow vectors many times as long as the others, and maps of attention get specks there. The model keeps notes in patches that nobody misses.
     <b>Registers</b> (<a href="https://arxiv.org/abs/2309.16588">Darcet et al., 2023</a>) are tokens added for that alone: they hold the notes, belong to no patch, and are thrown away at the end.</p>
     <p data-when="registers">This model has them. The figure shows what each looks at.</p>
     <p data-when="!registers">This model has none. Whether it needs any shows in the lengths of its patches’ vectors.</p>`,

    `<p>One line is often wrong in code for Vision Transformers. The scores must be divided by the <em>root</em> of the length ${math(sub(sym('d'), sym('k')))} of a query:</p>
     ${display(fn('softmax'), brackets(frac(row(sym('Q', 'q'), sup(sym('K', 'k'), sym('T'))), scale)), sym('V', 'v'))}
     <p>Rows of ${math(sym('Q', 'q'))}, ${math(sym('K', 'k'))} and ${math(sym('V', 'v'))} are the tokens’ queries, keys and values. Where these numbers have variance 1, a score, which
     is a sum of ${math(sub(sym('d'), sym('k')), op('='), fact('head-size'))} products, has variance ${math(fact('head-size'))}, and the root brings it back to 1 (<a href="https://arxiv.org/abs/1706.03762">Vaswani et al., 2017</a>). Divided by
     <code>dim // heads</code> itself, softmax gets scores near 0 and looks at everything alike: it raises no error, it only learns badly.</p>`,

    `<p>That is the whole way: patches, places, <b data-fact="layers"></b> times attention and MLP, an answer. Go through it again with <b>your photo</b>, at the top of this page, and it looks at what you know.</p>
     <p><a href="../">The explorer</a> has all of this for any photo at once: every head, what speaks for a class, a camera, classes of your own; and it takes <b>your own model</b>, from a folder or from the
     Hugging Face Hub.</p>`,
  ],
  styles: /* css */ `
#after .windows .controls { align-items: center; }
#after .tokens { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; flex: none; font-size: 13px; color: var(--soft); }
#after .tokens b { padding: 4px 10px; border: 1px solid currentColor; border-radius: 4px; font-weight: 600; }
#after .tokens .absent { border-style: dashed; }
#after .tokens canvas { width: 34px; height: 34px; }
#after .block { flex: none; padding: 7px; text-align: center; border: 1px solid var(--strong-line); border-radius: 4px; font-size: 13px; }
#after .ends { flex: none; display: grid; gap: 4px; font-size: 13px; }
#after .divisor pre { margin: 0; padding: 8px 10px; background: var(--well); border-radius: 4px; font-size: 13px; line-height: 1.5; white-space: pre-wrap; flex: none; }
#after .divisor .wrong h3 { color: var(--signal); }
#after .divisor code { font-size: 1em; }
#after .divisor svg { flex: none; width: 100%; height: clamp(26px, 9cqh, 80px); border-bottom: 1px solid var(--line); }
#after .divisor path { fill: var(--bar); }
#after .divisor dl { flex: none; display: grid; gap: 2px; font-size: 13px; }
#after .divisor dl > div { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; border-bottom: 1px solid var(--line); }
#after .divisor dt { color: var(--soft); }
#after .divisor dd { font-weight: 600; white-space: nowrap; }
#after .histogram { flex: 0 1 auto; min-height: 0; aspect-ratio: 1; display: flex; flex-direction: column; }
#after .histogram svg { flex: 1; min-height: 0; width: 100%; }
#after .histogram p { display: flex; justify-content: space-between; font-size: 12px; color: var(--soft); }
#after .bin { fill: var(--bar-rest); }
#after .bin.now { fill: var(--signal); }
#after .axis { stroke: var(--line); }
#after .bars { flex: none; }
#after .whole canvas { background: none; }
@container drawing (max-width: 480px) {
  #after .tokens, #after .ends { font-size: 12px; gap: 4px; }
  #after .tokens b { padding: 1px 6px; }
  #after .tokens canvas { width: 22px; height: 22px; }
  #after .tokens canvas:nth-of-type(n + 4) { display: none; }
  #after .block { padding: 2px; }
  #after .side { gap: 4px; }
  #after .divisor .side { justify-content: flex-start; }
  #after .divisor pre { min-height: 38px; padding: 4px 6px; font-size: 11px; line-height: 1.35; }
  #after .divisor svg { flex: none; width: 100%; height: clamp(26px, 9cqh, 80px); border-bottom: 1px solid var(--line); }
#after .divisor path { fill: var(--bar); }
#after .divisor dl { font-size: 11px; gap: 0; }
  #after .bars { gap: 0; }
}
@container drawing (max-width: 480px) and (max-height: 420px) {
  #after .divisor .rest, #after .divisor dl > :first-child, #after .divisor dl > :last-child { display: none; }
}
`,
  staged: [0, 1, 2, 6],
  figure: (hands) => createScenes(hands, {
    distillation: createDistillation, windows: createWindows, outlines: createOutlines, offsets: createOffsets, registers: createRegisters, divisor: createDivisor, whole: createWhole,
  }, ({ step }) => SCENES[step]),
};
