/** Why a token is a patch, not a pixel: what comparing each token with each costs. */
import { brackets, display, fact, frac, math, num, op, row, sup, sym } from '../math.js';
import { costOf, createCost, times } from '../figures/cost.js';
import { count } from '../facts.js';

const N = sym('N');
const P = sym('P');
const squared = (/** @type {string} */ base) => sup(base, num(2));

/** @type {import('../figure.js').Chapter} */
export const cost = {
  id: 'cost',
  title: 'Why not pixels',
  steps: [
    `<p>A Transformer works on a sequence of tokens. In a text they are pieces of words. A picture has no words; the plainest thing would be to take each pixel as a token.</p>
     <p>But in each layer every token is compared with every token: that is attention, and a chapter of its own. A picture of 100&nbsp;×&nbsp;100 pixels has ${math(N, op('='), num('10,000'))} tokens. Each
     asks all, so one table of comparisons, of one head, holds</p>
     ${display(squared(N), op('='), squared(num('10,000')), op('='), num('100,000,000'))}
     <p>numbers. At 4 bytes each these are 400 MB.</p>`,
    `<p>Now let a region of pixels be one token. Regions of 4&nbsp;×&nbsp;4 leave 25&nbsp;×&nbsp;25 = 625 tokens, and 390,625 comparisons: 256 times fewer.</p>
     <p>With a side of ${math(P)} pixels a region holds ${math(squared(P))} of them. There are ${math(squared(P))} times fewer tokens, and since each is compared with each,</p>
     ${display(squared(N), op('='), squared(brackets(frac(row(num(100), op('·'), num(100)), squared(P)))), op('='), frac(num('100,000,000'), sup(P, num(4))))}
     <p>Half the side is 16 times the comparisons: the slider shows how fast that grows.</p>`,
    `<p>The Vision Transformer calls its regions patches (<a href="https://arxiv.org/abs/2010.11929">Dosovitskiy et al., 2020</a>, “An Image is Worth 16&nbsp;×&nbsp;16 Words”). Its pictures of 224&nbsp;×&nbsp;224 pixels in
     patches of 16&nbsp;×&nbsp;16 are 14&nbsp;×&nbsp;14 = 196 tokens, and 38,416 comparisons a head.</p>
     <p>The model that is loaded here sees <b data-fact="image"></b> pixels in patches of <b data-fact="patch"></b>: <b data-fact="grid"></b> = <b data-fact="patches"></b> tokens, and</p>
     ${display(squared(fact('patches')), op('='), fact('patch-scores'))}
     <p>comparisons a head, where its pixels would have <b data-fact="pixel-scores"></b>. The squares are drawn to one scale.</p>`,
    `<p>So a patch is a compromise. Patches <b data-fact="finer"></b> would show this model finer detail, for <b data-fact="finer-times"></b> times the comparisons. A photo of
     twice the side, in the same patches, costs 16 times as many.</p>
     <p>And inside a patch nothing is compared with anything. All that is smaller than <b data-fact="patch"></b> pixels has to be read from the patch in a single step. That step comes next.</p>`,
  ],
  styles: `
    #cost .pair { flex: 1; min-height: 0; display: flex; gap: 4cqw; }
    #cost .plane { flex: 1; }
    @container drawing (max-aspect-ratio: 7/10) { #cost .pair { flex-direction: column; gap: 24px; } }
    #cost dl { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 12px; padding: 8px 0 0; border-top: 1px solid var(--line); }
    #cost dt { font-size: 12px; line-height: 16px; color: var(--soft); }
    #cost dd { font-size: clamp(13px, 2.6cqw, 22px); line-height: 1.35; white-space: nowrap; }
    #cost .field input { width: clamp(120px, 34cqw, 320px); }
    #cost .field { white-space: nowrap; }`,
  figure: createCost,
  facts({ trace }) {
    const { own, pixels, finer } = costOf(trace);
    return {
      'patch-scores': count(own.tokens ** 2),
      'pixel-scores': count(pixels.tokens ** 2),
      finer: `of ${finer.text}`,
      'finer-times': times((finer.tokens / own.tokens) ** 2),
    };
  },
};
