/** Where a patch is: what a set of patches does not say, and how models are told. */
import { createPlaceVectors } from '../figures/place_vectors.js';
import { createRelative } from '../figures/relative.js';
import { createResizeGrid } from '../figures/resize_grid.js';
import { createShuffle } from '../figures/shuffle.js';
import { createTurned } from '../figures/turned.js';
import { createScenes } from '../kit/scenes.js';
import { brackets, display, math, num, op, row, sub, subsup, sup, sym } from '../math.js';

/** @typedef {import('../figure.js').Context} Context */

/** @type {import('../figure.js').Chapter} */
export const positions = {
  id: 'positions',
  title: 'Where a patch is',
  steps: [
    `<p>The layers that follow treat the tokens as a set. Every token may take from every other, and nothing in that says which patch lies beside which.</p>
     <p>It can be tried. Here the model runs with all that tells it places left out. Left, the photo; right, the same <b data-fact="patches"></b> patches in another order. The answers are the same
     up to rounding, whatever the order.<span data-when="int8"> (This model computes in 8-bit integers, which round more than others do.)</span></p>
     <p><small>To swap two patches, drag one onto the other, or choose one and then the other.</small></p>`,

    `<div data-when="learned"><p>So each place has a vector of its own, ${math(sym('p', 'z'))}, which is added to the patch’s before the first layer:</p>
     ${display(subsup(sym('z', 'z'), sym('i'), num(0)), op('='), row(sym('E'), sub(sym('x'), sym('i'))), op('+'), sub(sym('p', 'z'), sym('i')))}
     <p>Here ${math(sub(sym('x'), sym('i')))} are the pixels of patch ${math(sym('i'))} and ${math(sym('E'))} is the patch projection. The vectors were learned like all other weights. Nobody told the model that
     places form a grid, and yet those of one row and one column came out alike
     (<a href="https://arxiv.org/abs/2010.11929">Dosovitskiy et al., 2020</a>, figure 7).</p></div>
     <div data-when="sinusoidal"><p>This model learned nothing for it: to each patch’s vector it adds sines and cosines of the row and the column, from fast ones to slow ones
     (<a href="https://arxiv.org/abs/1706.03762">Vaswani et al., 2017</a>). Places that are close get vectors that are alike. Most Vision Transformers learn one vector for each place instead.</p></div>
     <div data-when="!learned"><p data-when="rotary">The first Vision Transformers learned a vector for each place and added it to the patch’s. This model adds nothing: it turns the vectors that are compared in
     attention by angles that follow the place. The map shows what that does to one and the same pair of vectors.</p>
     <p data-when="relative">The first Vision Transformers learned a vector for each place and added it to the patch’s. This model adds nothing there: in each layer it adds a learned number for
     each distance to the scores of attention. The map shows these numbers around one patch.</p></div>`,

    `<p>With its positions the model is not indifferent any more: the same patches in another order are another picture to it. How much the answer changes says how much of it rests on the arrangement, and
     how much on what single patches show.</p>
     <p>Move fewer patches: most models keep their answer for a while. They were never trained on such pictures, so this says what this model does, not what one could learn
     (<a href="https://arxiv.org/abs/2105.10497">Naseer et al., 2021</a>).</p>`,

    `<div data-when="learned"><p>A larger image has more patches, and there are places that have no vector. They are made of those that there are: the learned vectors are laid out as a picture of
     <b data-fact="grid"></b> and that picture is resized, as any photo would be.</p>
     <p>Bicubic interpolation takes the sixteen nearest: those at hand with much weight, those further off with little, some of it below 0. The weights of the row times those of the column sum to 1. Image size
     can be chosen so, but a model is at its best near the size that it was trained for.</p></div>
     <div data-when="!learned"><p>Where positions are learned vectors, another image size means that the grid of vectors has to be resized like a picture.</p>
     <p data-when="sinusoidal">Sines and cosines exist for any place, so here nothing is interpolated.</p>
     <p data-when="rotary">Angles exist for any place, so this model takes another grid as it is.</p>
     <p data-when="relative">Here it is the table of distances that is resized: a larger grid has distances that were never learned.</p></div>`,

    `<p>Two later ideas tell distances, not places. <b>Relative bias</b> adds a learned number for each distance to the scores of attention, the subject of the next chapter. <b>Rotary positions</b>
     (<a href="https://arxiv.org/abs/2104.09864">Su et al., 2021</a>) turn what is compared there, a query ${math(sym('q', 'q'))} and a key ${math(sym('k', 'k'))}: each pair of their numbers is a hand of a
     clock, and the place sets how far it turns, some pairs fast and some slowly.</p>
     ${display(sup(brackets(sub(sym('R'), sym('i')), sym('q', 'q')), sym('T')), brackets(sub(sym('R'), sym('j')), sym('k', 'k')), op('='), sup(sym('q', 'q'), sym('T')), sub(sym('R'), row(sym('j'), op('−'), sym('i'))), sym('k', 'k'))}
     <p>Both hands turn when both places move (${math(sub(sym('R'), sym('i')))} is the turn of place ${math(sym('i'))}), and the angle between them stays.
     <span data-when="rotary">This model does so in every layer.</span>
     <span data-when="!rotary"><span data-when="!relative">This model does not: the figure turns one of its queries to show it.</span></span>
     <span data-when="relative">The figure shows this model’s own bias, around one patch.</span></p>`,
  ],
  styles: /* css */ `
#positions .step div > * + * { margin-top: 0.8em; }
#positions .shuffle .bars li { grid-template-columns: minmax(0, 7.5em) minmax(0, 1fr) 4.5em; gap: 10px; min-height: 22px; }
#positions .shuffle .score { text-align: right; }
#positions .shuffle .was { display: none; }
#positions .square { flex: 1; min-width: 0; display: grid; place-items: center; container-type: size; }
#positions .all { position: relative; width: min(100cqw, calc(100cqh * var(--ratio, 1))); }
#positions .all canvas { margin: 0; max-width: none; width: 100%; }
#positions .all .cell { position: absolute; pointer-events: none; box-shadow: 0 0 0 2px var(--signal); }
#positions .three { flex: 1; min-height: 0; display: grid; gap: 16px; grid-template: "from to" 1.25fr "zoom zoom" 1fr / 1fr 1fr; }
#positions .three > :nth-child(1) { grid-area: from; }
#positions .three > :nth-child(2) { grid-area: zoom; }
#positions .three > :nth-child(3) { grid-area: to; }
#positions .three .side { gap: 4px; text-align: center; }
#positions .clocks { flex: none; display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 12px; }
#positions .clocks > div { text-align: center; font-size: 12px; color: var(--soft); }
#positions .clocks svg { display: block; width: 100%; max-height: 22cqh; }
#positions .face { fill: none; stroke: var(--line); stroke-width: 1.5; }
#positions .hand { stroke: currentColor; stroke-width: 4; stroke-linecap: round; }
#positions .hand.still { stroke-width: 1.5; opacity: 0.45; }
@container drawing (min-aspect-ratio: 13 / 10) or (max-height: 270px) {
  #positions .three { grid-template: "from zoom to" 1fr / 1fr 1fr 1fr; }
}
@container drawing (max-width: 480px) {
  #positions .row { gap: 12px; }
  #positions .side { gap: 4px; }
  #positions .shuffle .bars { gap: 0; }
  #positions .shuffle .bars li { grid-template-columns: minmax(0, 1fr) auto; gap: 0 6px; min-height: 18px; font-size: 12px; line-height: 17px; }
  #positions .shuffle .bar { display: none; }
  #positions .three { gap: 8px; }
  #positions .three h3 { font-size: 12px; }
  #positions .clocks { gap: 4px; }
  #positions .clocks > div { font-size: 11px; line-height: 14px; }
}
@container drawing (max-width: 480px) and (max-height: 420px) {
  #positions .shuffle .bars li:nth-child(n + 3) { display: none; }
}
`,
  figure: (hands) => createScenes(hands, { shuffle: createShuffle, vectors: createPlaceVectors, resize: createResizeGrid, turned: createTurned, relative: createRelative }, sceneOf),
};

/** What a step shows of the loaded model. @param {Context} context */
function sceneOf({ step, vit: { config: { positions } } }) {
  const added = positions.includes('learned') || positions === 'sinusoidal';
  const later = positions.includes('relative') ? 'relative' : 'turned';
  if (step === 0 || step === 2) return 'shuffle';
  if (step === 4 || !added) return later;
  return step === 3 && positions !== 'sinusoidal' ? 'resize' : 'vectors';
}
