/** One query and all keys: the photo that is asked on, and below it what is computed, a part of it each step. */
import { segments, slider } from '../../explorer/controls.js';
import { find, make, percent } from '../../explorer/dom.js';
import { remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { createPhoto } from '../kit/photo.js';
import { softmax, spread } from '../kit/softmax.js';
import { streamOf } from '../kit/token.js';
import { math, sym } from '../math.js';
import { queryOf, tellingHead, tokenMark, tokenName } from './asking.js';
import { createDot } from './dot.js';
import { createMarks } from './marks.js';
import { createMix } from './mix.js';
import { createShares } from './shares.js';
import { createStrips } from './strips.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').Trace} Trace
 * @typedef {import('../../../pkg/index.js').HeadInside} HeadInside
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 */

/** Steps of the text. */
const [ASK, ANSWER, SHARE, MIX] = [0, 1, 2, 3];
/** Of the slider, powers of two. */
const COLDEST = -2;

/** @param {number} power */
const temperatureOf = (power) => 2 ** power;

/** @param {import('../figure.js').Hands} hands @returns {import('../figure.js').Figure} */
export function createAttention({ choose, change }) {
  const photo = createPhoto('The photo: a click or the arrow keys choose a patch', {
    onPick: (patch) => pick(patch === null || !context ? null : patch + context.trace.prefixTokens),
    onHover: (patch) => hover(patch === null || !context ? null : patch + context.trace.prefixTokens),
  });
  const marks = createMarks(find(photo.element, '.frame'));
  const aside = make('div', { class: 'aside', role: 'group', 'aria-label': 'Tokens that are no patch' });
  const made = createStrips([
    { label: math(sym('z', 'z')), name: 'z', kind: 'stream' },
    { label: math(sym('q', 'q')), name: 'q', thumb: false },
    { label: math(sym('k', 'k')), name: 'k', thumb: false },
    { label: math(sym('v', 'v')), name: 'v', thumb: false },
  ]);
  const dot = createDot();
  const shares = createShares({ onHover: hover, onPick: (token) => pick(token, 'key') });
  const mix = createMix();
  const panel = make('div', { class: 'panel-box' }, [make('div', { class: 'panel-part' }, [made.element]), dot.element, shares.element, mix.element]);
  const layer = slider('Layer', { min: 0, max: 0, value: 0 }, String, () => choose({ layer: layer.value }));
  const head = slider('Head', { min: 0, max: 0, value: 0 }, String, () => choose({ head: head.value }));
  const mode = segments('A click chooses', /** @type {const} */ ([['key', 'who answers'], ['query', 'who asks']]), change);
  const heat = slider('Temperature', { min: COLDEST, max: -COLDEST, value: 0, step: 0.25 }, (power) => number(temperatureOf(power)), change);
  const element = make('div', {}, [photo.element, aside, panel, make('div', { class: 'controls' }, [layer.element, head.element, mode.element, heat.element])]);

  /** @type {Context | undefined} */
  let context;
  /** @type {HeadInside | undefined} */
  let inside;
  /** A token before the patches that asks in their place. @type {number | null} */
  let special = null;
  /** The token that answers: chosen, and under the pointer. @type {number | null} */
  let key = null;
  /** @type {number | null} */
  let pointed = null;

  /** What a click means: at first there is nothing but a query to choose. */
  const choosing = () => (context?.step === ASK ? 'query' : mode.value);

  /** @param {number | null} token @param {'key' | 'query'} [what] */
  function pick(token, what = choosing()) {
    if (!context) return;
    if (what === 'key') key = token;
    else {
      special = token !== null && token < context.trace.prefixTokens ? token : null;
      if (special === null) return choose({ patch: token === null ? null : token - context.trace.prefixTokens });
    }
    change();
  }

  /** @param {number | null} token */
  function hover(token) {
    pointed = choosing() === 'key' ? token : null;
    if (context && inside && context.step !== ASK) paint(context, inside);
  }

  /** The token that answers. @param {HeadInside} asked */
  const answering = ({ attention, token }) => pointed ?? key ?? strongest(attention, token);

  /** What goes with the token that answers. @param {Context} now @param {HeadInside} asked */
  function paint({ trace, step }, asked) {
    const token = answering(asked);
    const of = { trace, picture: photo.picture };
    marks.show(trace, asked.token, step === ASK ? null : token);
    if (step === ANSWER) dot.show(asked, token, of);
    if (step === SHARE) shares.show(trace, asked.scores, temperatureOf(heat.value), token);
    aside.classList.toggle('asking', choosing() === 'query');
    for (const button of aside.querySelectorAll('button')) button.setAttribute('aria-pressed', String(Number(button.value) === (choosing() === 'key' ? token : asked.token)));
  }

  /** The tokens that lie nowhere on the photo, and what they get. @param {Context} now @param {HeadInside} asked @param {ArrayLike<number>} row */
  function showAside({ trace, step }, { scores }, row) {
    aside.hidden = !trace.prefixTokens;
    const values = step === ASK ? [] : Array.from(step === ANSWER ? scores : row, step === ANSWER ? number : percent);
    aside.replaceChildren(...trace.prefix.map((_, token) => {
      const button = make('button', { type: 'button', class: 'button', value: String(token), title: tokenName(trace, token) }, [trace.prefixTokens > 2 ? tokenMark(trace, token) : tokenName(trace, token).replace('the ', ''), ...(step === ASK ? [] : [make('b', {}, [values[token]])])]);
      button.addEventListener('click', () => pick(token));
      button.addEventListener('pointerenter', () => hover(token));
      button.addEventListener('pointerleave', () => hover(null));
      return button;
    }));
  }

  /** @param {Context} now @param {HeadInside} asked @returns {string} */
  function tell({ trace, vit, step }, asked) {
    const { scores, attention, token, q, layer: l, head: h } = asked;
    const temperature = step === SHARE ? temperatureOf(heat.value) : 1;
    const row = temperature === 1 ? attention : softmax(scores, temperature).shares;
    const who = sentence(tokenName(trace, token));
    const answers = key ?? strongest(attention, token);
    const special = trace.prefixTokens ? ` ${trace.prefixTokens === 1 && trace.prefix[0] === 'class' ? `The class token ${token === 0 ? 'keeps' : 'gets'}` : 'Tokens that are no patch get'} ${percent(sum(row.slice(0, trace.prefixTokens)))}.` : '';
    const own = vit.config.dtype === 'int8' && temperature === 1 ? differs(trace, asked) : '';
    if (step === ASK) return `${who} in head ${h} of layer ${l}: its ${count(trace.hiddenSize)} numbers z become a query q, a key k and a value v of ${q.length} numbers each.`;
    if (step === ANSWER) {
      const rank = scores.filter((score) => score > scores[answers]).length;
      return `${who} asks, ${tokenName(trace, answers)} answers in head ${h} of layer ${l}: score ${number(scores[answers])}, ${rank ? `number ${rank + 1}` : 'the highest'} of ${count(scores.length)}. Red is above the mean, blue below.`;
    }
    if (step === MIX) {
      return `What head ${h} of layer ${l} hands to ${tokenName(trace, token)}: the ${mix.shown} strongest values, the other ${count(attention.length - mix.shown)}, and their sum.${own}`;
    }
    const best = strongest(row, -1);
    const even = Math.max(1, Math.round(spread(row)));
    const warm = temperature === 1 ? '' : ` At temperature ${number(temperature)}, which is not the model’s own.`;
    return `${sentence(tokenName(trace, best))} gets most: ${percent(row[best])}.${special} As spread as ${even === 1 ? 'one share' : `${count(even)} even shares`} of ${count(row.length)}.${warm}${own}`;
  }

  return {
    element,
    async show(next) {
      const { trace, step, signal } = next;
      if (context?.trace !== trace || context.step !== step) {
        [key, pointed] = [null, null];
        heat.extend(-COLDEST, 0);
        if (context?.trace !== trace || step === ASK || next.picked !== context.picked) special = null;
      } else if (context.patch !== next.patch) special = null;
      const entered = context?.step !== step;
      context = next;
      element.dataset.step = String(step);
      const which = tellingHead(trace, next.patch, next);
      layer.extend(trace.layers - 1, which.layer);
      head.extend(trace.heads - 1, which.head);
      const token = special ?? trace.prefixTokens + next.patch;
      const asked = await remember(trace, `inside ${which.layer} ${which.head} ${token}`, () => trace.query({ ...which, query: queryOf(trace, token), signal }), signal);
      if (signal.aborted) return '';
      inside = asked;
      const row = step === SHARE ? Float32Array.from(softmax(asked.scores, temperatureOf(heat.value)).shares) : asked.attention;
      const marked = choosing() === 'query' ? asked.token : answering(asked);
      await photo.show(next, mapOf(trace, asked, row, step), { patch: marked >= trace.prefixTokens ? marked - trace.prefixTokens : null, cut: step === ASK });
      if (signal.aborted) return '';
      if (step === ASK) {
        const of = { trace, picture: photo.picture, token };
        const size = asked.q.length;
        const stream = streamOf(trace, which.layer, token);
        made.show(0, { values: stream, tail: count(stream.length) }, of);
        const own = (/** @type {Float32Array} */ all) => all.subarray(token * size, (token + 1) * size);
        [asked.q, own(asked.k), own(asked.v)].forEach((values, i) => made.show(i + 1, { values, tail: count(size) }));
      }
      if (step === MIX) mix.show(asked, { trace, picture: photo.picture }, panel.clientHeight, entered && !next.still ? signal : undefined);
      showAside(next, asked, row);
      paint(next, asked);
      return tell(next, asked);
    },
  };
}

/** What lies over the photo at a step. @param {Trace} trace @param {HeadInside} asked @param {Float32Array} row @param {number} step @returns {ViewMap | undefined} */
function mapOf({ prefixTokens, grid: [rows, cols] }, { scores }, row, step) {
  if (step === ASK) return undefined;
  const patches = (step === ANSWER ? scores : row).slice(prefixTokens);
  const mean = step === ANSWER ? sum(patches) / patches.length : 0;
  return { rows, cols, channels: 1, data: patches.map((value) => value - mean), signed: step === ANSWER, text: step === ANSWER ? 'scores, from their mean' : 'shares' };
}

/** How far the engine's own row is from this one, where it recorded that. @param {Trace} trace @param {HeadInside} asked */
function differs({ attentions, recorded, heads, tokens, queries }, { layer, head, token, attention }) {
  if (queries || !attentions.length) return ' In f32, not in int8.';
  const start = ((recorded.indexOf(layer) * heads + head) * tokens + token) * tokens;
  const most = attention.reduce((most, share, i) => Math.max(most, Math.abs(share - attentions[start + i])), 0);
  return ` In f32; the engine’s int8 shares are within ${(100 * most).toFixed(2)} points.`;
}

/** The token with the largest share, but for one. @param {ArrayLike<number>} row @param {number} but */
function strongest(row, but) {
  return Array.from(row).reduce((best, share, i) => (i !== but && (best === but || share > row[best]) ? i : best), 0);
}

/** @param {ArrayLike<number>} values */
function sum(values) {
  return Array.from(values).reduce((a, b) => a + b, 0);
}

/** @param {string} words */
function sentence(words) {
  return words[0].toUpperCase() + words.slice(1);
}
