/**
 * The driver of `cargo xtask bench`, which prepares the models and calls this with its choices as JSON. Both sides run in
 * one browser, in workers of one isolated page, and take turns: whatever else the machine does meets both.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { OFFERS } from '../../www/offers.js';
import { serve } from '../server.mjs';
import { Garage } from './garage.mjs';
import { instances } from './instances.mjs';
import { pageVisits } from './page_visits.mjs';
import { describeMachine, keep, launch, packageVersion, say } from './record.mjs';
import { largestRenderer } from './renderers.mjs';
import { rows, tables, terminalTable } from './report.mjs';
import { sizes } from './sizes.mjs';
import { cosine, summarise } from './stats.mjs';

/**
 * @typedef {import('./report.mjs').Model} Model
 * @typedef {import('./report.mjs').Dtype} Dtype
 * @typedef {import('./worker.js').Setup} Setup
 * @typedef {'ours' | 'theirs'} Side
 * @typedef {'forward' | 'explain' | 'cold' | 'page' | 'wire' | 'memory' | 'kernels' | 'threads' | 'stages'} Part
 * @typedef {{models: Model[], dtypes: Dtype[], parts: Part[], rounds: number | null, simd: 'relaxed' | 'simd128' | null, record: boolean}} Choices
 */

const ROOT = new URL('../../', import.meta.url);
const SIDES = /** @type {const} */ (['ours', 'theirs']);
const FOLDERS = ['xtask/bench', 'target/bench', 'node_modules/onnxruntime-web/dist'];
/**
 * Timed rounds, as many as it takes to see one part in a hundred of the seeded models, and untimed ones before them in which the browser compiles the hot functions again, optimised.
 * Where a pass takes seconds and gigabytes, each runner has a page for itself for as long as its turn is.
 * @type {Record<Model, {warmUp: number, timed: number, alone?: boolean}>}
 */
const ROUNDS = {
  ti: { warmUp: 8, timed: 41 }, b: { warmUp: 3, timed: 21 }, default: { warmUp: 4, timed: 11 },
  'swin-t': { warmUp: 4, timed: 9 }, 'mobilevit-s': { warmUp: 4, timed: 9 }, 'sam-b': { warmUp: 0, timed: 1, alone: true },
};
/** Ours with something recorded: everything, a layer, a query. */
const RECORDINGS = /** @type {const} */ (['trace', 'layer', 'query']);
const INT8 = /** @type {Dtype[]} */ (['int8']);
const COLD_ROUNDS = 5;
const [EXPLAIN_WARM_UP, EXPLAIN_ROUNDS] = [4, 7];
/** Between two runs, so that threads that wait for more work by spinning have given up before the other side's turn. */
const PAUSE_MS = 50;
/** What a page is made of; all else that it asks for is data. */
const CODE = /\.(m?js|wasm|css|html)$/;
/** f32 answers of both sides are the same mathematics. */
const SAME = 0.9999;

/** @type {Choices} */
const choices = JSON.parse(process.argv[2]);
/** Paths that were asked of the server, since last cleared. @type {Set<string>} */
const requests = new Set();
const server = await serve({ folders: FOLDERS, onFile: (path) => requests.add(path) });
try {
  const record = await measure();
  console.log(`\n${terminalTable(rows(record))}\n`);
  keep(choices, record, tables(record));
} finally {
  await server.close();
}

/** @returns {Promise<import('./report.mjs').Record>} */
async function measure() {
  const { parts, models } = choices;
  // Of the seeded models the smallest starts, and the largest shows what memory is taken; the default model is asked for all.
  const [seeded, trained] = [models.filter((model) => model !== 'default'), models.filter((model) => model === 'default')];
  const staged = parts.includes('stages');
  const [starts, takes] = [[...seeded.slice(0, 1), ...trained], staged ? models : [...seeded.slice(-1), ...trained]];
  const machine = await describeMachine();
  const browser = await launch();
  try {
    const forward = staged || parts.includes('forward') ? await forwards(browser) : { forward: [], agreement: [], simd: undefined };
    const explain = parts.includes('explain') ? await explanations(browser) : [];
    const [visits, pages, memory] = [/** @type {import('./report.mjs').Cold[]} */ ([]), /** @type {import('./report.mjs').PageVisits[]} */ ([]), /** @type {import('./report.mjs').Memory[]} */ ([])];
    if (parts.includes('cold')) for (const model of starts) visits.push(...(await coldStarts(browser, model)));
    if (parts.includes('page')) for (const model of trained) pages.push(await visitPage(browser, model));
    const threads = parts.includes('threads') ? await besides(browser) : [];
    const kernels = parts.includes('kernels') ? await measureKernels(browser) : [];
    if (staged || parts.includes('memory')) for (const model of takes) for (const dtype of staged && !ROUNDS[model].alone ? choices.dtypes : INT8) memory.push(await memoryOf(model, dtype));
    return {
      ...machine,
      chromium: browser.version(),
      onnxruntimeWeb: packageVersion('onnxruntime-web'),
      defaultModel: OFFERS[0].name,
      ...forward,
      explain,
      cold: visits,
      page: pages,
      wire: parts.includes('wire') ? [await wire(browser, models[0], 1), await wire(browser, models[0], 2)] : [],
      memory,
      threads,
      kernels,
    };
  } finally {
    await browser.close();
  }
}

/** @param {Model} model */
function modelUrl(model) {
  return `${server.url}target/bench/models/${model}`;
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} path
 * @param {(page: import('playwright-core').Page) => void} [onPage] gets the page before it is opened
 */
async function open(browser, path, onPage) {
  const context = await browser.newContext();
  const page = await context.newPage();
  onPage?.(page);
  page.on('console', (message) => message.type() === 'warning' && say(`  ${message.text()}`));
  page.on('pageerror', (error) => say(`  ${error.stack ?? error.message}`));
  await page.goto(`${server.url}xtask/bench/${path}`);
  return page;
}

/** @param {import('playwright-core').Browser} browser */
async function openBench(browser) {
  const page = await open(browser, 'page.html');
  await page.waitForSelector('html[data-ready=yes]', { state: 'attached' });
  return page;
}

/**
 * The forward pass alone, of every model and dtype.
 * @param {import('playwright-core').Browser} browser
 */
async function forwards(browser) {
  const [forward, agreement] = [/** @type {import('./report.mjs').Forward[]} */ ([]), /** @type {import('./report.mjs').Agreement[]} */ ([])];
  let simd;
  for (const model of choices.models) {
    /** @type {{[answer: string]: number[]}} */
    const logits = {};
    for (const dtype of choices.dtypes) {
      const result = await raceOf(browser, model, dtype);
      simd = result.simd;
      forward.push({ model, dtype, series: result.series, loaded: result.loaded, ...(Object.keys(result.failed).length > 0 && { failed: result.failed }) });
      for (const side of SIDES) logits[`${side} ${dtype}`] = result.logits[`${side}-1`];
    }
    agreement.push(...agreementOf(model, logits));
  }
  return { forward, agreement, simd };
}

/**
 * One model in one dtype: both sides with one thread and with two, and ours with something recorded, in turns.
 * @param {import('playwright-core').Browser} browser
 * @param {Model} model
 * @param {Dtype} dtype
 */
async function raceOf(browser, model, dtype) {
  const { warmUp, timed, alone } = ROUNDS[model];
  /** @type {(name: string, side: Side, threads: number, type?: import('./worker.js').Pass) => import('./garage.mjs').Runner} */
  const runner = (name, side, threads, type) => ({ name, setup: { side, model: modelUrl(model), dtype, threads, simd: choices.simd ?? undefined }, type: type ?? 'classify' });
  const runners = [1, 2].flatMap((threads) => [
    runner(`ours-${threads}`, 'ours', threads),
    ...(threads === 1 && !alone ? RECORDINGS.map((type) => runner(`${type}-1`, 'ours', threads, type)) : []),
    runner(`theirs-${threads}`, 'theirs', threads),
  ]);
  const garage = new Garage(() => openRace(browser, model), alone ?? false);
  /** @type {{[runner: string]: number[]}} */
  const times = {};
  /** @type {{[runner: string]: number[]}} */
  const logits = {};
  /** @type {{[runner: string]: string}} */
  const failed = {};
  const rounds = choices.rounds ?? timed;
  say(`${model} ${dtype}: ${warmUp} rounds to warm up, ${rounds} timed`);
  for (let round = -warmUp; round < rounds; round++) {
    for (const runner of runners.filter(({ name }) => !(name in failed))) {
      try {
        const answer = await garage.turn(runner);
        if (!answer) continue;
        if (round >= 0) (times[runner.name] ??= []).push(answer.ms);
        logits[runner.name] = answer.logits;
      } catch (error) {
        if (runner.setup.side === 'ours') throw error;
        // (Their graph may take more memory than wasm can have.)
        failed[runner.name] = error instanceof Error ? error.message : String(error);
        say(`  ${runner.name} fails: ${failed[runner.name]}`);
      }
      await sleep(PAUSE_MS);
    }
  }
  await garage.close();
  for (const left of garage.leftOut) say(`  ${left}: left out, which can't have so many threads`);
  const series = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, summarise(values)]));
  return { series, logits, simd: garage.simd, loaded: garage.loaded, failed };
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {Model} model
 */
async function openRace(browser, model) {
  const page = await openBench(browser);
  await page.evaluate((url) => bench.fetchPixels(url), `${modelUrl(model)}/pixels.f32`);
  return page;
}

/**
 * What explanations take: a class's relevance in turns with the forward pass, and every view of a trace.
 * @param {import('playwright-core').Browser} browser
 */
async function explanations(browser) {
  const result = [];
  for (const model of choices.models) {
    for (const dtype of choices.dtypes) {
      for (const threads of [1, 2]) result.push(...(await explanationsOf(browser, model, dtype, threads)));
    }
  }
  return result;
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {Model} model
 * @param {Dtype} dtype
 * @param {number} threads
 * @returns {Promise<import('./report.mjs').Explain[]>} none where so many threads can't be had
 */
async function explanationsOf(browser, model, dtype, threads) {
  const rounds = choices.rounds ?? EXPLAIN_ROUNDS;
  const page = await openBench(browser);
  await page.evaluate((url) => bench.fetchPixels(url), `${modelUrl(model)}/pixels.f32`);
  const setup = { side: /** @type {const} */ ('ours'), model: modelUrl(model), dtype, threads, simd: choices.simd ?? undefined };
  const { id, threads: ran } = await page.evaluate((setup) => bench.load(setup), setup);
  if (ran !== threads) return [];
  say(`${model} ${dtype}: explanations, ${threads} threads, ${EXPLAIN_WARM_UP} rounds to warm up, ${rounds} timed`);
  const [forward, attribute] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  /** @type {{[view: string]: number[]}} */
  const views = {};
  for (let round = -EXPLAIN_WARM_UP; round < rounds; round++) {
    const times = [];
    for (const type of /** @type {const} */ (['classify', 'attribute'])) times.push((await page.evaluate(({ id, type }) => bench.run(id, type), { id, type })).ms);
    const seen = await page.evaluate((id) => bench.views(id), id);
    if (round < 0) continue;
    forward.push(times[0]);
    attribute.push(times[1]);
    for (const [view, ms] of Object.entries(seen)) (views[view] ??= []).push(ms);
  }
  // Once: it is many passes, thus a mean already. With the threads that a visitor has.
  const occluded = threads > 1 ? await page.evaluate((id) => bench.occlude(id), id) : undefined;
  await page.context().close();
  const each = Object.fromEntries(Object.entries(views).map(([view, values]) => [view, summarise(values)]));
  const occlusion = occluded && { ms: occluded.ms, passes: occluded.answer };
  return [{ model, dtype, threads, forward: summarise(forward), attribute: summarise(attribute), views: each, occlusion }];
}

/**
 * That both sides ran the same model. Their f32 answer is what int8 is held against.
 * @param {Model} model
 * @param {{[answer: string]: number[]}} logits
 * @returns {import('./report.mjs').Agreement[]}
 */
function agreementOf(model, logits) {
  const reference = logits['theirs f32'];
  if (!reference || !logits['ours f32']) return [];
  const same = cosine(logits['ours f32'], reference);
  if (!(same > SAME)) throw new Error(`${model}: the f32 answers differ (cosine ${same}), so the two sides don't run the same model`);
  const result = [{ model, what: 'f32: our answer to theirs', cosine: same }];
  if (logits['ours int8']) {
    result.push({ model, what: 'int8: our answer to f32', cosine: cosine(logits['ours int8'], reference) });
  }
  if (logits['theirs int8']) {
    result.push({ model, what: 'int8: their answer to f32', cosine: cosine(logits['theirs int8'], reference) });
  }
  return result;
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {Model} model
 */
async function coldStarts(browser, model) {
  const rounds = choices.rounds ?? COLD_ROUNDS;
  say(`${model} int8: ${rounds} cold starts`);
  const cold = [];
  for (const threads of [1, 2]) {
    /** @type {Record<Side, number[]>} */
    const times = { ours: [], theirs: [] };
    for (let round = 0; round < rounds; round++) {
      for (const side of SIDES) {
        const { ms, ran } = await visit(browser, side, model, threads);
        if (ran === threads) times[side].push(ms);
      }
    }
    const ours = times.ours.length > 0 ? summarise(times.ours) : undefined;
    cold.push({ model, threads, ours, theirs: summarise(times.theirs) });
  }
  return cold;
}

/**
 * A first visit: in a browser context of its own, thus with empty caches and a new renderer.
 * @param {import('playwright-core').Browser} browser
 * @param {Side} side
 * @param {Model} model
 * @param {number} threads
 * @returns {Promise<{ms: number, ran: number}>} milliseconds to the first answer, and with how many threads
 */
async function visit(browser, side, model, threads) {
  const query = new URLSearchParams({ model: modelUrl(model), threads: String(threads), ...(choices.simd && { simd: choices.simd }) });
  // The page tells by itself: whatever asks it would run a script of a third of a megabyte in it, meanwhile.
  /** @type {Promise<import('playwright-core').ConsoleMessage> | undefined} */
  let told;
  const page = await open(browser, `cold_${side}.html?${query}`, (page) => (told = page.waitForEvent('console', (message) => message.type() === 'debug')));
  const [ms, ran] = (await told)?.text().split(' ').map(Number) ?? [];
  await page.context().close();
  return { ms, ran };
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {Model} model
 * @returns {Promise<import('./report.mjs').PageVisits>}
 */
async function visitPage(browser, model) {
  const rounds = choices.rounds ?? COLD_ROUNDS;
  say(`${model}: ${rounds} visits of the page`);
  requests.clear();
  const times = await pageVisits(browser, `${server.url}www/`, OFFERS[0].name, rounds);
  const asked = [...requests].map((path) => (path.endsWith('/') ? `${path}index.html` : path));
  const files = asked.filter((path) => existsSync(new URL(`.${path}`, ROOT))); // a model lacks what is optional
  const read = (/** @type {string} */ path) => readFileSync(new URL(`.${path}`, ROOT));
  return {
    model,
    first: summarise(times.map(({ first }) => first)),
    own: summarise(times.map(({ own }) => own)),
    code: files.filter((path) => CODE.test(path)).map((path) => ({ path, ...sizes(read(path)) })),
    data: files.filter((path) => !CODE.test(path)).map((path) => ({ path, bytes: read(path).length })),
  };
}

/**
 * Scripts and modules that a visitor downloads. The benchmark's own are not counted on either side, nor is data, such as names of classes.
 * @param {import('playwright-core').Browser} browser
 * @param {Model} model
 * @param {number} threads
 * @returns {Promise<import('./report.mjs').Wire>}
 */
async function wire(browser, model, threads) {
  /** @type {Partial<Record<Side, import('./report.mjs').File[]>>} */
  const files = {};
  for (const side of SIDES) {
    requests.clear();
    await visit(browser, side, model, threads);
    const asked = [...requests].filter((path) => /^\/(pkg|node_modules)\/.*\.(m?js|wasm)$/.test(path));
    files[side] = asked.map((path) => ({ path, ...sizes(readFileSync(new URL(`.${path}`, ROOT))) }));
  }
  return { model, threads, ours: files.ours ?? [], theirs: files.theirs ?? [] };
}

/**
 * Engines beside each other on a page.
 * @param {import('playwright-core').Browser} browser
 */
async function besides(browser) {
  const all = [];
  for (const model of choices.models) {
    for (const dtype of choices.dtypes) {
      say(`${model} ${dtype}: engines beside each other`);
      const setup = { side: /** @type {const} */ ('ours'), model: modelUrl(model), dtype, simd: choices.simd ?? undefined };
      all.push(...(await instances(() => openRace(browser, model), { setup, model, rounds: choices.rounds })));
    }
  }
  return all;
}

/** @param {import('playwright-core').Browser} browser */
async function measureKernels(browser) {
  say('kernels');
  const page = await openBench(browser);
  const kernels = await page.evaluate(() => bench.kernels());
  await page.context().close();
  return kernels;
}

/**
 * @param {Model} model
 * @param {Dtype} dtype
 * @returns {Promise<import('./report.mjs').Memory>}
 */
async function memoryOf(model, dtype) {
  say(`${model} ${dtype}: memory`);
  const file = statSync(new URL(`target/bench/models/${model}/${dtype}/model.safetensors`, ROOT)).size;
  const empty = (await processOf(async () => undefined)).process;
  const ours = await loaded('ours');
  const theirs = await loaded('theirs').catch(() => undefined); // which the forward pass told
  return { model, dtype, file, memory: ours.result?.memory, ours: above(ours.process), theirs: above(theirs?.process) };

  /** @param {Side} side */
  function loaded(side) {
    return processOf(async (page) => {
      await page.evaluate((url) => bench.fetchPixels(url), `${modelUrl(model)}/pixels.f32`);
      const setup = { side, model: modelUrl(model), dtype, threads: 1, simd: choices.simd ?? undefined };
      const { id } = await page.evaluate((setup) => bench.load(setup), setup);
      for (let run = 0; run < (ROUNDS[model].alone ? 1 : 3); run++) await page.evaluate((id) => bench.run(id, 'classify'), id);
      return page.evaluate((id) => bench.describe(id), id);
    });
  }

  /** @param {import('./report.mjs').Process | undefined} process */
  function above(process) {
    return process && empty && { peak: process.peak - empty.peak, settled: process.settled - empty.settled };
  }
}

/**
 * Resident memory of the page's process, in a browser of its own.
 * @template T
 * @param {(page: import('playwright-core').Page) => Promise<T>} work
 */
async function processOf(work) {
  const browser = await launch(['--js-flags=--expose-gc']);
  try {
    const page = await openBench(browser);
    const result = await work(page);
    const process = await largestRenderer(browser);
    return { result, process };
  } finally {
    await browser.close();
  }
}
