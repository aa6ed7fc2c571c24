/** Maps that claim to explain an answer, and a test of their claims. */
import { createBelief } from '../figures/belief.js';
import { classesStyles } from '../kit/classes.js';

const PAPER = {
  rollout: 'https://arxiv.org/abs/2005.00928',
  chefer: 'https://arxiv.org/abs/2103.15679',
  cam: 'https://arxiv.org/abs/1610.02391',
  occlusion: 'https://arxiv.org/abs/1311.2901',
  rise: 'https://arxiv.org/abs/1806.07421',
  attention: 'https://arxiv.org/abs/1902.10186',
};

/** @type {import('../figure.js').Chapter} */
export const belief = {
  id: 'belief',
  title: 'What to believe',
  steps: [
    `<p>Maps of one photo by the same model, and each seems to say what mattered. They are made in different ways.</p>
     <ul>
       <li><b>Attention</b>: where <span data-fact="looks"></span> looks in the last layer, as a mean of its heads.</li>
       <li><b>Rollout</b>: the attention of all layers, multiplied (<a href="${PAPER.rollout}">Abnar and Zuidema, 2020</a>).</li>
       <li data-when="classes"><b>Relevance</b>: attention times its gradient for a class, through all layers (<a href="${PAPER.chefer}">Chefer et al., 2021</a>).</li>
       <li data-when="classes"><b>Grad-CAM</b>: what goes into the last layer's attention, weighted by that gradient (<a href="${PAPER.cam}">Selvaraju et al., 2017</a>).</li>
       <li data-when="classes"><b>Random</b>: drawn by lot. It means nothing.</li>
     </ul>
     <p data-when="classes">Choose another answer above the maps: attention and rollout stay as they are. They know of no class, so they can't say why it was this one.</p>
     <p data-when="!classes">Neither knows of a class, and this model has none: there is no answer that they could explain.</p>`,
    `<p data-when="classes">One more map asks the model itself. A window of patches is left out, the model looks again, and the window's value is how much <b data-fact="target"></b> lost
       (<a href="${PAPER.occlusion}">Zeiler and Fergus, 2014</a>). That is <b data-fact="windows"></b> passes; they run now.</p>
     <p data-when="classes">Below 0, in blue, the class gained. Even this map is no last word: where two parts of a photo say the same, leaving out one of them changes little.</p>
     <p data-when="!classes">Leaving patches out and asking how an answer changes needs an answer. For a model without classes one could ask how far its features move instead.</p>`,
    `<p data-when="classes">A map is a claim: these patches matter, in this order. A claim can be tested. Take patches away, the first of the map first, and ask what becomes of <b data-fact="target"></b>
       (<a href="${PAPER.rise}">Petsiuk et al., 2018</a>). If the map is right, it falls at once: the area under the curve is small. This is deletion.</p>
     <p data-when="classes">A Vision Transformer makes the test easy: a patch that is left out is a token less. Nothing grey stands in its place, as it would have to in a convolutional network.</p>
     <p data-when="!classes">A map is a claim, which could be tested on a model with classes: take patches away in the map's order, and see how fast the score of the class falls.</p>`,
    `<p data-when="classes">The other way round is insertion: begin with no patch, and bring them back in the map's order. Now a good map makes <b data-fact="target"></b> rise early, and the area is large.</p>
     <p data-when="classes">A map may do well in one and not in the other. Where many patches each suffice, insertion rises at once, but deletion must take nearly all of them away. The random map is what any other has to beat.</p>
     <p data-when="!classes">Or bring them back in that order, and see how fast it rises.</p>`,
    `<p data-when="classes"><span data-fact="ranked"></span> Another photo, another class or another model gives another order.</p>
     <p>So: a map is a claim, and wants a test. <b>Attention says where a head looks, not why.</b> Of models of text, <a href="${PAPER.attention}">Jain and Wallace, 2019</a>,
       found that quite other weights can give the same answer.</p>
     <p>The test has limits, too. It asks how much the model depends on a patch, not whether it is right to, and a photo with holes is not what it was trained on.</p>`,
  ],
  styles: `
#belief .pictures, #belief .choices { margin: 0; padding: 0; min-height: 0; max-width: none; flex: none; }
#belief .pictures legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
#belief .choices { --side: min((100cqw - 30px) / 3, (100cqh - 140px) / 2); grid-template-columns: repeat(3, var(--side)); justify-content: space-between; gap: 10px 12px; padding: 3px; }
#belief [data-maps="2"] .choices { --side: min((100cqw - 18px) / 2, 100cqh - 60px); grid-template-columns: repeat(2, var(--side)); }
#belief .choices canvas { image-rendering: auto; }
#belief canvas.pending { outline: 1px dashed var(--strong-line); outline-offset: -1px; }
#belief .choices span::before { content: ""; display: inline-block; width: 12px; height: 3px; margin: 0 6px 3px 0; }
#belief [data-mode="curves"] .choices span::before { background: var(--mark); }
#belief .choices label:nth-child(1) { --mark: var(--one); }
#belief .choices label:nth-child(2) { --mark: var(--two); }
#belief .choices label:nth-child(3) { --mark: var(--three); }
#belief .choices label:nth-child(4) { --mark: var(--four); }
#belief .choices label:nth-child(5) { --mark: var(--bar); }
#belief .choices label:nth-child(6) { --mark: var(--bar-rest); }
#belief .choices label:has(:checked) { --mark: var(--signal); }
#belief [data-mode="curves"] .choices { --side: min((100cqw - 46px) / 6, 20cqh); grid-template-columns: repeat(6, var(--side)); gap: 8px; }
#belief .judged { align-items: stretch; }
#belief .seen { flex: none; align-self: center; width: min(42cqw, 44cqh); height: auto; background: var(--well); }
#belief .controls input[type="range"] { width: min(140px, 22cqw); }
#belief .plot { position: relative; margin: 0; overflow: hidden; cursor: ew-resize; touch-action: pan-y; }
#belief .plot svg { position: absolute; inset: 0; }
#belief .other-5 { --mark: var(--bar); }
#belief .random { --mark: var(--bar-rest); }
#belief .line.random { stroke-dasharray: 4 4; }
#belief .ranking table { margin: 0; height: 100%; max-height: 860px; }
#belief .ranking th, #belief .ranking td { padding: 4px 12px 4px 0; }
#belief .ranking td { width: 22%; }
#belief .ranking td:last-child { width: 6em; }
#belief .ranking td > span:last-child { color: var(--ink); }
#belief .ranking .area { display: block; height: 6px; margin-bottom: 4px; background: var(--well); }
#belief .ranking .area i { display: block; height: 100%; background: var(--bar); transform-origin: left; }
#belief .ranking .chosen .area i { background: var(--signal); }
#belief .ranking .chosen td, #belief .ranking .chosen td > span:last-child, #belief .ranking .chosen button { color: var(--signal); }
#belief .ranking button { display: flex; align-items: center; gap: 12px; width: 100%; padding: 0; font: inherit; color: inherit; text-align: left; background: none; border: 0; cursor: pointer; }
#belief .ranking button canvas { width: min(11cqh, 108px); height: auto; }
#belief .work { display: flex; flex: none; align-items: center; gap: 12px; height: 16px; font-size: 12px; line-height: 16px; color: var(--soft); }
#belief .work .progress { width: 120px; }
#belief .work:not(.on) { visibility: hidden; }
@container drawing (max-width: 520px) {
  #belief .choices { --side: min((100cqw - 18px) / 3, (100cqh - 136px) / 2); gap: 2px 6px; }
  #belief .choices label { font-size: 11px; line-height: 15px; letter-spacing: -0.02em; }
  #belief .choices input:checked ~ span { font-weight: 400; color: var(--signal); }
  #belief .choices span { display: block; overflow: hidden; white-space: nowrap; }
  #belief .choices span::before { display: none; }
  #belief [data-mode="curves"] .choices { --side: calc((100cqw - 26px) / 6); gap: 4px; }
  #belief [data-mode="curves"] .classes { display: none; }
  #belief .controls { flex-wrap: nowrap; gap: 4px 10px; }
  #belief .controls legend { position: absolute; clip-path: inset(50%); }
  #belief .seen { width: min(30cqw, 44cqh); }
  #belief .ranking th, #belief .ranking td { padding: 0 6px 0 0; font-size: 12px; }
  #belief .ranking .area { margin-bottom: 1px; height: 4px; }
  #belief .ranking button canvas { width: 24px; }
  #belief .ranking button { gap: 6px; min-height: 24px; }
}
${classesStyles('belief')}`,
  facts: ({ trace: { grid: [rows, cols], prefix }, vit: { config } }) => {
    const window = Math.ceil(Math.max(rows, cols) / 8);
    return {
      looks: prefix.includes('class') ? 'the class token' : 'every patch, on average,',
      ranked: config.scores === 'none'
        ? 'The curves of values have no areas, as values have no scale from 0 to 1: the maps can be compared by shape alone, on this photo.'
        : 'Here are all of them by insertion less deletion, on this photo and for this class.',
      windows: String(Math.ceil(rows / window) * Math.ceil(cols / window) + 1),
    };
  },
  staged: [0, 1, 2, 3, 4],
  figure: createBelief,
};
