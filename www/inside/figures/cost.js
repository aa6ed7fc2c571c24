/** The photo in cells, each a token, and how many comparisons these make, to scale. */
import { slider } from '../../explorer/controls.js';
import { make } from '../../explorer/dom.js';
import { count } from '../facts.js';
import { createPlane, createTween, fit, pictureOf, stepped } from '../kit/plane.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../kit/plane.js').Sheet} Sheet
 * @typedef {{cols: number, rows: number, tokens: number, text: string}} Cells  a picture as tokens; text: of how many pixels one is
 * @typedef {import('../../../pkg/index.js').Rectangle} Rectangle
 */

/** Side of the picture that the chapter begins with, in pixels. */
const SMALL = 100;
/** Lines to others that a side of the drawing bears; of more, as many are drawn. */
const LINES = 15;
/** Above the drawings, in CSS pixels: how many tokens these are. */
const HEADING = 20;

/** How many times something is, as people read it. @param {number} value */
export const times = (value) => count(Number(value.toFixed(value < 10 ? 1 : 0)));

/** Bytes as people read them. @param {number} value */
function bytes(value) {
  const [power, unit] = value < 1e6 ? [1e3, 'kB'] : value < 1e9 ? [1e6, 'MB'] : value < 1e12 ? [1e9, 'GB'] : [1e12, 'TB'];
  return `${Number((value / power).toPrecision(3)).toLocaleString('en')} ${unit}`;
}

/**
 * All ways to cut a picture into square cells of whole pixels, and that of the model.
 * @param {number} width
 * @param {number} height
 * @param {[height: number, width: number]} [patch]
 * @returns {Cells[]} the finest first
 */
function waysToCut(width, height, patch = [1, 1]) {
  const sides = Array.from({ length: Math.min(width, height) / 2 }, (_, i) => i + 1).filter((side) => width % side === 0 && height % side === 0);
  /** @param {number} across @param {number} down */
  const cells = (across, down) => ({ cols: width / across, rows: height / down, tokens: (width * height) / across / down, text: `${across} × ${down} pixel${across * down === 1 ? '' : 's'}` });
  const ways = sides.map((side) => cells(side, side));
  const own = cells(patch[1], patch[0]);
  if (!ways.some(({ text }) => text === own.text)) ways.push(own);
  return ways.sort((a, b) => b.tokens - a.tokens);
}

/**
 * The model's own cells, its pixels, and the next finer cells with which it could do.
 * @param {Context['trace']} trace
 */
export function costOf({ grid: [rows, cols], patchSize: [height, width] }) {
  const ways = waysToCut(cols * width, rows * height, [height, width]);
  const own = /** @type {Cells} */ (ways.find((way) => way.tokens === rows * cols));
  const finer = ways.filter(({ tokens }) => tokens > own.tokens);
  const half = finer.find(({ tokens }) => tokens === 4 * own.tokens) ?? finer.at(-1) ?? own;
  return { ways, own, pixels: ways[0], finer: half };
}

/** @param {import('../figure.js').Hands} hands */
export function createCost({ choose, change }) {
  /** @type {Cells[]} */
  let ways = waysToCut(SMALL, SMALL);
  let chosen = ways[0];
  let reference = ways[0];
  /** What the slider was set for. */
  let set = '';
  /** Where in the picture the token is that asks, in shares of its sides; null: at the chosen patch. @type {{x: number, y: number} | null} */
  let pointed = null;
  /** @type {Context | undefined} */
  let shown;
  /** @type {ImageBitmap | undefined} */
  let picture;
  /** The picture in as many pixels as the tokens are made of. */
  const pixels = document.createElement('canvas');
  /** Side of the chosen square on its way from one to the next, in tokens. */
  let side = 0;
  let from = 0;
  const tween = createTween(700, (done) => {
    side = from * (chosen.tokens / (from || 1)) ** done;
    square.draw();
  });

  const scale = slider('A token is', { min: 0, max: ways.length - 1, value: 0 }, (i) => ways[i].text, change);
  const input = /** @type {HTMLInputElement} */ (scale.element.querySelector('input'));
  const photo = createPlane('The photo in cells, each a token; arrow keys choose the one that asks', drawPhoto, { tabindex: '0' });
  const square = createPlane('The comparisons of all tokens with all, as a square', drawSquare);
  const numbers = ['Tokens', 'Comparisons', 'One head', ''].map((name) => ({ name: make('dt', {}, [name]), value: make('dd') }));
  const list = make('dl', {}, numbers.map(({ name, value }) => make('div', {}, [name, value])));
  const element = make('div', {}, [make('div', { class: 'pair' }, [photo.element, square.element]), list, make('div', { class: 'controls' }, [scale.element])]);

  /** The part that is cut: for the picture of the beginning a square. @param {Context} context @returns {Rectangle} */
  function partOf({ trace: { crop }, step }) {
    return step < 2 ? fit(1, crop) : crop;
  }

  /** Where the chosen patch is, in shares of the part. @param {Context} context */
  function patchAt(context) {
    const { trace: { crop, grid: [rows, cols] }, patch } = context;
    const part = partOf(context);
    const share = (/** @type {number} */ value) => Math.min(0.999, Math.max(0, value));
    const x = crop.x + ((patch % cols) + 0.5) * (crop.width / cols);
    const y = crop.y + (Math.floor(patch / cols) + 0.5) * (crop.height / rows);
    return { x: share((x - part.x) / part.width), y: share((y - part.y) / part.height) };
  }

  /** The token that asks: its column and row. */
  function asking() {
    const { x, y } = pointed ?? (shown?.picked ? patchAt(shown) : { x: 0.5, y: 0.5 });
    return { col: Math.floor(x * chosen.cols), row: Math.floor(y * chosen.rows) };
  }

  /** @param {{width: number, height: number}} room */
  const place = ({ width, height }) => fit(pixels.width / pixels.height || 1, { y: HEADING, width, height: height - HEADING });

  /** @param {Sheet} sheet */
  function drawPhoto({ context, width, height, colour }) {
    if (!picture) return;
    const box = place({ width, height });
    const { cols, rows, tokens } = chosen;
    context.fillStyle = colour('--ink');
    context.fillText(`${count(cols)} × ${count(rows)} = ${count(tokens)} tokens`, box.x, box.y - 7);
    const [across, down] = [box.width / cols, box.height / rows];
    context.imageSmoothingEnabled = pixels.width > box.width;
    context.drawImage(pixels, box.x, box.y, box.width, box.height);
    if (across >= 3) {
      context.fillStyle = 'rgb(255 255 255 / 0.42)';
      for (let col = 1; col < cols; col++) context.fillRect(Math.round(box.x + col * across), box.y, across > 7 ? 1 : 0.5, box.height);
      for (let row = 1; row < rows; row++) context.fillRect(box.x, Math.round(box.y + row * down), box.width, across > 7 ? 1 : 0.5);
    }
    const { col, row } = asking();
    const centre = (/** @type {number} */ col, /** @type {number} */ row) => /** @type {const} */ ([box.x + (col + 0.5) * across, box.y + (row + 0.5) * down]);
    const skip = Math.ceil(Math.max(cols, rows) / LINES);
    context.strokeStyle = colour('--signal');
    context.globalAlpha = 0.6;
    context.lineWidth = 0.75;
    context.beginPath();
    for (let y = row % skip; y < rows; y += skip) {
      for (let x = col % skip; x < cols; x += skip) {
        context.moveTo(...centre(col, row));
        context.lineTo(...centre(x, y));
      }
    }
    context.stroke();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    const least = Math.max(4, across);
    const [x, y] = centre(col, row);
    context.strokeRect(x - least / 2, y - least / 2, least, Math.max(4, down));
  }

  /** @param {Sheet} sheet */
  function drawSquare({ context, width, height, colour }) {
    const box = fit(1, { x: 1, y: HEADING, width: width - 2, height: height - HEADING - 1 });
    const scale = box.width / Math.max(reference.tokens, side);
    const large = reference.tokens * scale;
    const small = Math.max(1.5, side * scale);
    const squares = /** @type {[size: number, fill: string, line: string][]} */ ([[large, '--well', '--strong-line'], [small, '--signal', '--signal']]).sort((a, b) => b[0] - a[0]);
    for (const [size, fill, line] of squares) {
      context.globalAlpha = fill === '--well' ? 1 : 0.2;
      context.fillStyle = colour(fill);
      context.fillRect(box.x, box.y, size, size);
      context.globalAlpha = 1;
      context.lineWidth = 1.5;
      context.strokeStyle = colour(line);
      context.strokeRect(box.x, box.y, size, size);
    }
    const [outer, inner] = small < large ? [reference, chosen] : [chosen, reference];
    const text = (/** @type {Cells} */ { tokens }) => `${count(tokens)} × ${count(tokens)}`;
    context.fillStyle = colour('--ink');
    context.fillText(text(outer), box.x, box.y - 7);
    if (outer === inner) return;
    const within = Math.min(small, large);
    context.fillStyle = colour(small < large ? '--signal' : '--ink');
    context.fillText(text(inner), box.x + within + 7, box.y + Math.max(13, within / 2 + 4));
  }

  /**
   * @param {{offsetX: number, offsetY: number}} event
   * @returns {{x: number, y: number} | null}
   */
  function pointAt({ offsetX, offsetY }) {
    const box = place({ width: photo.canvas.clientWidth, height: photo.canvas.clientHeight });
    const [x, y] = [(offsetX - box.x) / box.width, (offsetY - box.y) / box.height];
    return x >= 0 && x < 1 && y >= 0 && y < 1 ? { x, y } : null;
  }

  /** Chooses the patch there, for all figures. @param {{x: number, y: number}} at */
  function pick({ x, y }) {
    if (!shown) return;
    const { trace: { crop, grid: [rows, cols] } } = shown;
    const part = partOf(shown);
    const col = Math.floor(((part.x + x * part.width - crop.x) / crop.width) * cols);
    const row = Math.floor(((part.y + y * part.height - crop.y) / crop.height) * rows);
    choose({ patch: row * cols + col });
  }

  photo.canvas.addEventListener('pointermove', (event) => {
    pointed = pointAt(event);
    photo.draw();
  });
  photo.canvas.addEventListener('pointerleave', () => {
    pointed = null;
    photo.draw();
  });
  photo.canvas.addEventListener('click', (event) => {
    const at = pointAt(event);
    if (at) pick(at);
  });
  photo.canvas.addEventListener('keydown', (event) => {
    const patch = shown && stepped(event.key, shown.patch, shown.trace.grid);
    if (patch === undefined) return;
    event.preventDefault();
    pointed = null;
    choose({ patch });
  });

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      const { trace, image, step, still, signal } = context;
      const { ways: all, own, pixels: finest, finer } = costOf(trace);
      const begun = step < 2 ? waysToCut(SMALL, SMALL) : all;
      const key = [step, finest.text, finest.tokens].join();
      if (set !== key) {
        set = key;
        ways = begun;
        const wanted = step === 2 ? own : step === 3 ? finer : ways.find(({ cols }) => cols === (step ? 25 : SMALL));
        scale.extend(ways.length - 1, ways.findIndex(({ text }) => text === wanted?.text));
      }
      chosen = ways[scale.value];
      reference = step === 3 ? /** @type {Cells} */ (ways.find(({ text }) => text === own.text)) : ways[0];
      input.setAttribute('aria-valuetext', chosen.text);
      const source = await pictureOf(image);
      if (!signal.aborted) {
        [shown, picture] = [context, source];
        shrink(pixels, source, partOf(context), ways[0]);
        photo.draw();
        from = side || chosen.tokens;
        tween.run(still || from === chosen.tokens);
      }
      const scores = chosen.tokens ** 2;
      const all4 = 4 * scores * trace.heads * trace.layers;
      [count(chosen.tokens), count(scores), bytes(4 * scores), bytes(all4)].forEach((text, i) => (numbers[i].value.textContent = text));
      numbers[3].name.textContent = `${count(trace.heads)} heads, ${count(trace.layers)} layers`;
      const ratio = chosen.tokens / reference.tokens;
      const against = ratio === 1 ? '' : ratio < 1 ? `, ${times(ratio ** -2)} times fewer than of single pixels` : `, ${times(ratio ** 2)} times those of its own patches`;
      return `A token for every ${chosen.text}: ${count(chosen.cols)} × ${count(chosen.rows)} = ${count(chosen.tokens)}. Lines join one with all; the square is all ${count(scores)} pairs${against}.`;
    },
  };
}

/**
 * A part of a picture in few pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} picture
 * @param {Rectangle} part
 * @param {{cols: number, rows: number}} size
 */
function shrink(canvas, picture, { x, y, width, height }, { cols, rows }) {
  Object.assign(canvas, { width: cols, height: rows });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, x, y, width, height, 0, 0, cols, rows);
}
