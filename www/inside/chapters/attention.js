/** Scaled dot-product attention, one query at a time. */
import { createAttention } from '../figures/attention.js';
import { display, fact, frac, math, op, root, row, sub, sum, sup, sym } from '../math.js';

const [Q, K, V] = [sym('q', 'q'), sym('k', 'k'), sym('v', 'v')];
const DK = sub(sym('d'), sym('k'));
const score = sub(sym('s', 's'), sym('j'));
const share = sub(sym('a', 's'), sym('j'));

/** @type {import('../figure.js').Chapter} */
export const attention = {
  id: 'attention',
  title: 'One asks, all answer',
  steps: [
    `<p>So far every patch knows only itself. Attention is where they talk (<a href="https://arxiv.org/abs/1706.03762">Vaswani et al., 2017</a>), and it is done by heads: this model has
       <b data-fact="heads"></b> in each of its <b data-fact="layers"></b> layers. Here is one of them.</p>
     <p>From each token’s vector ${math(sym('z', 'z'))}, normalised, three learned matrices make three short ones: a query ${math(Q)}, what the token looks for; a key ${math(K)}, what it can be
       found by; and a value ${math(V)}, what it hands over. Each has <b data-fact="head-size"></b> numbers.</p>`,
    `<p>The patch that asks compares its query with the key of every token. The comparison is a dot product: multiply place by place, add it all up. It is large where both point the same way.</p>
     ${display(score, op('='), frac(row(Q, op('·'), sub(K, sym('j'))), root(DK)))}
     <p>Sums of many products grow with their number, so they are divided by the root of ${math(DK, op('='), fact('head-size'))}.
       <span data-when="relative">Then a learned number ${math(sym('b'))} is added, which depends on how the two patches lie to each other. </span><span data-when="rotary">Before that, both vectors were
       turned by angles that stand for their places. </span>Point at any patch: its key, and what comes of it.</p>`,
    `<p>Scores become shares. Softmax raises <i>e</i> to each and divides by the sum of all, so that the shares are positive and add up to 1.</p>
     ${display(share, op('='), frac(sup(sym('e'), score), row(sum(sym('i')), sup(sym('e'), sub(sym('s', 's'), sym('i'))))))}
     <p>Two points more of score mean about seven times the share, which is why few tokens can win. Divide the scores by a temperature first and you see how that choice could have gone: cold, the winner takes all; hot, everyone gets
       the same. The order stays. The model was trained at 1.</p>
     <p data-when="class">The class token takes part as any patch does: it asks, and it gets a share.</p>`,
    `<p>With these shares the values are mixed:</p>
     ${display(sub(sym('c'), sym('q', 'q')), op('='), sum(sym('j')), share, sub(V, sym('j')))}
     <p>That is all that attention moves. A patch gets back a weighted mean of what others hand over: <b data-fact="head-size"></b> numbers from this head, whatever the count of tokens. Nothing else in a layer carries
       anything from one token to another.</p>
     <p>All <b data-fact="tokens"></b> tokens ask at once, so a head computes <b data-fact="pairs"></b> such shares.</p>`,
  ],
  facts: ({ trace: { tokens } }) => ({ pairs: (tokens * tokens).toLocaleString('en') }),
  styles: /* css */ `
#attention .stage .query { display: none; }
#attention .frame .mark { position: absolute; }
#attention .frame .asks { box-shadow: inset 0 0 0 1px #fff, 0 0 0 2.5px var(--q); }
#attention .frame .answers { box-shadow: inset 0 0 0 1px #fff, 0 0 0 2.5px var(--k); }
#attention .frame svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
#attention .frame line { vector-effect: non-scaling-stroke; stroke-width: 1.5; stroke: var(--k); }
#attention .frame .halo { stroke: #fff; stroke-width: 3.5; opacity: 0.7; }
#attention .aside { flex: none; display: flex; flex-wrap: wrap; gap: 6px; justify-content: center; }
#attention .aside .button { min-height: 26px; padding: 0 9px; font-size: 12px; border-color: var(--line); }
#attention .aside .button[aria-pressed="true"] { border-color: var(--k); box-shadow: inset 0 0 0 1px var(--k); }
#attention .aside.asking .button[aria-pressed="true"] { border-color: var(--q); box-shadow: inset 0 0 0 1px var(--q); }
#attention .aside b { font-weight: 600; }
#attention .panel-box { flex: none; height: clamp(150px, 38cqh, 420px); display: grid; }
#attention .panel-part { display: none; min-height: 0; align-content: center; }
#attention [data-step="0"] .panel-part:nth-child(1), #attention [data-step="1"] .panel-part:nth-child(2), #attention [data-step="2"] .panel-part:nth-child(3), #attention [data-step="3"] .panel-part:nth-child(4) { display: grid; }
#attention .controls { min-height: 34px; justify-content: space-between; }
#attention .controls > :nth-child(3), #attention .controls > :nth-child(4) { display: none; }
#attention [data-step="1"] .controls > :nth-child(3), #attention [data-step="2"] .controls > :nth-child(3), #attention [data-step="3"] .controls > :nth-child(3) { display: flex; }
#attention [data-step="2"] .controls > :nth-child(4) { display: inline-flex; }
#attention .strips { display: grid; gap: 5px; align-content: center; }
#attention .strip-row { display: grid; grid-template-columns: 24px 54px minmax(0, 1fr) 52px; align-items: center; gap: 8px; }
#attention .strip-row .label { font-size: 14px; white-space: nowrap; }
#attention .strip-row .tail { font-size: 12px; color: var(--soft); text-align: right; }
#attention .thumb { width: 24px; height: 22px; display: grid; place-items: center; background: var(--well); overflow: hidden; font-size: 11px; line-height: 1; color: var(--soft); }
#attention .thumb.none { background: none; }
#attention .thumb canvas { width: 100%; height: 100%; }
#attention .vector { position: relative; }
#attention .vector canvas { height: 22px; }
#attention :is([data-step="0"], [data-step="1"]) .vector canvas { height: clamp(22px, 4.6cqh, 42px); }
#attention .vector .value { display: none; }
#attention .cursor { position: absolute; top: -1px; bottom: -1px; box-shadow: 0 0 0 1px var(--ink); pointer-events: none; }
#attention .dot { gap: 8px; }
#attention .place { padding-left: 94px; font-size: 13px; color: var(--soft); }
#attention .sum { padding-left: 94px; font-size: clamp(15px, 2cqh, 20px); overflow-x: auto; }
#attention .others .label { font-size: 12px; color: var(--soft); }
#attention .total { margin-top: 3px; padding-top: 6px; border-top: 1px solid var(--strong-line); }
#attention .shares { grid-template-rows: minmax(0, 1fr) auto; gap: 8px; align-content: stretch; }
#attention .shares .sum { padding-left: 0; }
#attention .plots { display: grid; grid-template-rows: 1fr 1fr; gap: 10px; min-height: 0; cursor: crosshair; }
#attention .plot { display: grid; grid-template-columns: 54px minmax(0, 1fr); gap: 8px; min-height: 0; }
#attention .plot svg { width: 100%; height: 100%; min-height: 0; overflow: visible; background: linear-gradient(var(--line), var(--line)) bottom / 100% 1px no-repeat; }
#attention .plot.scores svg { background: none; }
#attention .scale { display: grid; grid-template-rows: auto 1fr auto; font-size: 11px; line-height: 14px; color: var(--soft); text-align: right; }
#attention .scale b { grid-row: 2; align-self: center; font-weight: 400; color: var(--ink); font-size: 12px; }
#attention .scale span { grid-row: 1; }
#attention .scale span:last-child { grid-row: 3; }
#attention .bars-all { fill: var(--bar-rest); }
#attention .bars-special { fill: var(--z); }
#attention .bars-chosen { fill: var(--k); }
@container drawing (max-height: 420px) {
  #attention [data-step] .controls > :is(:nth-child(1), :nth-child(2), :nth-child(3)) { display: none; }
  #attention [data-step="0"] .controls > :is(:nth-child(1), :nth-child(2)) { display: inline-flex; }
  #attention :is([data-step="1"], [data-step="3"]) .controls > :nth-child(3) { display: flex; }
  #attention .total { margin-top: 0; padding-top: 3px; }
  #attention .stage { min-height: 80px; }
  #attention .panel-box { height: 116px; }
  #attention .strips { gap: 3px; }
  #attention .drawing .vector canvas { height: 16px; }
  #attention .drawing .thumb { height: 18px; }
  #attention .place, #attention .sum { padding-left: 0; font-size: 13px; }
  #attention .strip-row { grid-template-columns: 22px 48px minmax(0, 1fr) 46px; gap: 5px; }
  #attention .total .label { font-size: 12px; }
  #attention .dot { gap: 3px; }
}
`,
  figure: createAttention,
};
