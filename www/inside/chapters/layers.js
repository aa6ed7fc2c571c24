/** The same picture again and again: what changes with depth. */
import { number } from '../../explorer/words.js';
import { createLayers, distancesOf, neighboursOf } from '../figures/layers.js';

/** @type {import('../figure.js').Chapter} */
export const layers = {
  id: 'layers',
  title: 'Layer by layer',
  steps: [
    `<p>After each of the <b data-fact="layers"></b> layers every patch is again <b data-fact="width"></b> numbers, other ones. To see them, take the three directions in which the patches differ most,
     the principal components, as red, green and blue. Patches of one colour are alike to the model at that depth.</p>
     <p>After the first layer a patch is mostly what can be seen in it and where it lies: edges, colours, places. The colours themselves mean nothing and are chosen anew in each layer.</p>`,
    `<p>Deeper, what belongs together tends to take one colour, although its patches look different; what is behind it takes another. Nobody told the model where things end: it is there because
     it helps. Go through the layers below the photo (such colours: <a href="https://arxiv.org/abs/2304.07193">Oquab et al., 2023</a>).</p>
     <p>In numbers: without what all patches have in common, two that lie side by side have a cosine of <b data-fact="near-first"></b> on average after the first layer, and of
     <b data-fact="near-last"></b> after the last.</p>`,
    `<p>How does a patch learn of others? By heads that look further. For each head, weigh the distance to every patch by the attention that it gets, and average: that is how far it looks. A small
     kernel's reach would be a dot at the bottom.</p>
     <p>In the <a href="https://arxiv.org/abs/2010.11929">ViT paper</a> (figure 7, right) some heads of the first layers look nearby and others across the whole picture, and all look far in the last
     ones. <span data-fact="distances"></span></p>`,
    `<p data-when="classes">The head reads the last layer. What if it read an earlier one? Each layer only adds to the stream, so the final norm and the head can be put after any of them: the logit lens
     (<a href="https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens">nostalgebraist, 2020</a>; in ViTs,
     <a href="https://arxiv.org/abs/2310.18969">Vilas et al., 2023</a>).</p>
     <p data-when="classes">Early rows are guesses through glasses made for the last layer. Where the line of <span data-fact="answer"></span> rises is where this photo's answer forms.</p>
     <p data-when="!classes">With a head one could ask after each layer which class it would say there: the logit lens. This model has no classes. Its last layer's features are what it gives.</p>`,
  ],
  styles: `
#layers .pictures { flex: none; margin: 0; }
#layers .pictures legend { position: absolute; clip-path: inset(50%); }
#layers .choices { display: flex; gap: 6px; max-width: none; min-height: 0; padding: 4px; overflow-x: auto; scrollbar-width: thin; }
#layers .choices label { flex: 1 0 40px; max-width: max(40px, min(96px, 16cqh)); }
#layers .choices canvas { max-width: none; }
#layers .chart { margin: 0; overflow: hidden; }
#layers .chart .line.mean { --mark: var(--bar-rest); }
#layers .chart .dot { r: 3.5px; }
#layers .lens { display: flex; flex-direction: column; gap: 8px; }
#layers .lens .chart { flex: 1 1 55%; }
#layers .lens .key { flex: none; }
#layers .lens .table { flex: 0 1 auto; min-height: 0; max-height: 45%; overflow-y: auto; }
#layers table { margin: 0; }
#layers thead th { position: sticky; top: 0; background: var(--paper); }
#layers tr[aria-current] > * { background: var(--well); }
#layers .controls { flex-wrap: nowrap; align-items: center; min-height: 32px; }
#layers .controls .button { min-width: 64px; }
#layers .note { flex: 0 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
@container drawing (max-height: 420px) {
  #layers .lens .table { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  #layers .choices label { font-size: 11px; line-height: 15px; }
}`,
  figure: createLayers,
  facts({ trace }) {
    const [first, last] = [0, trace.layers - 1].map((layer) => number(neighboursOf(trace, layer)));
    const far = trace.queries ? undefined : distancesOf(trace).means.map(number);
    return {
      'near-first': first,
      'near-last': last,
      distances: far ? `Here heads look ${far[0]} pixels far on average in layer 0, and ${far[far.length - 1]} in the last.` : '',
    };
  },
};
