/** What pages live on that show somebody's own model: pixel values that a worker gets as they are, and weights in 8 bits that are the command line's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { distance, readTensors } from '../node/safetensors.mjs';
import { ROOT, onApi, startBrowser, startServer, workersEnd } from './harness.mjs';

/** @type {{browser: import('playwright-core').Browser, origin: string}} */
let where;
before(async () => {
  const [browser, origin] = await Promise.all([startBrowser(), startServer()]);
  where = { browser, origin };
});

test("pixel values give a library's logits, alone, among images and in every call, and say what is wrong with them", onApi(() => where, async ({ page }) => {
  for (const name of ['hf_vit', 'hf_swin']) {
    const { pixel_values, logits } = readTensors(new URL(`tests/fixtures/${name}/expected.safetensors`, `file://${ROOT}/`));
    const found = await page.evaluate(async ({ folder, values, shape }) => {
      const vit = await vitscope.Vitscope.load(folder);
      const image = { pixelValues: Float32Array.from(values), shape: /** @type {[3, number, number]} */ (shape) };
      const photo = new ImageData(20, 30);
      const [, among] = await vit.classify([photo, image]);
      const say = (/** @type {any} */ wrong) => vit.classify(wrong).then(() => 'none', (error) => `${error.code}: ${error.message}`);
      const map = await vit.attribute(image);
      const answers = { alone: await vit.classify(image), among, trace: await vit.trace(image), map, curves: await vit.curves(image, map, { steps: 2 }) };
      const refused = [await say({ ...image, shape: [3, 5, 5] }), await say({ pixelValues: new Float32Array(75), shape: [3, 5, 5] }), await say({ ...image, pixelValues: image.pixelValues.with(3, NaN) })];
      const { width, height } = map.crop ?? {};
      vit.close();
      return { logits: [answers.alone, answers.among, answers.trace].map(({ logits }) => [...logits]), crop: answers.alone.crop, size: vit.config.imageSize, map: [width, height], steps: answers.curves.deletion.probabilities.length, length: image.pixelValues.length, refused };
    }, { folder: `/tests/fixtures/${name}/`, values: [...pixel_values.data], shape: pixel_values.shape });
    for (const own of found.logits) assert.ok(distance(own, logits.data) < 1e-5, name);
    const [height, width] = found.size;
    assert.deepEqual([found.crop, found.map], [{ x: 0, y: 0, width, height }, [width, height]], name);
    assert.deepEqual([found.steps, found.length], [3, 3 * height * width], 'they stay their owner\'s');
    assert.match(found.refused[0], /^invalid-image: .*\[3, 5, 5\] are 75/);
    assert.match(found.refused[1], new RegExp(`^invalid-image: .*\\[3, 5, 5\\].*\\[3, ${height}, ${width}\\]`));
    assert.match(found.refused[2], /^invalid-image: .*NaN/);
  }
}));

test('weights in 8 bits are the bytes that the command line writes, and their worker ends', onApi(() => where, async ({ page }) => {
  const table = JSON.parse(readFileSync(join(ROOT, 'tests/quantized.json'), 'utf8'));
  for (const name of ['hf_vit', 'hf_vit_sharded', 'hf_vit_bf16', 'hf_swin']) {
    const file = await page.evaluate(async (folder) => {
      const blob = await vitscope.Vitscope.quantize(folder);
      return [...new Uint8Array(await blob.arrayBuffer())];
    }, `/tests/fixtures/${name}/`);
    assert.deepEqual([file.length, crc32(Uint8Array.from(file))], table[name], name);
  }
  await workersEnd(page);
}));
