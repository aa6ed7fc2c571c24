/** What each token does by itself: the MLP. */
import { percent } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { activationOf } from '../figures/activation.js';
import { MAPS, askedOf, createMlp, unitsOf } from '../figures/mlp.js';
import { strengthsOf } from '../figures/units.js';
import { weightsOf } from '../figures/weights.js';
import { tokenOf } from '../kit/token.js';
import { display, fn, math, num, op, row, sub, sup, sym } from '../math.js';

const flat = (/** @type {string} */ text) => `<mo stretchy="false">${text}</mo>`;
const [W1, W2, b1, b2, x] = [sub(sym('W'), num(1)), sub(sym('W'), num(2)), sub(sym('b'), num(1)), sub(sym('b'), num(2)), sym('x')];
const MLP = display(fn('MLP'), flat('('), x, flat(')'), op('='), W2, sym('f'), flat('('), W1, x, op('+'), b1, flat(')'), op('+'), b2);
const GELU = display(fn('GELU'), flat('('), x, flat(')'), op('='), x, fn('Φ'), flat('('), x, flat(')'), op('='), row('<mfrac><mi>x</mi><mn>2</mn></mfrac>'), flat('('), num(1), op('+'), fn('erf'), flat('('), row('<mfrac><mi>x</mi><msqrt><mn>2</mn></msqrt></mfrac>'), flat(')'), flat(')'));

/** @type {import('../figure.js').Chapter} */
export const mlp = {
  id: 'mlp',
  title: 'Each token by itself',
  steps: [
    `<p>In attention tokens exchange what they know. In the MLP each one works on it alone, with the same weights for all. Its <b data-fact="width"></b> numbers, normed, become
     <b data-fact="mlp"></b> hidden units, <b data-fact="fold"></b> times as many, then <b data-fact="width"></b> again:</p>${MLP}
     <p>${math(W1)} and ${math(W2)} are learned matrices, ${math(b1)} and ${math(b2)} learned offsets, ${math(sym('f'))} is the activation. <span data-fact="gated"></span></p>
     <p data-when="int8"><small>The model runs in int8; its hidden units are computed again in f32, of the stream before the block.</small></p>`,
    `<p>Without ${math(sym('f'))} both matrices would be no more than one. It bends the line: what is far above 0 passes, what is far below becomes 0. In the
     <a href="https://arxiv.org/abs/2010.11929">ViT paper</a> it is GELU (<a href="https://arxiv.org/abs/1606.08415">Hendrycks and Gimpel, 2016</a>):</p>${GELU}
     <p>${math(fn('Φ'))} is the share of a normal distribution that lies below ${math(x)}. <span data-fact="activation"></span></p>`,
    `<p>A unit that stays silent adds nothing. Of <b data-fact="mlp"></b> for <span data-fact="token"></span>, <b data-fact="near"></b> end near 0. Each row of ${math(W1)} is a pattern that its unit looks for;
     a unit that fires adds its column of ${math(W2)} to the token, that many times. So an MLP can be read as a memory of patterns and of what to add where they are found
     (<a href="https://arxiv.org/abs/2012.14913">Geva et al., 2021</a>, of language models).</p>`,
    `<p>A unit has a value for every patch, so it has a map. These are the <span data-fact="offered"></span> that are strongest for <span data-fact="asked"></span>: some fire on a texture or a
     part wherever it is, some on nothing that has a name.</p>
     <p>Choose another unit, another layer, or a patch on the photo, and see what is strongest there.</p>`,
    `<p>All these units have their price. A block has four matrices of attention, ${math(num(4), sup(sym('D'), num(2)))} weights, and the MLP's <span data-fact="matrices"></span>,
     ${math('<mn data-fact="times"></mn>', sym('D'), sym('M'))}. Here ${math(sym('D'), op('='))} <b data-fact="width"></b> and ${math(sym('M'), op('='))} <b data-fact="mlp"></b>, so the MLP has <b data-fact="weights"></b> of a block's weights.
     Attention decides what is brought together;
     <span data-fact="part"></span> of what a block has learned lies here.</p>`,
  ],
  styles: `
#mlp .row > .stage { flex: 0 0 36cqw; }
#mlp [data-view="maps"] .row > .stage { flex: 1; }
#mlp .step b { white-space: nowrap; }
#mlp svg { display: block; font-size: 13px; }
#mlp .row > .grow { position: relative; overflow: hidden; }
#mlp text { fill: var(--soft); }
#mlp .name, #mlp .title { fill: var(--ink); }
#mlp .title { font-weight: 600; }
#mlp .wide-way, #mlp .activation, #mlp .units { cursor: crosshair; }
#mlp .wide-way canvas { position: absolute; image-rendering: pixelated; }
#mlp .linear { fill: var(--well); }
#mlp .stream { fill: var(--z); }
#mlp .arrow { fill: none; stroke: var(--soft); }
#mlp .at { fill: none; stroke: var(--signal); stroke-width: 2; }
#mlp .axes { fill: none; stroke: var(--line); }
#mlp .curve { fill: none; stroke: var(--ink); stroke-width: 1.25; }
#mlp .dots { fill: none; stroke: var(--z); stroke-width: 6; stroke-linecap: round; stroke-opacity: 0.4; }
#mlp .counts { fill: var(--line); }
#mlp .chosen { fill: var(--signal); stroke: var(--paper); }
#mlp .units canvas { display: block; max-width: none; margin: 0 auto; }
#mlp .matrix { outline-offset: 1px; }
#mlp .matrix rect { fill: currentColor; fill-opacity: 0.85; }
#mlp .matrix:hover rect { fill-opacity: 1; }
#mlp .matrix text { fill: var(--paper); font-weight: 600; pointer-events: none; }
#mlp .matrix.q { color: var(--q); }
#mlp .matrix.k { color: var(--k); }
#mlp .matrix.v { color: var(--v); }
#mlp .matrix.o { color: var(--soft); }
#mlp .matrix.mlp { color: var(--bar); }
#mlp .pictures { flex: none; margin: 0; }
#mlp .pictures legend { position: absolute; clip-path: inset(50%); }
#mlp .choices { grid-template-columns: repeat(8, minmax(36px, 1fr)); gap: 8px; max-width: none; min-height: 0; padding: 3px; }
#mlp .choices canvas { max-width: none; }
#mlp .controls { flex-wrap: nowrap; align-items: center; min-height: 32px; }
#mlp .note { flex: 0 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#mlp .layer input { width: min(200px, 34cqw); }
@container drawing (max-width: 560px) {
  #mlp .row > .stage { display: none; }
  #mlp [data-view="maps"] .row > .stage { display: block; }
  #mlp svg { font-size: 12px; }
  #mlp .choices { grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 3px; }
  #mlp .choices label { font-size: 11px; }
}`,
  figure: createMlp,
  async facts(context) {
    const { trace, vit } = context;
    // What the text says of a token holds for all of its steps.
    const units = await unitsOf({ ...context, step: 0 });
    const { near, order } = strengthsOf(units.hidden);
    const gated = Boolean(units.gate);
    const found = activationOf(units);
    const { mlpSize } = vit.config;
    const { share } = weightsOf(trace.hiddenSize, mlpSize, gated);
    return {
      token: tokenOf(context).name,
      asked: askedOf({ ...context, step: MAPS }).name,
      fold: number(mlpSize / trace.hiddenSize).replace(/\.?0+$/, ''),
      gated: gated ? 'In this model the first layer has a second half, the gate, and f of the gate is multiplied with the values: a gated linear unit (Shazeer, 2020).' : '',
      activation: found ? `In this model f is ${found.name.replace(/,$/, '')}${gated ? ', of the gate: a unit is its height times the value' : ': it is what the dots lie on'}.` : 'This model has an activation of its own: the dots show it.',
      near: count(near),
      offered: String(Math.min(8, order.length)),
      matrices: gated ? 'three' : 'two',
      times: gated ? '3' : '2',
      weights: percent(share),
      part: share > 0.5 ? 'the larger part' : 'a part',
    };
  },
};
