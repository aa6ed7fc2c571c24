/** The stream that goes straight through: what is added to it, and the norm before each branch. */
import { number } from '../../explorer/words.js';
import { createResidual, factorOf, layerOf } from '../figures/residual.js';
import { momentsOf } from '../figures/channels.js';
import { streamOf, tokenOf } from '../kit/token.js';
import { display, fn, frac, math, num, op, row, sub, sup, sym } from '../math.js';

const z = sym('z', 'z');
const layer = sym('ℓ');
const [into, between, after] = [sub(z, layer), sub(sym('z′', 'z'), layer), sub(z, row(layer, op('+'), num(1)))];
/** A bracket that does not grow with what it holds. @param {string} text */
const flat = (text) => `<mo stretchy="false">${text}</mo>`;
/** A branch of the block, as the paper writes it. @param {string} name @param {string} of */
const branch = (name, of) => row(fn(name), flat('('), fn('LN'), flat('('), of, flat(')'), flat(')'));
const EQUATIONS = `${display(between, op('='), into, op('+'), branch('MSA', into))}${display(after, op('='), between, op('+'), branch('MLP', between))}`;
const NORM = display(fn('LN'), flat('('), z, flat(')'), op('='), sym('γ'), op('⊙'), frac(row(z, op('−'), sym('μ')), `<msqrt>${row(sup(sym('σ'), num(2)), op('+'), sym('ε'))}</msqrt>`), op('+'), sym('β'));
const SUM = display(sub(z, sym('L')), op('='), sub(z, num(0)), op('+'), `<munder><mo>∑</mo>${layer}</munder>`, flat('('), sub(sym('a'), layer), op('+'), sub(sym('m'), layer), flat(')'));

/** @type {import('../figure.js').Chapter} */
export const residual = {
  id: 'residual',
  title: 'What stays, and what is added',
  steps: [
    `<p>Neither attention nor the MLP replaces a token. Each computes a vector and <b>adds</b> it to what is there. So every token has a line of its own through all <b data-fact="layers"></b>
     layers, the residual stream (<a href="https://arxiv.org/abs/1512.03385">He et al., 2015</a>), and a layer is two small detours from it. In the figure the bands are as wide as the vectors
     are long; the lengths do not simply add up, since a vector is added at an angle.</p>
     <p>These are equations 2 and 3 of the <a href="https://arxiv.org/abs/2010.11929">ViT paper</a>:</p>${EQUATIONS}
     <small>${math(into)} is the stream before layer ${math(layer)}, counted from 0; MSA is attention with all its heads; LN is LayerNorm.
     <span data-when="int8">The model runs in int8; what is inside a block is computed again in f32, of the stream before it.</span></small>`,
    `<p>What is added has a length, and the sum grows or shrinks by it. Here is <span data-fact="token"></span> through all layers. Where the line of a branch lies above the stream, this layer
     writes over most of what was there; where it lies far below, it corrects a detail.</p>
     <p>The fourth line is what attention is given to read. Before one layer or another the stream is up to <b data-fact="factor"></b> times as long; that the fourth line does not follow it is the
     work of the norm.</p>`,
    `<p>LayerNorm (<a href="https://arxiv.org/abs/1607.06450">Ba et al., 2016</a>) looks at the <b data-fact="width"></b> numbers of one token by itself. It takes off their mean
     ${math(sym('μ'))} and divides by their deviation ${math(sym('σ'))}:</p>${NORM}
     <p>Here ${math(sym('μ'), op('='))} <b data-fact="ln-mean"></b> and ${math(sym('σ'), op('='))} <b data-fact="ln-deviation"></b>. The pattern is the same before and after, its size is not. Then every
     channel has a learned scale ${math(sym('γ'))} and shift ${math(sym('β'))}; ${math(sym('ε'))} is a tiny number against division by zero.</p>`,
    `<p>The first Transformer put its norm on the stream, after each sum. A ViT puts it at the start of a branch. The stream itself is then never rescaled, so its end is its beginning plus
     all that was added by attention ${math(sym('a'))} and MLP ${math(sym('m'))}:</p>${SUM}
     <p>In training the gradient takes the same way back: past every branch, unscaled, to the first layer. Such models train well even without a
     warm-up of the learning rate (<a href="https://arxiv.org/abs/2002.04745">Xiong et al., 2020</a>). The lines show how far each layer turns the token from
     what came in, and from what it began as.</p>`,
  ],
  styles: `
#residual .row > .stage { flex: 0 0 36cqw; }
#residual .block svg, #residual .channels svg { display: block; font-size: 13px; }
#residual .block, #residual .channels { overflow: hidden; }
#residual .block text, #residual .channels text { fill: var(--soft); }
#residual .block .name, #residual .block .number { fill: var(--ink); }
#residual .block .number { font-weight: 600; }
#residual .block .band { fill: none; shape-rendering: crispedges; transition: stroke-width 0.35s ease-out; }
#residual .block .z { stroke: var(--z); }
#residual .block .v { stroke: var(--v); }
#residual .block .m { stroke: var(--bar-rest); }
#residual .block .copy { fill: none; stroke: var(--z); stroke-width: 1.5; }
#residual .block .box { fill: var(--paper); stroke: var(--strong-line); }
#residual .block .plus { fill: var(--paper); stroke: var(--ink); }
#residual .block .sign { stroke: var(--ink); stroke-width: 1.5; }
#residual .charted { display: flex; flex-direction: column; gap: 6px; }
#residual .charted .chart { margin: 0; flex: 1; min-height: 0; overflow: hidden; }
#residual .z { --mark: var(--z); }
#residual .v { --mark: var(--v); }
#residual .m { --mark: var(--bar-rest); }
#residual .n, #residual .first { --mark: var(--ink); }
#residual .chart .line.z { stroke-width: 2.5; }
#residual .channels { cursor: crosshair; }
#residual .channels .before { fill: var(--z); }
#residual .channels .after { fill: var(--bar); }
#residual .channels .beyond { fill: var(--ink); font-size: 11px; }
#residual .channels .spread { fill: var(--well); }
#residual .channels .zero { stroke: var(--strong-line); }
#residual .channels .at { stroke: var(--signal); }
#residual .controls { flex-wrap: nowrap; align-items: center; min-height: 32px; }
#residual .note { flex: 0 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#residual .key { flex: none; }
#residual .key li { color: var(--ink); }
#residual .layer input { width: min(200px, 34cqw); }
@container drawing (max-width: 560px) {
  #residual .row > .stage { display: none; }
  #residual .block svg, #residual .channels svg { font-size: 12px; }
}`,
  figure: createResidual,
  facts(context) {
    const { index, name } = tokenOf(context);
    const { mean, deviation } = momentsOf(streamOf(context.trace, layerOf(context), index));
    return { token: name, 'ln-mean': number(mean), 'ln-deviation': number(deviation), factor: number(factorOf(context)) };
  },
};
