/**
 * Large models in a browser tab, for `cargo xtask bench --only large`: how long they take to load and to run, and how much memory. onnxruntime-web
 * is not asked: its int8 files are made of f32 ones, which hold 2 GB at most, and DINOv2-g takes 4.5.
 */
import { statSync } from 'node:fs';
import { serve } from '../server.mjs';
import { LARGE } from './large_models.mjs';
import { markdown, rows } from './large_report.mjs';
import { describeMachine, keep, launch, say } from './record.mjs';
import { largestRenderer } from './renderers.mjs';
import { summarise } from './stats.mjs';

/** @typedef {import('./large_report.mjs').Run} Run */

const ROOT = new URL('../../', import.meta.url);
const PASSES = 5;
/** A pass that takes longer is not repeated. */
const LONG_MS = 5000;

const choices = JSON.parse(process.argv[2]);
const server = await serve({ folders: ['xtask/bench', 'target/bench'] });
try {
  const machine = await describeMachine();
  const empty = await inBrowser(async () => ({}));
  let simd = '';
  const large = [];
  for (const model of choices.models) {
    const { network, sizes } = LARGE[model];
    const file = statSync(new URL(`target/bench/models/${model}/int8/model.safetensors`, ROOT)).size;
    const parameters = network.tensors.reduce((sum, [, shape]) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
    const runs = [];
    for (const size of sizes) {
      // At more pixels with all threads alone: what one takes is known from the size before.
      for (const threads of size === sizes[0] ? [1, 2] : [2]) runs.push(await run(model, size, threads));
    }
    const logits = runs.filter(({ size }) => size === sizes[0]).map(({ logits }) => `${logits}`);
    if (new Set(logits).size > 1) throw new Error(`${model}: the answers of one thread and of two differ`);
    simd = runs[0].simd;
    large.push({ model, parameters, file, runs: runs.map(({ logits, simd, ...run }) => run) });
  }
  const record = { ...machine, chromium: empty.version, simd, large };
  console.log(`\n${rows(record).map((cells) => cells.join('  ')).join('\n')}\n`);
  keep(choices, record, [{ name: 'bench large', content: markdown(record) }]);

  /**
   * @param {string} model
   * @param {number} size
   * @param {number} threads
   * @returns {Promise<Run & {logits: number[], simd: string}>}
   */
  async function run(model, size, threads) {
    say(`${model} at ${size} px, ${threads} threads`);
    const folder = `${server.url}target/bench/models/${model}`;
    const { result, process } = await inBrowser(async (page) => {
      await page.evaluate((url) => bench.fetchPixels(url), `${folder}/pixels-${size}.f32`);
      const setup = { side: /** @type {const} */ ('ours'), model: folder, dtype: /** @type {const} */ ('int8'), threads, imageSize: size, simd: choices.simd ?? undefined };
      const loaded = await page.evaluate((setup) => bench.load(setup), setup);
      if (loaded.threads !== threads) throw new Error(`${threads} threads can't be had`);
      const pass = () => page.evaluate((id) => bench.run(id, 'classify'), loaded.id);
      const first = await pass();
      const passes = [];
      const rounds = first.ms > LONG_MS ? 1 : (choices.rounds ?? PASSES);
      while (passes.length < rounds) passes.push((await pass()).ms);
      if (!first.logits.every(Number.isFinite)) throw new Error(`${model} answers with what is no number`);
      return { loaded, first, passes, described: await page.evaluate((id) => bench.describe(id), loaded.id) };
    });
    const { loaded, first, passes, described } = result;
    const above = { settled: process.settled - empty.process.settled, peak: process.peak - empty.process.peak };
    return {
      threads, size, tokens: tokensOf(model, size), loaded: loaded.ms ?? NaN, first: first.ms, series: summarise(passes), memory: described.memory ?? { wasm: NaN, weights: NaN }, process: above,
      logits: first.logits, simd: loaded.simd ?? '',
    };
  }
} finally {
  await server.close();
}

/**
 * @param {string} model
 * @param {number} size
 */
function tokensOf(model, size) {
  const { patch_size: patch } = /** @type {any} */ (LARGE[model].network.config);
  return (size / patch) ** 2 + 1;
}

/**
 * Work in a page of a browser of its own, and the memory of its process then.
 * @template T
 * @param {(page: import('playwright-core').Page) => Promise<T>} work
 */
async function inBrowser(work) {
  const browser = await launch(['--js-flags=--expose-gc']);
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => say(`  ${error.stack ?? error.message}`));
    await page.goto(`${server.url}xtask/bench/page.html`);
    await page.waitForSelector('html[data-ready=yes]', { state: 'attached' });
    const result = await work(page);
    const process = await largestRenderer(browser);
    if (!process) throw new Error('this system does not tell how much memory a process has');
    return { result, process, version: browser.version() };
  } finally {
    await browser.close();
  }
}
