/** What the package takes is given back: the renderer's own memory over many lives of a model, and over many answers of one. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { renderersMemory } from '../../xtask/bench/renderers.mjs';
import { FOLDER, startBrowser, startServer } from './harness.mjs';

/** All of it takes minutes: `cargo xtask test --long`. */
const LONG = Boolean(process.env.VITSCOPE_LONG);
const LIVES = LONG ? 30 : 6;
const ANSWERS = LONG ? 2000 : 400;
/** A model's instance is some ten megabytes, an answer some kilobytes. What is less than these is noise. */
const PER_LIFE = LONG ? 0.3e6 : 3e6;
const PER_ANSWER = LONG ? 500 : 5000;

/** @type {Record<string, string>} */
const origins = {};
before(async () => {
  [origins.isolated, origins.plain] = await Promise.all([startServer(), startServer({ isolated: false })]);
});

/**
 * A tab that Playwright does not attach to: for that the browser would keep whatever the page fetches.
 * @param {string} origin
 */
async function openUnwatched(origin) {
  const browser = await startBrowser();
  const session = await browser.newBrowserCDPSession();
  const { targetId } = await session.send('Target.createTarget', { url: `${origin}/tests/page/api.html` });
  const { sessionId } = await session.send('Target.attachToTarget', { targetId, flatten: false });
  /** @type {Map<number, (answer: any) => void>} */
  const pending = new Map();
  /** Sessions of its workers. @type {Set<string>} */
  const workers = new Set();
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result, error, method, params } = JSON.parse(message);
    if (method === 'Target.attachedToTarget') workers.add(params.sessionId);
    if (method === 'Target.detachedFromTarget') workers.delete(params.sessionId);
    pending.get(id)?.(error ? { exceptionDetails: error } : result);
  });
  let id = 0;
  const send = (/** @type {string} */ method, params = {}) => {
    const answer = new Promise((resolve) => pending.set(++id, resolve));
    session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method, params }) });
    return answer;
  };
  await send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const evaluate = (/** @type {string} */ expression) => send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  while ((await evaluate('document.documentElement.dataset.ready')).result?.value !== 'yes') await new Promise((resolve) => setTimeout(resolve, 50));

  const run = async (/** @type {string} */ body) => {
    const { exceptionDetails } = await evaluate(`(async () => { ${body} })()`);
    assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
  };

  /** Once it has no more workers than that: bytes that this browser's renderers have of their own, when all garbage is collected. */
  const memory = async (others = workers.size) => {
    while (workers.size > others) await new Promise((resolve) => setTimeout(resolve, 50)); // Chromium gives one that is blocked two seconds
    for (const worker of workers) await send('Target.sendMessageToTarget', { sessionId: worker, message: JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }) });
    await send('HeapProfiler.collectGarbage');
    await new Promise((resolve) => setTimeout(resolve, 200)); // buffers are freed behind it
    return renderersMemory(session);
  };
  return { run, memory, close: () => browser.close() };
}

/** By least squares, of the last two thirds: before that the engine warms up. @param {number[]} values */
function slope(values) {
  const last = values.slice(Math.floor(values.length / 3));
  const middle = (last.length - 1) / 2;
  const [up, square] = last.reduce(([up, square], value, i) => [up + (i - middle) * value, square + (i - middle) ** 2], [0, 0]);
  return up / square;
}

const megabytes = (/** @type {number[]} */ values) => values.map((value) => (value / 1e6).toFixed(1)).join(' ');

for (const where of ['isolated', 'plain']) {
  test(`${LIVES} lives of a model leave nothing behind on a page that is ${where}`, async (t) => {
    const { run, memory, close } = await openUnwatched(origins[where]);
    const samples = [];
    for (let life = 0; life < LIVES; life++) {
      await run(`
        const vit = await vitscope.Vitscope.load('${FOLDER}', { threads: 2 });
        const trace = await vit.trace('/www/samples/coffee.jpg');
        trace.rollout();
        vit.close();`);
      samples.push(await memory(0));
    }
    const rise = slope(samples);
    t.diagnostic(`${(rise / 1e6).toFixed(3)} MB a life; MB: ${megabytes(samples)}`);
    assert.ok(rise < PER_LIFE, `${rise} bytes a life: ${megabytes(samples)}`);
    await close();
  });
}

test(`${ANSWERS} answers of one model leave nothing behind`, async (t) => {
  const { run, memory, close } = await openUnwatched(origins.isolated);
  await run(`
    const image = await (await fetch('/www/samples/coffee.jpg')).blob();
    globalThis.vit = await vitscope.Vitscope.load('${FOLDER}', { threads: 1 });
    globalThis.image = await createImageBitmap(image, { resizeWidth: 96, resizeHeight: 64 });`);
  const samples = [];
  const step = ANSWERS / 20;
  for (let answers = 0; answers < ANSWERS; answers += step) {
    await run(`for (let i = 0; i < ${step}; i++) await vit.classify(image)`);
    samples.push(await memory());
  }
  const rise = slope(samples) / step;
  t.diagnostic(`${rise.toFixed(0)} bytes an answer; MB: ${megabytes(samples)}`);
  assert.ok(rise < PER_ANSWER, `${rise} bytes an answer: ${megabytes(samples)}`);
  await close();
});
