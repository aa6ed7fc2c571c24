/** Which tokens the head reads, and what they hold after the last layer. */
import { moved } from '../../explorer/detail.js';
import { make } from '../../explorer/dom.js';
import { count } from '../facts.js';
import { createPhoto } from '../kit/photo.js';
import { streamAt } from '../kit/token.js';
import { createVector } from '../kit/vector.js';

/** @typedef {import('../figure.js').Context} Context */

/** What is done with it. @type {Record<import('../../../pkg/index.js').ModelConfig['pooling'], string>} */
const DONE = {
  cls: 'the last norm',
  mean: 'the last norm, and the mean',
  'cls-mean': 'the last norm, and one after the other',
  'cls-distillation': 'the last norm, and one after the other',
  attention: 'one learned query gathers them, by attention',
  map: 'convolutions, and a map of as many patches',
};

/** @param {import('../figure.js').Hands} hands */
export function createRead({ choose }) {
  const photo = createPhoto('The patches after the last layer: choose one', { onPick: (patch) => choose({ patch }) });
  const prefix = make('ul', { class: 'prefix', 'aria-label': 'Tokens before the patches' });
  const label = make('p', { class: 'note' });
  const strips = [0, 1, 2].map((i) => {
    const name = make('p');
    const vector = createVector(['first vector', 'second vector', 'features'][i]);
    return { name, vector, element: make('div', { class: 'strip-row' }, [name, vector.element]) };
  });
  const done = make('p', { class: 'note done' });
  const [first, second, features] = strips;
  const element = make('div', { class: 'part read' }, [
    make('div', { class: 'row grow' }, [prefix, make('div', { class: 'grow patches' }, [photo.element, label])]),
    make('div', { class: 'strips' }, [first.element, second.element, done, features.element]),
  ]);

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      const { trace, vit: { config }, patch, picked } = context;
      const { prefixTokens } = trace;
      const { stream: last = new Float32Array(), tokens, hiddenSize, grid } = streamAt(trace, trace.recorded.length);
      const at = moved(patch, trace.grid, grid);
      const { pooling } = config;
      const classRead = pooling.startsWith('cls');
      const patchesRead = pooling !== 'cls' && pooling !== 'cls-distillation';
      const patches = tokens - prefixTokens;
      prefix.hidden = !prefixTokens;
      prefix.replaceChildren(...trace.prefix.map((kind) => {
        const read = (kind === 'class' && classRead) || (kind === 'distillation' && pooling === 'cls-distillation');
        return make('li', { class: read ? 'is-read' : '' }, [make('i', { 'aria-hidden': 'true' }), make('span', {}, [kind]), make('small', {}, [read ? 'read' : 'not read'])]);
      }));
      element.classList.toggle('unread', !patchesRead);
      label.textContent = patchesRead ? `${count(patches)} patches: read${pooling === 'attention' || pooling === 'map' ? '' : ', as their mean'}` : `${count(patches)} patches: not read`;
      const token = (/** @type {number} */ index) => last.subarray(index * hiddenSize, (index + 1) * hiddenSize);
      /** @type {[string, ArrayLike<number>][]} */
      const read = [
        ...(classRead ? [/** @type {[string, ArrayLike<number>]} */ (['class token', token(trace.prefix.indexOf('class'))])] : []),
        ...(pooling === 'cls-distillation' ? [/** @type {[string, ArrayLike<number>]} */ (['distillation token', token(trace.prefix.indexOf('distillation'))])] : []),
        ...(pooling === 'mean' || pooling === 'cls-mean' ? [/** @type {[string, ArrayLike<number>]} */ (['mean of patches', meanOf(last, prefixTokens, hiddenSize)])] : []),
      ];
      if (read.length < 2 && picked) read.push([`patch in row ${Math.floor(at / grid[1])}, column ${at % grid[1]}`, token(prefixTokens + at)]);
      [first, second].forEach((strip, i) => {
        strip.element.hidden = !read[i] || !last.length;
        strip.name.textContent = read[i]?.[0] ?? '';
        if (read[i] && last.length) strip.vector.show(read[i][1], usual(read[i][1]));
      });
      done.textContent = `↓ ${DONE[pooling]}${pooling !== 'map' && isProjected(config) ? ', then a projection' : ''}`;
      const there = pooling === 'map' ? trace.features.filter((_, i) => i % (tokens - prefixTokens) === at) : trace.features; // [channels, rows, columns]
      features.name.textContent = `features${pooling === 'map' ? ' there' : ''}, ${count(there.length)} numbers`;
      features.vector.show(there, usual(there));
      await photo.show(context, undefined, { patch: picked ? patch : null, cut: true });
      const unread = tokens - (classRead ? 1 : 0) - (pooling === 'cls-distillation' ? 1 : 0) - (patchesRead ? patches : 0);
      return `${count(tokens - unread)} of the ${count(tokens)} tokens ${tokens - unread === 1 ? 'is' : 'are'} read after layer ${trace.layers - 1}; the features are ${count(trace.features.length)} numbers.`;
    },
  };
}

/** Whether the features are no longer as many numbers as are read. @param {import('../../../pkg/index.js').ModelConfig} config */
function isProjected({ pooling, numFeatures, hiddenSize }) {
  return numFeatures !== hiddenSize * (pooling === 'cls-mean' || pooling === 'cls-distillation' ? 2 : 1);
}

/**
 * Where the scale of a strip ends: a few numbers of a vector are far larger than all others, which would be pale beside them.
 * @param {ArrayLike<number>} values
 */
function usual(values) {
  const sizes = Array.from(values, Math.abs).sort((a, b) => a - b);
  return sizes[Math.floor(0.98 * (sizes.length - 1))] || undefined;
}

/**
 * @param {Float32Array} stream [tokens, size]
 * @param {number} first
 * @param {number} size
 */
function meanOf(stream, first, size) {
  const mean = new Float32Array(size);
  const rows = stream.length / size - first;
  for (let i = first * size; i < stream.length; i++) mean[i % size] += stream[i] / rows;
  return mean;
}

export const READ_STYLES = /* css */ `
#answer .read .prefix { flex: none; display: flex; flex-direction: column; justify-content: center; gap: 10px; max-width: 8.5em; font-size: 13px; }
#answer .read .prefix li { display: grid; grid-template-columns: 16px auto; gap: 0 8px; align-items: center; color: var(--soft); }
#answer .read .prefix i { width: 16px; height: 16px; border: 1px solid var(--strong-line); }
#answer .read .prefix small { grid-column: 2; font-size: 12px; color: var(--soft); }
#answer .read .prefix .is-read { color: var(--ink); }
#answer .read .prefix .is-read i { background: var(--z); border-color: var(--z); }
#answer .read .patches { display: flex; flex-direction: column; gap: 6px; }
#answer .read .patches .note { text-align: center; }
#answer .read.unread .base { filter: grayscale(1) opacity(0.35); }
#answer .read .strips { flex: none; display: grid; gap: 6px; }
#answer .strip-row { display: grid; grid-template-columns: 11em minmax(0, 1fr); gap: 0 12px; }
#answer .strip-row > p { font-size: 13px; line-height: 20px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#answer .strip-row .value { line-height: 14px; min-height: 14px; font-size: 11px; }
#answer .read .done { padding-left: calc(11em * 14 / 13); }
@container drawing (max-width: 520px) {
  #answer .read .prefix { max-width: 5.5em; gap: 6px; }
  #answer .read .strips { gap: 2px; }
  #answer .strip-row { grid-template-columns: 8em minmax(0, 1fr); }
  #answer .strip-row > p { font-size: 12px; }
  #answer .read .done { padding-left: 8.6em; font-size: 12px; }
}
`;
