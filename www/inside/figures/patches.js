/** A patch of the photo on its way to a vector: its pixels, its numbers, one filter, all filters, and the same as a convolution. */
import { slider } from '../../explorer/controls.js';
import { make } from '../../explorer/dom.js';
import { remember } from '../../explorer/views/cache.js';
import { number } from '../../explorer/words.js';
import { count } from '../facts.js';
import { createPhoto } from '../kit/photo.js';
import { pictureOf } from '../kit/plane.js';
import { createVector } from '../kit/vector.js';
import { COLOURS, createBench } from './bench.js';
import { createSweep } from './sweep.js';

/**
 * @typedef {import('../figure.js').Context} Context
 * @typedef {import('../../../pkg/index.js').PatchEmbedding} PatchEmbedding
 * @typedef {import('../../../pkg/index.js').ViewMap} ViewMap
 */

/** Steps of the chapter. */
const [CUT, FLAT, ONE, ALL, SWEPT] = [0, 1, 2, 3, 4];

/**
 * What one filter makes of a patch.
 * @param {ViewMap} filter
 * @param {PatchEmbedding} embedding
 * @param {number} output
 */
function productsOf({ data, rows, cols }, { pixels, projected }, output) {
  const area = rows * cols;
  const weights = Float32Array.from(pixels, (_, i) => data[(i % area) * 3 + Math.floor(i / area)]);
  const products = pixels.map((value, i) => value * weights[i]);
  const sums = COLOURS.map((_, c) => products.subarray(c * area, (c + 1) * area).reduce((a, b) => a + b, 0));
  const total = sums[0] + sums[1] + sums[2];
  return { weights, products, sums, total, bias: projected[output] - total };
}

/** @param {import('../figure.js').Hands} hands */
export function createPatches({ choose, change }) {
  const photo = createPhoto('The part of the photo that the model sees: choose a patch', { onPick: (patch) => patch !== null && choose({ patch }) });
  const bench = createBench({ onPixel: point, onOutput: (output) => take(output) });
  const flat = createVector('x', (index) => bench.mark(index));
  const vector = createVector('z', (index) => preview(index));
  const note = make('p', { class: 'note' });
  const output = slider('Output j', { min: 0, max: 1, value: 0 }, String, change);
  const controls = make('div', { class: 'controls' }, [output.element]);
  const tick = make('i', { 'aria-hidden': 'true' });
  const strip = make('div', { class: 'strip-of-outputs' }, [vector.element, tick]);
  const element = make('div', {}, [make('div', { class: 'row' }, [photo.element, bench.element]), note, flat.element, strip, controls]);
  const sweep = createSweep((patch) => {
    if (shown?.step !== SWEPT || !embedding) return;
    window = patch;
    mark();
    draw(shown, embedding);
  }, change);
  /** @type {Context | undefined} */
  let shown;
  /** @type {PatchEmbedding | undefined} */
  let embedding;
  /** @type {ViewMap[]} */
  let filters = [];
  /** For which photo the output was set. @type {Context['trace'] | undefined} */
  let set;
  /** Where the window of the convolution is. @type {number | null} */
  let window = null;
  /** The output under the pointer. @type {number | null} */
  let pointed = null;
  /** @type {ImageBitmap | undefined} */
  let crop;

  const current = () => pointed ?? output.value;

  function mark() {
    if (!shown || !crop) return;
    const { trace, look, signal, step, patch } = shown;
    const whole = { x: 0, y: 0, width: crop.width, height: crop.height };
    const sight = /** @type {Context['trace']} */ ({ crop: whole, grid: trace.grid });
    photo.show({ image: crop, trace: sight, look, signal }, undefined, { patch: step === SWEPT && window !== null ? window : patch, cut: true });
  }

  /** Says what a pixel's number is. @param {number | null} index among all numbers of the patch */
  function point(index) {
    bench.mark(index);
    if (shown && (shown.step === FLAT || shown.step === ONE)) note.textContent = said(index);
  }

  /** @param {number} next */
  function take(next) {
    if (!filters.length) return;
    output.extend(filters.length - 1, next);
    change();
  }

  /** @param {number | null} index */
  function preview(index) {
    pointed = index;
    if (shown && embedding) draw(shown, embedding);
  }

  /** The line below the drawing. @param {number | null} index */
  function said(index) {
    if (!shown || !embedding) return '';
    const { step, trace: { patchSize: [height, width] } } = shown;
    if (step === CUT) return '';
    const j = current();
    const filter = filters[j];
    if (index !== null && (step === FLAT || step === ONE)) {
      const area = height * width;
      const at = `row ${Math.floor((index % area) / width)}, column ${index % width}, ${COLOURS[Math.floor(index / area)]}`;
      const value = number(embedding.pixels[index]);
      if (step === FLAT) return `x[${index}] = ${value}: ${at}`;
      const { weights, products } = productsOf(filter, embedding, j);
      return `${at}: ${value} · ${signed(weights[index])} = ${number(products[index])}`;
    }
    if (step === FLAT) return `${count(width)} · ${count(height)} · 3 = ${count(embedding.pixels.length)} numbers`;
    const { sums, total, bias } = productsOf(filter, embedding, j);
    if (step === ONE) return `Products of ${COLOURS.map((name, c) => `${name} ${exact(sums[c])}`).join(', ')}, together ${exact(total)}. With the bias ${exact(bias)}: z[${j}] = ${exact(embedding.projected[j])}`;
    return `z[${j}] = ${number(embedding.projected[j])} for the patch in row ${embedding.patch[0]}, column ${embedding.patch[1]}`;
  }

  /** @param {Context} context @param {PatchEmbedding} made */
  function draw(context, made) {
    const { trace: { grid, patchSize, patchSize: [height, width] }, step } = context;
    const j = current();
    const at = crop && { image: crop, x: (made.patch[1] * crop.width) / grid[1], y: (made.patch[0] * crop.height) / grid[0], width: crop.width / grid[1], height: crop.height / grid[0] };
    bench.show({
      kind: /** @type {const} */ (['pixels', 'colours', 'products', 'filters', 'map'])[step], patchSize, pixels: made.pixels, at,
      ...(step === ONE && productsOf(filters[j], made, j)),
      ...(step === ALL && { filters, order: orderOf(made), output: j }),
      ...(step === SWEPT && { grid, values: sweep.output(j), label: `z[${j}] at each patch`, window }),
      title: `${width} × ${height} pixels`,
    });
    note.textContent = said(null);
    tick.style.left = `${(100 * (j + 0.5)) / filters.length}%`;
  }

  /** Outputs by how far they are from what a patch of zeros gives, the farthest first. @param {PatchEmbedding} made */
  function orderOf(made) {
    return remember(made, 'order', () => {
      const strength = filters.map((filter, j) => Math.abs(productsOf(filter, made, j).total));
      return strength.map((_, j) => j).sort((a, b) => strength[b] - strength[a]);
    });
  }

  return {
    element,

    /** @param {Context} context */
    async show(context) {
      const { trace, vit, image, step, patch, still, signal } = context;
      const { grid, grid: [rows, cols], stages: [{ hiddenSize }], patchSize: [height, width] } = trace;
      const [row, col] = [Math.floor(patch / cols), patch % cols];
      if (step !== SWEPT) sweep.stop();
      const outputs = () => vit.patchFilters({ outputs: Array.from({ length: hiddenSize }, (_, j) => j), signal });
      const [picture, made, all] = await Promise.all([
        pictureOf(image),
        remember(trace, `embedding of patch ${patch}`, () => vit.patchEmbedding(image, { patch: [row, col], signal }), signal),
        remember(vit, 'filters of all outputs', outputs, signal),
      ]);
      const { crop: { x, y, width: across, height: down } } = trace;
      const part = await remember(trace, 'crop', () => createImageBitmap(picture, Math.round(x), Math.round(y), Math.round(across), Math.round(down)));
      if (signal.aborted) return '';
      [shown, embedding, filters, crop, pointed] = [context, made, all, part, null];
      if (set !== trace) {
        set = trace;
        output.extend(hiddenSize - 1, orderOf(made)[0]);
      }
      const j = output.value;
      flat.element.hidden = step !== FLAT;
      strip.hidden = step < ONE;
      controls.hidden = step < ONE;
      if (step === FLAT) flat.show(made.pixels);
      if (step >= ONE) vector.show(made.projected);
      if (step === SWEPT) {
        sweep.start(context);
        if (still) window = null;
      } else window = null;
      mark();
      draw(context, made);
      const size = `${count(width)} × ${count(height)} pixels`;
      if (step === CUT) return `${count(rows * cols)} patches; the one in row ${row}, column ${col} has ${size}.`;
      if (step === FLAT) return `The patch in its three colours, normalised; below it all ${count(made.pixels.length)} numbers in a row, from ${number(Math.min(...made.pixels))} to ${number(Math.max(...made.pixels))}.`;
      if (step === ONE) return `The patch, times filter ${j}, colour by colour: the products, of which the sum and b are ${number(made.projected[j])}. That is one of the ${count(hiddenSize)} numbers in the strip.`;
      if (step === ALL) return `All ${count(hiddenSize)} filters, and below them what each gives for the patch in row ${row}, column ${col}. Marked: filter ${j}, ${number(made.projected[j])}.`;
      return `The window stops ${count(rows * cols)} times, once at each patch; filter ${j} leaves a picture of ${count(grid[1])} × ${count(grid[0])} numbers.`;
    },
  };
}

/** A number with three decimals, to be added up. @param {number} value */
function exact(value) {
  return value.toFixed(3).replace('-', '−');
}

/** A number in brackets if it is negative. @param {number} value */
function signed(value) {
  return value < 0 ? `(${number(value)})` : number(value);
}
