/** Maps as colours and as files, without a canvas. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLORMAPS, VitscopeError, colourise, toJSON, toNpy, upsample } from '../../pkg/dist/engine.node.js';
import { wrong } from './failures.mjs';
import { parseNpy } from './npy.mjs';

/** @type {(rows: number, cols: number, values: number[], more?: Partial<import('../../pkg/index.js').ViewMap>) => import('../../pkg/index.js').ViewMap} */
const map = (rows, cols, values, more) => ({ rows, cols, channels: 1, data: Float32Array.from(values), signed: false, text: 'A map of a test', ...more });
/** @type {(actual: ArrayLike<number>, expected: number[]) => void} */
const close = (actual, expected) => expected.forEach((x, i) => assert.ok(Math.abs(x - actual[i]) < 1e-6, `${Array.from(actual)} instead of ${expected}`));
const pixel = (/** @type {Uint8ClampedArray} */ rgba, /** @type {number} */ i) => [...rgba.subarray(4 * i, 4 * i + 4)];

test('enlarging keeps values at the centres and never leaves their range', () => {
  const small = map(2, 3, [0, 1, 2, 3, 4, 5]);
  const { rows, cols, data: big } = upsample(small, 9, 6);
  assert.deepEqual([rows, cols], [6, 9]);
  close([big[1 * 9 + 1], big[1 * 9 + 4], big[4 * 9 + 7], (big[2 * 9 + 4] + big[3 * 9 + 4]) / 2], [0, 1, 5, 2.5]);
  close([big[0], big[53]], [0, 5]);
  assert.deepEqual(upsample(small, 3, 2), small, 'same size, same values');
  close(upsample(small, 6, 2, 'nearest').data, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  const colours = map(1, 2, [0, 10, 20, 4, 14, 24], { channels: 3 });
  close(upsample(colours, 4, 1).data, [0, 10, 20, 1, 11, 21, 3, 13, 23, 4, 14, 24]);
});

test('each colour map starts and ends where the original does', () => {
  const ends = Object.fromEntries(COLORMAPS.map((colormap) => {
    const rgba = colourise(map(1, 3, [0, 0.5, 1]), { colormap });
    return [colormap, [pixel(rgba, 0), pixel(rgba, 2)].map((colour) => colour.slice(0, 3).map((x) => x.toString(16).padStart(2, '0')).join(''))];
  }));
  assert.deepEqual(ends, {
    viridis: ['440154', 'fde725'], magma: ['000004', 'fcfdbf'], turbo: ['30123b', '7a0403'], grey: ['000000', 'ffffff'], diverging: ['3b4cc0', 'b40426'],
  });
});

test('the scale starts at 0, or lies around it where a map is signed', () => {
  const grey = (/** @type {any} */ values, /** @type {any} */ options) => [0, 1, 2].map((i) => colourise(values, { colormap: 'grey', ...options })[4 * i]);
  assert.deepEqual(grey(map(1, 3, [1, 2, 4]), {}), [64, 128, 255]);
  assert.deepEqual(grey(map(1, 3, [-1, 0, 4], { signed: true }), {}), [96, 128, 255]);
  assert.deepEqual(grey(map(1, 3, [1, 2, 4]), { range: [2, 3] }), [0, 0, 255]);
  assert.deepEqual(grey(map(1, 3, [0, 0, 0]), {}), [0, 0, 0], 'nothing is the lowest colour');
  assert.deepEqual(pixel(colourise(map(1, 1, [0], { signed: true })), 0), [221, 221, 220, 255], 'nothing is the middle');
});

test('three channels are red, green and blue, each over its own range unless 0 is the middle', () => {
  const values = [0, 5, -1, 1, 5, 0, 2, 6, 1];
  const rgba = colourise(map(1, 3, values, { channels: 3 }));
  assert.deepEqual([0, 1, 2].map((i) => pixel(rgba, i)), [[0, 0, 0, 255], [128, 0, 128, 255], [255, 255, 255, 255]]);
  const signed = colourise(map(1, 1, [-2, 0, 1], { channels: 3, signed: true }));
  assert.deepEqual(pixel(signed, 0), [0, 128, 191, 255]);
});

test('what does not stand out lets what is below through', () => {
  const alphas = (/** @type {import('../../pkg/index.js').ViewMap} */ values, options = {}) => Array.from(values.data, (_, i) => colourise(values, { faintest: 0.5, ...options })[4 * i + 3]);
  // Up to half the mean nothing stands out, from the largest on all does.
  assert.deepEqual(alphas(map(1, 5, [0, 0.5, 1, 1.5, 2])), [128, 128, 170, 212, 255]);
  assert.deepEqual(alphas(map(1, 3, [-2, 0, 1], { signed: true })), [255, 128, 170]);
  assert.deepEqual(alphas(map(1, 3, [0, 1, 2]), { range: [0, 2] }), [128, 191, 255], 'a range that is given holds for both');
  assert.deepEqual(alphas(map(1, 3, [0, 1, 2], { signed: true }), { range: [0, 2] }), [255, 128, 255]);
  assert.deepEqual(alphas(map(1, 2, [3, 3])), [255, 255], 'what is looked at evenly is looked at');
  assert.deepEqual(alphas(map(1, 2, [0, 0])), [128, 128]);
  // One patch may have many times what the others have: three times the mean stands out as much.
  const tail = Array.from({ length: 100 }, (_, i) => (i ? (i < 11 ? 3 : 0) : 70));
  assert.deepEqual(alphas(map(10, 10, tail), { faintest: 0 }).slice(0, 12), [...Array(11).fill(255), 0]);
});

test('npy files say their shape and hold the values', () => {
  for (const [rows, cols, channels] of /** @type {const} */ ([[1, 1, 1], [14, 14, 1], [3, 1000, 1], [5, 7, 3]])) {
    const data = Float32Array.from({ length: rows * cols * channels }, (_, i) => Math.sin(i));
    const file = toNpy(map(rows, cols, [...data], { channels }));
    assert.deepEqual(parseNpy(file), { shape: channels === 1 ? [rows, cols] : [rows, cols, channels], data });
  }
});

test('JSON holds all of a map', () => {
  const crop = { x: 1, y: 2, width: 3, height: 4 };
  assert.deepEqual(JSON.parse(toJSON(map(1, 2, [0.5, 2], { crop }))), { rows: 1, cols: 2, channels: 1, data: [0.5, 2], signed: false, text: 'A map of a test', crop });
});

test('what is no map or no colour map is refused', () => {
  const failure = (/** @type {RegExp} */ message) => (/** @type {any} */ error) => error instanceof VitscopeError && error.code === 'invalid-argument' && message.test(error.message);
  assert.throws(() => toNpy(wrong(undefined)), failure(/what a view returns/));
  assert.throws(() => toJSON(wrong({ ...map(1, 2, [1, 2]), data: [1, 2] })), failure(/Float32Array/));
  assert.throws(() => upsample(map(2, 2, [1, 2, 3]), 4, 4), failure(/rows × cols/));
  assert.throws(() => upsample(map(1, 1, [1]), 2, 2, wrong('bicubic')), failure(/bicubic/));
  assert.throws(() => colourise(map(1, 1, [1]), { colormap: wrong('jet') }), failure(/viridis, .*'jet'/));
});
