/** Several heads a layer, and the answer without some of them. */
import { createHeads } from '../figures/heads.js';
import { display, fact, fn, math, op, row, sub, sup, sym } from '../math.js';

const head = (/** @type {string} */ i) => sub(sym('c'), i);

/** @type {import('../figure.js').Chapter} */
export const heads = {
  id: 'heads',
  title: 'Many heads',
  steps: [
    `<p>One row of shares can say one thing. So each layer has <b data-fact="heads"></b> heads, with queries, keys and values of their own, and all run side by side on the same tokens.</p>
     <p>Here is what every head of one layer makes of the same question. Move over any picture: the patch under the pointer asks, and all heads answer. With the layer’s slider you go through the model; low down many heads
       follow places, further up more of them follow things.</p>`,
    `<p>A convolution sees its neighbours first and far things only many layers later. A head may look across the whole picture from the first layer on.</p>
     <p>How far a head looks is the distance from each patch to the others, weighted by its shares, on average over all patches (<a href="https://arxiv.org/abs/2010.11929">Dosovitskiy et al., 2021</a>, figure 7). Near and far heads live
       side by side in the same layer.</p>`,
    `<p>Each head hands every token <b data-fact="head-size"></b> numbers. Side by side these are ${math(fact('heads'), op('×'), fact('head-size'), op('='), fact('width'))}, as many as the token’s own vector has.</p>
     ${display(fn('MSA'), op('='), row(op('['), head('<mn>0</mn>'), op(','), sym('⋯'), op(','), head(row(sym('h'), op('−'), '<mn>1</mn>')), op(']')), sup(sym('W'), sym('O')))}
     <p>But they can’t be added as they are: head 0 would write to the first channels only. The projection ${math(sup(sym('W'), sym('O')))} lets each head write to all <b data-fact="width"></b> channels, and heads to the same ones. What comes out is added to
       the stream.</p>`,
    `<p>Which of these heads does the answer need? Switch one off: where the projection reads it there are zeros, and the rest of the model runs on.</p>
     <p>Each picture tells the score without that head; the figure leaves off the one that counts most here. Press a picture to switch a head off or on. Often little is lost: heads share work, and most can go one by one
       (<a href="https://arxiv.org/abs/1905.10650">Michel, Levy and Neubig, 2019</a>).</p>`,
    `<p>Now the whole layer is silent: its tokens hear nothing of each other, and only the other layers make up for it.</p>
     <p>The chart does that to each layer in turn, and the figure stays with the one that counts most; the dashed line is the score with all of them. Take it for what it is. The model was never trained so, and what it does with a layer missing tells what it uses, not what could be
       learned without.</p>`,
  ],
  styles: /* css */ `
#heads .head-tiles { flex: 1 1 0; min-height: 0; display: grid; gap: 8px; justify-content: center; align-content: center; }
#heads .tile { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0 8px; align-content: start; padding: 0; border: 0; background: none; font: inherit; font-size: 12px; line-height: 18px; color: var(--ink); text-align: left; cursor: crosshair; }
#heads .picture { grid-column: 1 / -1; position: relative; display: block; }
#heads .picture canvas { display: block; width: 100%; }
#heads .tile .mark { position: absolute; box-shadow: inset 0 0 0 1px #fff, 0 0 0 1.5px var(--q); pointer-events: none; }
#heads .tile .name { white-space: nowrap; }
#heads .tile .text { color: var(--soft); text-align: right; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#heads .gauge { grid-column: 1 / -1; position: relative; height: 5px; background: var(--well); }
#heads .gauge i { position: absolute; inset: 0; background: var(--bar); transform: scaleX(var(--share)); transform-origin: left; transition: transform 0.25s ease-out; }
#heads .gauge u { position: absolute; top: -2px; bottom: -2px; left: calc(100% * var(--share)); width: 2px; background: var(--signal); }
#heads :is([data-step="0"], [data-step="1"], [data-step="2"]) .tile[aria-pressed="true"] .picture { box-shadow: 0 0 0 1px var(--paper), 0 0 0 3px var(--signal); }
#heads :is([data-step="3"], [data-step="4"]) .tile { cursor: pointer; }
#heads .tile.off .picture canvas { opacity: 0.16; }
#heads .tile.off .name { text-decoration: line-through; text-decoration-color: var(--signal); text-decoration-thickness: 2px; }
#heads .panel-box { flex: none; display: none; min-height: 0; }
#heads .panel-box > * { display: none; margin: 0; min-width: 0; }
#heads :is([data-step="1"], [data-step="2"], [data-step="3"], [data-step="4"]) .panel-box { display: grid; gap: 8px; }
#heads :is([data-step="1"], [data-step="4"]) .chart { display: block; }
#heads [data-step="2"] .projection { display: grid; }
#heads :is([data-step="3"], [data-step="4"]) .bars { display: grid; }
#heads :is([data-step="3"], [data-step="4"]) .features { display: block; }
#heads .chart .dot.chosen { fill: var(--signal); fill-opacity: 1; }
#heads .chart .line.before { color: var(--bar-rest); stroke-dasharray: 3 3; }
#heads .controls { align-items: center; justify-content: space-between; min-height: 34px; }
#heads .controls [aria-pressed="true"] { color: var(--signal); border-color: var(--signal); }
#heads .projection { height: clamp(120px, 40cqh, 360px); grid-template-rows: auto minmax(0, 1fr) auto auto; }
#heads .blocks { display: flex; justify-content: space-between; }
#heads .blocks button { flex: 0 1 auto; min-width: 0; padding: 0; border: 0; background: none; font: inherit; font-size: 12px; line-height: 18px; color: var(--soft); cursor: pointer; }
#heads .blocks canvas { display: block; width: 100%; height: 22px; image-rendering: pixelated; }
#heads .blocks button[aria-pressed="true"] { color: var(--ink); font-weight: 600; }
#heads .blocks button[aria-pressed="true"] canvas { box-shadow: 0 0 0 1px var(--paper), 0 0 0 3px var(--signal); }
#heads .fan { position: relative; min-height: 0; }
#heads .fan svg { position: absolute; inset: 4px 0; width: 100%; height: calc(100% - 8px); }
#heads .fan path { fill: var(--bar-rest); opacity: 0.13; }
#heads .fan .chosen { fill: var(--signal); opacity: 0.28; }
#heads .weights { position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%); padding: 2px 10px; background: var(--paper); font-size: 13px; white-space: nowrap; }
#heads .projection .stream { padding: 3px 0; border: 2px solid var(--z); font-size: 13px; text-align: center; }
#heads .lengths { padding-top: 6px; }
#heads .bars { min-height: 136px; align-content: start; }
#heads .bars li { grid-template-columns: minmax(6em, 11em) minmax(0, 1fr) 9.4em; }
@container drawing (max-height: 420px) {
  #heads .bars { min-height: 0; }
  #heads .bars li { grid-template-columns: minmax(5em, 7.5em) minmax(0, 1fr) 9.2em; min-height: 18px; }
  #heads [data-step="2"] .panel-box { flex: 1; }
  #heads .projection { height: auto; }
  #heads [data-step="4"] .controls { margin-top: auto; }
  #heads .tile { font-size: 11px; line-height: 14px; }
  #heads [data-step="1"] .panel-box, #heads :is([data-step="2"], [data-step="4"]) .head-tiles, #heads .bars li:nth-child(n + 4), #heads [data-step="4"] .bars li:nth-child(n + 2) { display: none; }
}
`,
  figure: createHeads,
};
