/** The matrices of one block, their areas to scale. */
import { svg } from '../../explorer/chart.js';
import { make } from '../../explorer/dom.js';
import { count } from '../facts.js';

const GAP = 8;

/**
 * How many weights a block's matrices have.
 * @param {number} width of a token
 * @param {number} mlp how many hidden units
 * @param {boolean} gated which takes a third matrix
 */
export function weightsOf(width, mlp, gated) {
  const attention = 4 * width * width;
  const hidden = (gated ? 3 : 2) * width * mlp;
  return { attention, hidden, share: hidden / (attention + hidden) };
}

/** @param {(text: string) => void} onPoint what is under the pointer, or has the focus; empty: nothing */
export function createWeights(onPoint) {
  const element = make('div', { class: 'weights grow' });
  /** @type {{width: number, mlp: number, gated: boolean} | undefined} */
  let shown;

  function draw() {
    const { clientWidth, clientHeight } = element;
    if (!shown || clientWidth < 60 || clientHeight < 60) return;
    const { width: D, mlp: M, gated } = shown;
    const names = gated ? ['W₁', 'W₃', 'W₂'] : ['W₁', 'W₂'];
    const HEAD = 24;
    // Attention as a square of four, the MLP's matrices upright beside it.
    const scale = Math.min((clientWidth - GAP * (3 + names.length)) / ((2 + names.length) * D), (clientHeight - HEAD - GAP) / Math.max(M, 2 * D));
    const [d, m] = [D * scale, M * scale];
    const total = (2 + names.length) * d + GAP * (3 + names.length);
    const left = (clientWidth - total) / 2;
    const high = Math.max(m, 2 * d + GAP);
    const top = HEAD + Math.max(0, (clientHeight - HEAD - high) / 2);
    const picture = svg('svg', { viewBox: `0 0 ${clientWidth} ${clientHeight}`, width: clientWidth, height: clientHeight });
    /** @param {string} name @param {string} kind @param {string} what @param {number} x @param {number} y @param {number} rows @param {number} cols */
    const matrix = (name, kind, what, x, y, rows, cols) => {
      const text = `${what}, ${count(rows)} × ${count(cols)}: ${count(rows * cols)} weights`;
      const group = svg('g', { class: `matrix ${kind}`, tabindex: 0, role: 'img', 'aria-label': text });
      group.append(
        svg('rect', { x, y, width: cols * scale, height: rows * scale }),
        svg('text', { x: x + (cols * scale) / 2, y: y + (rows * scale) / 2 + 5, 'text-anchor': 'middle' }, name),
      );
      for (const event of ['pointerenter', 'focus']) group.addEventListener(event, () => onPoint(text));
      for (const event of ['pointerleave', 'blur']) group.addEventListener(event, () => onPoint(''));
      picture.append(group);
    };
    const below = top + high - 2 * d - GAP;
    matrix('Q', 'q', 'Queries', left, below, D, D);
    matrix('K', 'k', 'Keys', left + d + GAP, below, D, D);
    matrix('V', 'v', 'Values', left, below + d + GAP, D, D);
    matrix('O', 'o', "Projection of the heads' sums", left + d + GAP, below + d + GAP, D, D);
    const beside = left + 2 * d + 3 * GAP;
    names.forEach((name, i) => matrix(name, 'mlp', ['First layer of the MLP', ...(gated ? ['Second half of the gated first layer'] : []), 'Last layer of the MLP'][i], beside + i * (d + GAP), top + high - m, M, D));
    const { attention, hidden } = weightsOf(D, M, gated);
    const clear = (/** @type {number} */ part) => `${((100 * part) / (attention + hidden)).toFixed(0)} %`;
    picture.append(
      svg('text', { class: 'title', x: left, y: below - 8 }, `Attention ${clear(attention)}`),
      svg('text', { class: 'title', x: beside, y: top + high - m - 8 }, `MLP ${clear(hidden)}`),
    );
    element.replaceChildren(picture);
  }
  new ResizeObserver(draw).observe(element);

  return {
    element,

    /** @param {number} width @param {number} mlp @param {boolean} gated */
    show(width, mlp, gated) {
      shown = { width, mlp, gated };
      draw();
    },
  };
}
