/** The head: what it reads, logits, softmax, and the tokens that it does not read. */
import { make } from '../../explorer/dom.js';
import { createRead, READ_STYLES } from '../figures/read.js';
import { createComparison, createPatchVotes, VOTES_STYLES } from '../figures/patch_votes.js';
import { createSoftmax, SOFTMAX_STYLES } from '../figures/softmax.js';
import { classesStyles } from '../kit/classes.js';
import { display, frac, fn, math, op, row, sub, sum, sym } from '../math.js';

/** @typedef {import('../figure.js').Context} Context */

const CLASS = sym('c');
const LOGIT = sub(sym('ℓ', 's'), CLASS);
const power = (/** @type {string} */ index) => row(fn('exp'), op('('), frac(row(sub(sym('ℓ', 's'), index), op('−'), sub(sym('ℓ', 's'), '<mtext>max</mtext>')), sym('T')), op(')'));

/** @type {import('../figure.js').Chapter} */
export const answer = {
  id: 'answer',
  title: 'From a token to an answer',
  steps: [
    `<p>After the last layer there are still <b data-fact="tokens"></b> tokens of <b data-fact="width"></b> numbers. An answer is made of few of them: this model reads <span data-fact="reads"></span>.
      That choice is called pooling.</p>
     <p data-when="reads-class">The class token began as the same numbers for every photo. All that it holds of this one, attention brought there, layer by layer.</p>
     <p data-when="mean">No token was set apart for the answer: each patch has the same share in it.</p>
     <p data-when="attention-pool">One more attention does it: its query was learned, the same for every photo, and its keys and values are the patches.</p>
     <p>What is read passes a last norm. The <b data-fact="features"></b> numbers that come out are the features, all that the answer is made of.</p>`,
    `<p data-when="classes">The head is one matrix with a row of <b data-fact="features"></b> weights for each of the <b data-fact="classes"></b> classes: <b data-fact="head-shape"></b>. A class's number is its logit, how far the features
      ${math(sym('f', 'z'))} point the way of its row ${math(sub(sym('w'), CLASS))}:</p>
     <div data-when="classes">${display(LOGIT, op('='), sub(sym('w'), CLASS), op('·'), sym('f', 'z'), op('+'), sub(sym('b'), CLASS))}</div>
     <p data-when="classes"><span data-fact="head"></span> Nothing is looked at any more: whatever the photo shows was brought into the features by the layers before. A logit has no unit and no bounds.</p>
     <p data-when="!classes">This model has no head. Its features are the answer: they are for comparing photos, or for a head that is yet to be trained.</p>`,
    `<p data-when="softmax">Softmax makes shares of logits. Each becomes a power of e, and each power is divided by the sum of all:</p>
     <div data-when="softmax">${display(sub(sym('p'), CLASS), op('='), frac(power(CLASS), row(sum(sym('j')), power(sym('j')))))}</div>
     <p data-when="softmax">Taking off the largest logit ${math(sub(sym('ℓ', 's'), '<mtext>max</mtext>'))} changes no share and keeps the powers small. One logit more is a share 2.72 times as large. ${math(sym('T'))} is the temperature, 1 where
      the model is used: more of it evens the shares out, less sharpens them, and their order stays
      (<a href="https://arxiv.org/abs/1706.04599">Guo et al., 2017</a>).</p>
     <p data-when="softmax">The shares of the <b data-fact="classes"></b> classes sum to 1 whatever the photo shows, so they do so for a photo of none of them, too.</p>
     <p data-when="!softmax" data-fact="scores"></p>`,
    `<p>What became of the <b data-fact="patches"></b> patch tokens? They went through every layer as well. <span data-fact="unread"></span></p>
     <p data-when="classes">The head can be asked about each of them alone, put in the place of what it reads. The map shows the logit of <b data-fact="target"></b>, patch by patch, red where it is above that of the mean patch.</p>
     <p data-when="classes">No head was trained on patches, and a patch holds what attention brought there, too: so its neighbours, and things far off.</p>`,
    `<p data-when="classes">Class token or mean of patches? The paper tried both and found them equal, once each had a learning rate of its own (<a href="https://arxiv.org/abs/2010.11929">Dosovitskiy et al., 2021</a>, appendix D.3).</p>
     <p data-when="classes">On the left is this model's answer; on the right the mean of what the head says of each patch alone, for the same classes. <span data-fact="linear"></span></p>
     <p data-when="classes">Where both agree, the class token holds what most of the picture says. Where they differ, it took more from some patches than from others.</p>
     <p data-when="!classes">Without a head there is nothing to ask of the patches, but their tokens can be used as they are: for depth, segments or matching, models like this one give a vector for each place of the photo.</p>`,
  ],
  styles: `
#answer .part { display: flex; flex: 1; flex-direction: column; gap: 12px; min-height: 0; }
@container drawing (max-width: 520px) { #answer .part { gap: 6px; } }
${READ_STYLES}${SOFTMAX_STYLES}${VOTES_STYLES}${classesStyles('answer')}`,
  facts: ({ vit: { config }, trace }) => ({
    'head-shape': `[${config.numClasses}\u00a0×\u00a0${config.numFeatures}]`,
    head: config.zeroShot ? 'Here each row is a text as another network read it; both are of length 1 and the product is scaled.' : '',
    scores: scoresSaid(config),
    unread: unreadSaid(config, trace.layers),
    linear: linearSaid(config),
  }),
  staged: [0, 1, 2, 3, 4],
  figure: createAnswer,
};

/** @param {import('../../../pkg/index.js').ModelConfig} config */
function scoresSaid({ numClasses, scores }) {
  if (!numClasses) return 'With classes, softmax would come now and make shares of logits, which sum to 1. A model without them ends with its features.';
  if (scores === 'sigmoid') return 'This model judges each class by itself: its probability is the sigmoid of its logit, 1 / (1 + exp(−logit)), which is 50 % at 0. Several classes may hold at once, or none, so the probabilities need not sum to 1.';
  return 'This model was trained to give values, not classes: its logits are the answer as they are, and neither softmax nor sigmoid follows.';
}

/**
 * @param {import('../../../pkg/index.js').ModelConfig} config
 * @param {number} layers
 */
function unreadSaid({ pooling }, layers) {
  if (pooling === 'cls' || pooling === 'cls-distillation') return `This model never reads them. What layer ${layers - 1} makes of the patches is computed and left; their keys and values in that layer, and in all before it, are how they reach the answer.`;
  if (pooling === 'cls-mean') return 'This model reads them twice: through the class token, which took from them in every layer, and directly, as the mean of all.';
  if (pooling === 'attention') return 'This model reads nothing else, but not evenly: the learned query decides how much of each.';
  if (pooling === 'map') return 'This model reads nothing else, each with those around it: its features are a map.';
  return 'This model reads nothing else, and all evenly.';
}

/** Whether the mean of the patches' logits is the head's answer to their mean. @param {import('../../../pkg/index.js').ModelConfig} config */
function linearSaid({ zeroShot, pooling }) {
  if (zeroShot || pooling === 'attention') return 'It is a mean of answers, not the answer to a mean: this head is not linear.';
  if (pooling === 'mean') return 'A head is linear, so this comes to what the model itself does, but for rounding, and for where its norm stands.';
  return `A head is linear, so where each patch is normed before, this is what it would say of the patches' mean${pooling === 'cls' ? '' : ', put into both places that it reads'}.`;
}

/** @param {import('../figure.js').Hands} hands */
function createAnswer(hands) {
  const [read, softmax, votes, comparison] = [createRead(hands), createSoftmax(hands), createPatchVotes(hands), createComparison(hands)];
  const parts = [read, softmax, softmax, votes, comparison];
  const element = make('div', {}, [...new Set(parts)].map((part) => part.element));

  return {
    element,

    /** @param {Context} context */
    show(context) {
      const part = context.target ? parts[context.step] : read;
      for (const { element } of parts) element.hidden = element !== part.element;
      return part.show(context);
    },
  };
}
