/** Traces of models with stages and windows in Node: lists of arrays, views of a layer in its own grid, and what is not defined there. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { Engine, VitscopeError, toJSON, upsample } from '../../pkg/dist/engine.node.js';
import { Trace } from '../../pkg/dist/index.node.js';
import { failure } from './failures.mjs';
import { distance, parseTensors, readTensors } from './safetensors.mjs';

/**
 * @typedef {import('../../pkg/index.js').StagedRecording} StagedRecording
 * @typedef {import('../../pkg/index.js').LayerShape} LayerShape
 */

const FIXTURES = new URL('../fixtures/', import.meta.url);
const MODELS = readdirSync(FIXTURES).filter((name) => existsSync(new URL(`${name}/expected.safetensors`, FIXTURES)))
  .filter((name) => readTensors(new URL(`${name}/expected.safetensors`, FIXTURES))['attentions.0']);
assert.ok(MODELS.length > 15);

/** @param {string} name @param {[number, number]} [imageSize] */
async function seen(name, imageSize) {
  const folder = new URL(`${name}/`, FIXTURES);
  const expected = readTensors(new URL('expected.safetensors', folder));
  const engine = await Engine.load(folder, { imageSize });
  const pixels = expected[`${imageSize ? 'other/' : ''}pixel_values`].data;
  const trace = engine.trace(pixels);
  const staged = /** @type {StagedRecording} */ (trace.staged);
  return { engine, expected, pixels, trace, staged };
}

/** @type {(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance?: number) => void} */
const close = (actual, expected, tolerance = 1e-5) => assert.ok(distance(actual, expected) < tolerance, `${Array.from(actual).slice(0, 6)} instead of ${Array.from(expected).slice(0, 6)}`);

/** The size that a fixture was recorded at besides its own. @param {string} name @returns {[number, number] | undefined} */
function otherSize(name) {
  const [height, width] = readTensors(new URL(`${name}/expected.safetensors`, FIXTURES))['other/pixel_values']?.shape.slice(-2) ?? [];
  return height ? [height, width] : undefined;
}

/** Its own, and that. @param {string} name @returns {([number, number] | undefined)[]} */
const sizes = (name) => [...new Set([undefined, otherSize(name)])];

/**
 * The patch in each slot of each window, by rolling and cutting the grid; -1 is padding.
 * @param {LayerShape} layer
 * @returns {number[][]}
 */
function windowsOf({ grid: [rows, cols], window }) {
  if (!window) return [Array.from({ length: rows * cols }, (_, i) => i)];
  const { kind, size: [h, w], shift: [down, right], padsFirst } = window;
  const [height, width] = [Math.ceil(rows / h) * h, Math.ceil(cols / w) * w];
  const at = (/** @type {number} */ y, /** @type {number} */ x) => (y < rows && x < cols ? y * cols + x : -1);
  const rolled = Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => {
    if (padsFirst) return at((y + down) % height, (x + right) % width);
    return y < rows && x < cols ? at((y + down) % rows, (x + right) % cols) : -1;
  }));
  /** @type {number[][]} */
  const windows = [];
  if (kind === 'tiles') {
    for (let top = 0; top < height; top += h) for (let left = 0; left < width; left += w) windows.push(rolled.slice(top, top + h).flatMap((row) => row.slice(left, left + w)));
  } else {
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) windows.push(rolled.filter((_, row) => row % h === y).flatMap((row) => row.filter((_, col) => col % w === x)));
  }
  return windows;
}

/**
 * What a patch gives all patches in a head, laid out by hand.
 * @param {StagedRecording} staged
 * @param {number} layer
 * @param {number} head
 * @param {number} patch
 */
function rowOf({ attentions, stages }, layer, head, patch) {
  const { heads, grid } = stages[layer];
  const windows = windowsOf(stages[layer]);
  const n = windows[0].length;
  const window = windows.findIndex((slots) => slots.includes(patch));
  const start = ((window * heads + head) * n + windows[window].indexOf(patch)) * n;
  const map = new Float32Array(grid[0] * grid[1]);
  windows[window].forEach((key, slot) => {
    if (key >= 0) map[key] = attentions[layer][start + slot];
  });
  return { map, slots: windows[window] };
}

for (const name of MODELS) {
  test(`${name}: lists of every layer's attention and stream are PyTorch's, at two sizes`, async () => {
    for (const size of sizes(name)) {
      const { expected, trace, staged, engine } = await seen(name, size);
      const of = (/** @type {string} */ what) => expected[(size ? 'other/' : '') + what];
      assert.deepEqual([staged.attentions.length, staged.hiddenStates.length, trace.stages.length], [trace.layers, trace.layers + 1, trace.layers]);
      assert.deepEqual(engine.config.stages, trace.stages);
      staged.attentions.forEach((attention, layer) => {
        const { heads, window, grid } = trace.stages[layer];
        const windows = windowsOf(trace.stages[layer]);
        assert.deepEqual(of(`attentions.${layer}`).shape.slice(-4), [windows.length, heads, windows[0].length, windows[0].length]);
        assert.equal(window?.count ?? 1, windows.length);
        close(attention, of(`attentions.${layer}`).data, 1e-4);
        assert.deepEqual(of(`hidden_states.${layer + 1}`).shape.slice(-2), [grid[0] * grid[1], trace.stages[layer].hiddenSize]);
      });
      staged.hiddenStates.forEach((stream, depth) => close(stream, of(`hidden_states.${depth}`).data, 1e-4));
      assert.deepEqual(trace.grid, trace.stages[0].grid);
      // (MobileViT's are stretched where its first grid isn't even.)
      if (!name.includes('mobilevit')) assert.deepEqual(trace.patchSize, trace.stages[0].patchSize);
      assert.equal(trace.heads, trace.stages[trace.layers - 1].heads);
    }
  });

  test(`${name}: a head map is the row of its query's window, laid on that layer's grid`, async () => {
    let [shifted, padded] = [0, 0];
    for (const size of sizes(name)) {
      const { trace, staged } = await seen(name, size);
      trace.stages.forEach(({ grid: [rows, cols], heads, window }, layer) => {
        const all = Array.from({ length: rows * cols }, (_, patch) => rowOf(staged, layer, heads - 1, patch));
        all.forEach(({ map, slots }, patch) => {
          const seen = trace.headMap({ layer, head: heads - 1, query: [Math.floor(patch / cols), patch % cols] });
          assert.deepEqual([seen.rows, seen.cols, seen.data], [rows, cols, map]);
          if (window) assert.ok(seen.within && seen.within[patch] === 1 && seen.within.every((inside, i) => (inside ? slots.includes(i) : map[i] < 1e-6)));
          else assert.equal(seen.within, undefined);
          if (slots.includes(-1)) padded++;
          if (window?.shift.some(Boolean) && seen.within && seen.within.reduce((a, b) => a + b) < slots.length) shifted++;
        });
        const mean = Float32Array.from({ length: rows * cols }, (_, key) => all.reduce((sum, { map }) => sum + map[key] / all.length, 0));
        close(trace.headMap({ layer, head: heads - 1 }).data, mean);
        assert.equal(trace.headMap({ layer, head: heads - 1 }).within, undefined, 'the mean looks everywhere');
        const [first, second] = [0, 1].map((head) => rowOf(staged, layer, head % heads, 1).map);
        if (heads === 2) close(trace.headMap({ layer, head: 'max', query: [0, 1] }).data, first.map((value, i) => Math.max(value, second[i])));
        if (heads === 2) close(trace.headMap({ layer, query: [0, 1] }).data, first.map((value, i) => (value + second[i]) / 2));
      });
    }
    if (/swin(v2)?$/.test(name)) assert.ok(shifted, 'there are shifted windows');
    if (/_swin$|timm_sam/.test(name)) assert.ok(padded, 'there is padding');
  });
}

test('tokens of a layer are seen in its own grid', async () => {
  const { trace, staged } = await seen('hf_swin');
  const dot = (/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  trace.stages.forEach(({ grid: [rows, cols], hiddenSize }, layer) => {
    const token = (/** @type {number} */ i) => staged.hiddenStates[layer + 1].subarray(i * hiddenSize, (i + 1) * hiddenSize);
    const map = trace.similarity({ layer, query: [rows - 1, 0] });
    const own = token((rows - 1) * cols);
    assert.deepEqual([map.rows, map.cols], [rows, cols]);
    close(map.data, Array.from({ length: rows * cols }, (_, i) => dot(own, token(i)) / Math.sqrt(dot(own, own) * dot(token(i), token(i)))));
    const features = trace.featureMap({ layer });
    assert.deepEqual([features.rows, features.cols, features.data.length], [rows, cols, 3 * rows * cols]);
  });
});

test('distance and entropy are of each head within windows, in pixels and nats', async () => {
  for (const name of ['hf_swin', 'timm_swin']) {
    const { trace, staged } = await seen(name, otherSize(name));
    const most = Math.max(...trace.stages.map(({ heads }) => heads));
    const [far, spread] = [trace.attentionDistance(), trace.attentionEntropy()];
    assert.deepEqual([far.rows, far.cols, spread.rows, spread.cols], [trace.layers, most, trace.layers, most]);
    trace.stages.forEach(({ grid: [rows, cols], heads, patchSize: [height, width], window }, layer) => {
      const n = windowsOf(trace.stages[layer])[0].length;
      for (let head = 0; head < most; head++) {
        const at = layer * most + head;
        if (head >= heads) {
          assert.ok(Number.isNaN(far.data[at]) && Number.isNaN(spread.data[at]));
          continue;
        }
        let [distances, entropies] = [0, 0];
        for (let patch = 0; patch < rows * cols; patch++) {
          const { map, slots } = rowOf(staged, layer, head, patch);
          const given = map.reduce((a, b) => a + b, 0);
          map.forEach((share, key) => (distances += (share / given) * Math.hypot((Math.floor(key / cols) - Math.floor(patch / cols)) * height, ((key % cols) - (patch % cols)) * width)));
          const start = ((windowsOf(trace.stages[layer]).findIndex((own) => own.includes(patch)) * heads + head) * n + slots.indexOf(patch)) * n;
          for (const share of staged.attentions[layer].subarray(start, start + n)) entropies -= share > 0 ? share * Math.log(share) : 0;
        }
        assert.ok(Math.abs(far.data[at] - distances / (rows * cols)) < 1e-3, `${name} layer ${layer} head ${head}: ${far.data[at]} instead of ${distances / (rows * cols)}`);
        assert.ok(Math.abs(spread.data[at] - entropies / (rows * cols)) < 1e-4, `${name} layer ${layer} head ${head}, ${window?.kind}`);
      }
    });
  }
});

test('rows of queries in layers that see all are those of a whole trace, to the bit where one patch asks', async () => {
  const { engine, pixels, trace } = await seen('timm_sam');
  assert.ok(trace.stages.some(({ window }) => window) && trace.stages.some(({ window }) => !window), 'windows, and a block without');
  const queries = /** @type {import('../../pkg/index.js').Query[]} */ ([[1, 0], 'mean', trace.grid.map((edge) => edge - 1)]);
  const some = engine.trace(pixels, { queries });
  assert.deepEqual(some.logits, trace.logits);
  assert.deepEqual(some.features, trace.features);
  trace.stages.forEach((_, layer) => {
    for (const query of queries) {
      const [own, whole] = [some, trace].map((of) => of.headMap({ layer, head: 0, query }));
      if (query === 'mean') close(own.data, whole.data, 1e-6);
      else assert.deepEqual(own, whole);
    }
  });
});

test('rows of queries are those of a whole trace, in image order; other grids keep zeros for them', async () => {
  const { engine, pixels, trace } = await seen('hf_swin');
  const last = trace.layers - 1;
  const [rows, cols] = trace.stages[last].grid;
  const far = /** @type {[number, number]} */ (trace.grid.map((edge) => edge - 1));
  assert.ok(far[0] >= rows);
  const some = engine.trace(pixels, { queries: ['mean', [0, 1], far], hiddenStates: false, layers: [0, 1, last] });
  const lists = /** @type {StagedRecording} */ (some.staged);
  assert.deepEqual([lists.hiddenStates, lists.recorded], [[], [0, 1, last]]);
  lists.attentions.forEach((array, i) => {
    const { heads, grid } = trace.stages[lists.recorded[i]];
    assert.equal(array.length, heads * 3 * grid[0] * grid[1]);
  });
  for (const layer of [0, 1, last]) {
    for (const query of /** @type {('mean' | [number, number])[]} */ (['mean', [0, 1]])) {
      for (const head of [0, /** @type {const} */ ('mean')]) {
        const [own, whole] = [some, trace].map((of) => of.headMap({ layer, head, query }));
        close(own.data, whole.data, 1e-6);
        assert.deepEqual({ ...own, data: 0 }, { ...whole, data: 0 });
      }
    }
  }
  const clipped = { layer: 1, head: 0, query: /** @type {[number, number]} */ ([0, 1]), clip: 60 };
  assert.deepEqual(some.headMap(clipped), trace.headMap(clipped));
  assert.ok(Math.max(...trace.headMap(clipped).data) > 0, 'what a window does not hold is no measure of it');
  assert.ok(lists.attentions[2].subarray(2 * rows * cols, 3 * rows * cols).every((value) => value === 0));
  assert.throws(() => some.headMap({ layer: last, query: far }), failure(/there is no patch/));
  assert.throws(() => engine.trace(pixels, { queries: [[99, 0]] }), failure(/there is no patch 99,0/));
  assert.throws(() => some.attentionEntropy(), failure(/^attentionEntropy needs attentions .*queries left out\.$/));
});

test('what is not defined there says so in a sentence', async () => {
  const { engine, pixels, trace } = await seen('hf_swin');
  const refused = (/** @type {() => unknown} */ call) => {
    assert.throws(call, (error) => {
      assert.ok(error instanceof VitscopeError);
      assert.equal(error.code, 'unsupported-view');
      assert.match(error.message, /^[\w-]+ is not defined for this model: it multiplies the attention of all layers, .*\.$/);
      return true;
    });
  };
  refused(() => trace.rollout());
  refused(() => engine.trace(pixels, { rollout: {} }));
  refused(() => engine.attribute(pixels, { method: 'chefer' }));
  refused(() => engine.attribute(pixels, { method: 'gradient-rollout' }));
  assert.throws(() => trace.headMap({ query: 'cls' }), failure(/no class token/));
  assert.throws(() => trace.headMap({ layer: 0, head: trace.stages[0].heads }), failure(/no head/));
  assert.throws(() => trace.headMap({ query: trace.grid }), failure(/there is no patch/));
});

test('a trace becomes a file, and data, and comes back', async () => {
  const { engine, pixels, trace, staged } = await seen('timm_swin');
  const tensors = parseTensors(trace.toSafetensors());
  staged.attentions.forEach((data, layer) => {
    const [windows, { heads }] = [windowsOf(trace.stages[layer]), trace.stages[layer]];
    assert.deepEqual(tensors[`attentions.${layer}`], { shape: [windows.length, heads, windows[0].length, windows[0].length], data });
  });
  staged.hiddenStates.forEach((data, depth) => {
    const { grid, hiddenSize } = trace.stages[Math.max(0, depth - 1)];
    assert.deepEqual(tensors[`hidden_states.${depth}`], { shape: [grid[0] * grid[1], hiddenSize], data });
  });
  const again = await Trace.from(structuredClone(/** @type {any} */ ({ ...trace })));
  assert.deepEqual(again.headMap({ layer: 1, query: [1, 2] }), trace.headMap({ layer: 1, query: [1, 2] }));
  assert.deepEqual(again.attentionDistance(), trace.attentionDistance());
  assert.deepEqual(again.toSafetensors(), trace.toSafetensors());
  const rows = engine.trace(pixels, { queries: [[0, 0], 'mean'], layers: [1], hiddenStates: false });
  assert.deepEqual(parseTensors(rows.toSafetensors())['attentions.0'].shape, [trace.stages[1].heads, 2, trace.stages[1].grid[0] * trace.stages[1].grid[1]]);
});

test('a map of a window keeps to it when it is enlarged, and as JSON', async () => {
  const { trace } = await seen('timm_swin');
  const map = trace.headMap({ layer: 1, query: [0, 0] });
  const large = upsample(map, 8 * map.cols, 8 * map.rows);
  const within = /** @type {Uint8Array} */ (large.within);
  assert.ok(within.some((inside) => inside === 0) && within.some((inside) => inside === 1));
  large.data.forEach((value, i) => {
    const [y, x] = [Math.floor(i / large.cols / 8), Math.floor((i % large.cols) / 8)];
    assert.equal(within[i], map.within?.[y * map.cols + x]);
    assert.ok(within[i] || value === 0);
  });
  assert.deepEqual(JSON.parse(toJSON(map)).within, [.../** @type {Uint8Array} */ (map.within)]);
});

test('a plain ViT has one array, and stages all alike', async () => {
  const folder = new URL('hf_vit/', FIXTURES);
  const engine = await Engine.load(folder);
  const trace = engine.trace(readTensors(new URL('expected.safetensors', folder)).pixel_values.data);
  assert.equal(trace.staged, undefined);
  assert.ok(trace.attentions instanceof Float32Array && trace.hiddenStates instanceof Float32Array);
  const { grid, patchSize, hiddenSize, heads } = trace;
  assert.deepEqual(trace.stages, Array(trace.layers).fill({ stage: 0, grid, patchSize, hiddenSize, heads, window: null }));
});
