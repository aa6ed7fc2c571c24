/** What goes into the first layer: the photo's patches, the row of all tokens, and one token's numbers. */
import { context2d, make } from '../../explorer/dom.js';
import { remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { createPhoto, drawCrop } from '../kit/photo.js';
import { createTween, pictureOf } from '../kit/plane.js';
import { streamAt, streamOf } from '../kit/token.js';
import { createVector } from '../kit/vector.js';
import { createSequence, stripsOf } from './sequence.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').Trace} Trace
 */

const NAMES = { class: 'class token', distillation: 'distillation token', register: 'register token' };

/** A picture without anything in it. */
const GREY = { data: new Uint8ClampedArray(4 * 64).fill(128).map((value, i) => (i % 4 === 3 ? 255 : value)), width: 8, height: 8 };

/** Side of the photo of which patches are shown above their strips, in pixels. */
const CUT = 512;

/** What is before the patches, in words. @param {Trace} trace */
function prefixWords({ prefix }) {
  const parts = /** @type {(keyof typeof NAMES)[]} */ (Object.keys(NAMES)).flatMap((kind) => {
    const many = prefix.filter((one) => one === kind).length;
    return many ? [many === 1 ? `one ${NAMES[kind]}` : `${many} ${NAMES[kind]}s`] : [];
  });
  return parts.length ? parts.join(', ') : 'nothing';
}

/** @param {string} text */
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** @param {Trace} trace @param {number} token */
function nameOf({ prefix, prefixTokens, grid }, token) {
  if (token >= prefixTokens) return `patch in row ${Math.floor((token - prefixTokens) / grid[1])}, column ${(token - prefixTokens) % grid[1]}`;
  const kind = prefix[token];
  return kind === 'register' ? `register token ${prefix.slice(0, token).filter((one) => one === kind).length}` : NAMES[kind];
}

/**
 * How far a token's numbers lie from those of another trace, on average.
 * @param {Trace} trace
 * @param {Trace} other
 * @param {number} first
 * @param {number} last not included
 */
function differenceOf(trace, other, first, last) {
  const [{ stream: a, hiddenSize }, { stream: b }] = [streamAt(trace, 0), streamAt(other, 0)];
  let sum = 0;
  for (let i = first * hiddenSize; i < last * hiddenSize; i++) sum += Math.abs(a[i] - b[i]);
  return sum / ((last - first) * hiddenSize);
}

/** @param {import('../figure.js').Hands} hands */
export function createTokens({ choose }) {
  const photo = createPhoto('The photo: choose a patch', { onPick: (patch) => patch !== null && pick(patch, true), onHover: (patch) => hover(patch === null || !shown ? null : shown.trace.prefixTokens + patch) });
  const sequence = createSequence('All tokens side by side; arrow keys go from one to the next', { onHover: hover, onPick: (token) => pick(token), onKey });
  const vector = createVector('token');
  const name = make('p', { class: 'note' });
  const element = make('div', {}, [photo.element, sequence.element, make('div', {}, [name, vector.element])]);
  /** @type {Context | undefined} */
  let shown;
  /** What the model sees of the photo, and of the grey picture. */
  const cut = document.createElement('canvas');
  const plain = document.createElement('canvas');
  Object.assign(plain, { width: GREY.width, height: GREY.height });
  context2d(plain).putImageData(new ImageData(GREY.data, GREY.width, GREY.height), 0, 0);
  /** The token whose numbers are seen, of the reader's choice in this step. @type {number | null} */
  let held = null;
  let step = -1;
  let present = 0;
  /** @type {import('./sequence.js').Row[]} */
  let rows = [];
  const tween = createTween(800, (done) => {
    present = done;
    sequence.show(rows, { present, block: step === 3 });
  });

  /** @param {number | null} token */
  function hover(token) {
    if (shown) look(token ?? resting(shown));
  }

  /** @param {number} at a token, or a patch @param {boolean} [isPatch] */
  function pick(at, isPatch = false) {
    if (!shown) return;
    const { prefixTokens } = shown.trace;
    held = isPatch ? at + prefixTokens : at;
    if (held >= prefixTokens) choose({ patch: held - prefixTokens });
    else look(held);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || !shown) return;
    event.preventDefault();
    const { trace } = shown;
    const { tokens } = streamAt(trace, 0);
    const { prefixTokens } = trace;
    pick(Math.min(tokens - 1, Math.max(step ? 0 : prefixTokens, resting(shown) + move)));
  }

  /** The token that is seen while nothing is pointed at. @param {Context} context */
  function resting({ trace: { prefixTokens }, patch }) {
    return held ?? (step && prefixTokens ? 0 : prefixTokens + patch);
  }

  /** @param {number} token */
  function look(token) {
    if (!shown) return;
    const { trace } = shown;
    const { prefixTokens } = trace;
    const vectorOf = streamOf(trace, 0, token);
    sequence.mark(token);
    photo.show(shown, undefined, { patch: token < prefixTokens ? null : token - prefixTokens, cut: true });
    name.textContent = `Token ${count(token)}, ${nameOf(trace, token)}: ${count(vectorOf.length)} numbers`;
    vector.show(vectorOf);
  }

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      const { trace, vit, signal, still } = context;
      const { prefixTokens, grid: [height, width] } = trace;
      const { tokens, hiddenSize } = streamAt(trace, 0);
      const isNew = step !== context.step;
      if (isNew) held = null;
      [shown, step] = [context, context.step];
      const strips = (/** @type {Trace} */ of) => remember(of, 'tokens as strips', () => stripsOf(streamAt(of, 0).stream, tokens, hiddenSize, prefixTokens));
      const key = `tokens of a grey picture, ${height} × ${width}`;
      const grey = step === 2 ? await remember(vit, key, () => vit.trace(GREY, { layers: [0], attentions: false, topK: 1, signal }), signal) : undefined;
      if (signal.aborted) return '';
      const picture = await pictureOf(context.image);
      if (signal.aborted) return '';
      drawCrop(cut, picture, trace.crop, CUT);
      const patches = `${count(height * width)} patches`;
      const label = prefixTokens && step ? `${capital(prefixWords(trace))}, ${patches}` : patches;
      const across = `${count(tokens)} tokens across, ${count(hiddenSize)} numbers down`;
      rows = [{ strips: strips(trace), label: step === 3 ? across : grey ? `This photo: ${label.toLowerCase()}` : label, photo: cut, grid: trace.grid }];
      if (grey) rows.push({ strips: strips(grey), label: 'A grey picture', photo: plain, grid: trace.grid });
      const all = step && prefixTokens ? 1 : 0;
      if (step === 1 && isNew && prefixTokens) tween.run(still);
      else {
        tween.stop();
        present = all;
        sequence.show(rows, { present, block: step === 3 });
      }
      look(resting(context));
      if (step === 0) return `${patches}, each a strip of ${count(hiddenSize)} numbers, from the first row of the photo to the last.`;
      if (grey) {
        const apart = `the ${count(height * width)} of patches by ${number(differenceOf(trace, grey, prefixTokens, tokens))} a number on average`;
        if (!prefixTokens) return `The tokens of the photo, and of a picture that is grey all over: they differ, ${apart}.`;
        const differs = differenceOf(trace, grey, 0, prefixTokens);
        const first = prefixTokens === 1 ? `The ${nameOf(trace, 0)}` : `The first ${count(prefixTokens)}`;
        return `The photo and a picture that is grey all over. ${first} ${prefixTokens === 1 ? 'differs' : 'differ'} by ${differs ? number(differs) : 'nothing'}, ${apart}.`;
      }
      if (!prefixTokens) return `${patches} and nothing before them: ${count(tokens)} tokens of ${count(hiddenSize)} numbers.`;
      return `${capital(prefixWords(trace))} and ${patches}: ${count(prefixTokens)} + ${count(height * width)} = ${count(tokens)} tokens of ${count(hiddenSize)} numbers.`;
    },
  };
}
