import { make } from '../../explorer/dom.js';
import { number } from '../../explorer/words.js';
import { drawCrop } from '../kit/photo.js';
import { createVector } from '../kit/vector.js';
import { tokenMark, tokenName } from './asking.js';

/** @typedef {import('../../../pkg/index.js').Trace} Trace */

/** Pixels of a patch's picture along its edge. */
const THUMB = 48;

/** A patch cut out of the photo; a token that is none, by its name. */
function createThumb() {
  const canvas = make('canvas', { 'aria-hidden': 'true' });
  const name = make('span');
  const element = make('span', { class: 'thumb' }, [canvas, name]);
  return {
    element,
    /** @param {Trace} trace @param {ImageBitmap | undefined} picture @param {number | undefined} token */
    show(trace, picture, token) {
      const { crop: { x, y, width, height }, grid: [rows, cols], prefixTokens } = trace;
      const patch = (token ?? -1) - prefixTokens;
      canvas.hidden = patch < 0 || !picture;
      name.hidden = !canvas.hidden;
      name.textContent = token === undefined ? '' : tokenMark(trace, token);
      element.title = token === undefined ? '' : tokenName(trace, token);
      if (patch < 0 || !picture) return;
      drawCrop(canvas, picture, { x: x + ((patch % cols) * width) / cols, y: y + (Math.floor(patch / cols) * height) / rows, width: width / cols, height: height / rows }, THUMB);
    },
  };
}

/**
 * Vectors below each other, each with a label and, where it is a token's, the patch before it. A place in one is a place in all that are as long: what is pointed at is marked in all, and said behind them.
 * @param {{label: string, name: string, thumb?: boolean, kind?: string}[]} rows label: HTML; name: in words; kind: a class of the row
 * @param {(index: number | null) => void} [onPoint]
 */
export function createStrips(rows, onPoint = () => {}) {
  const element = make('div', { class: 'strips' });
  const built = rows.map(({ label, name, thumb = true, kind = '' }) => {
    const vector = createVector(name, (index) => {
      point(index);
      say(index);
      onPoint(index);
    });
    const picture = createThumb();
    if (!thumb) picture.element.classList.add('none');
    const cursor = make('i', { class: 'cursor', hidden: '' });
    vector.element.append(cursor);
    const head = Object.assign(make('span', { class: 'label' }), { innerHTML: label });
    const tail = make('span', { class: 'tail' });
    const line = make('div', { class: `strip-row ${kind}` }, [picture.element, head, vector.element, tail]);
    element.append(line);
    return { line, vector, picture, cursor, tail, values: /** @type {ArrayLike<number>} */ ([]), words: '' };
  });

  /** @param {number | null} index */
  function point(index) {
    for (const { cursor, values: { length } } of built) {
      cursor.hidden = index === null || index >= length;
      if (index !== null) Object.assign(cursor.style, { left: `${(100 * index) / length}%`, width: `${100 / length}%` });
    }
  }

  /** The numbers of a place, behind each strip. @param {number | null} index */
  function say(index) {
    for (const { tail, values, words } of built) tail.textContent = index === null || index >= values.length ? words : number(values[index]);
  }

  return {
    element,
    /** Marks a place by itself. */
    point,
    /**
     * @param {number} row
     * @param {{values: ArrayLike<number>, most?: number, tail?: string}} what
     * @param {{trace: Trace, picture: ImageBitmap | undefined, token: number | undefined}} [of]
     */
    show(row, { values, most, tail = '' }, of) {
      const { vector, picture, tail: end, line } = built[row];
      Object.assign(built[row], { values, words: tail });
      line.hidden = false;
      vector.show(values, most);
      end.textContent = tail;
      if (of) picture.show(of.trace, of.picture, of.token);
    },
    /** @param {number} row */
    hide(row) {
      built[row].line.hidden = true;
    },
  };
}
