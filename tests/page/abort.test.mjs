/** An abort ends what the model does after the block under way, on an isolated page, where the engine reads of it, and on one that is not. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { FOLDER, addToEngine, openApi, startBrowser, startServer, workersEnd } from './harness.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Record<string, string>} */
const origins = {};
before(async () => {
  [browser, origins.isolated, origins.plain] = await Promise.all([startBrowser(), startServer(), startServer({ isolated: false })]);
});

/**
 * After each block the engine takes a while more, and a second after that of the number that it was told; it says when that begins and ends. Where it reads
 * the bell it does so between two blocks; elsewhere it comes out.
 */
const SLOW = `
  const told = new BroadcastChannel('blocks');
  let left = 0;
  told.onmessage = ({ data }) => {
    left = data;
    told.postMessage('set');
  };
  const block = () => {
    told.postMessage('begun');
    const end = performance.now() + (--left ? 20 : 1000);
    while (performance.now() < end);
    told.postMessage('ended');
  };
  const read = Atomics.load;
  Atomics.load = (...args) => (block(), read(...args));
  for (const { prototype } of [Engine, Work]) {
    const { step } = prototype;
    prototype.step = function (...args) {
      const goesOn = step.apply(this, args);
      if (goesOn && !args.at(-1)) block();
      return goesOn;
    };
  }`;

/** Blocks before which it is aborted: in the first pass, in the one behind it. */
const CALLS = /** @type {const} */ ({ classify: [1], several: [1, 8], trace: [2], chefer: [1, 8], occlusion: [1, 12], curves: [9], teach: [8] });

for (const where of ['isolated', 'plain']) {
  test(`on a page that is ${where}`, async () => {
    const tab = await openApi(browser, origins[where]);
    await addToEngine(tab.context, SLOW);
    const results = await tab.page.evaluate(async ({ model, calls }) => {
      const none = () => ({ begun: 0, ended: 0 });
      let blocks = none();
      let hear = () => {};
      const engine = new BroadcastChannel('blocks');
      engine.onmessage = ({ data }) => {
        if (data === 'set') blocks = none(); // what comes before is of the pass before
        else blocks[/** @type {'begun' | 'ended'} */ (data)]++;
        hear();
      };
      const heard = (/** @type {() => boolean} */ what) => new Promise((/** @type {(_: void) => void} */ resolve) => (hear = () => what() && resolve()));
      const vit = await vitscope.Vitscope.load(model);
      const image = await (await fetch('/www/samples/coffee.jpg')).blob();
      const expected = (await vit.classify(image)).logits.join();
      const map = await vit.attribute(image);
      await vit.trace(image); // what shows the views starts
      /** @type {Record<string, (signal: AbortSignal) => Promise<unknown>>} */
      const ask = {
        classify: (signal) => vit.classify(image, { signal }),
        several: (signal) => vit.classify([image, image, image], { signal }),
        trace: (signal) => vit.trace(image, { signal }),
        chefer: (signal) => vit.attribute(image, { signal }),
        occlusion: (signal) => vit.attribute(image, { method: 'occlusion', signal }),
        curves: (signal) => vit.curves(image, map, { steps: 3, signal }),
        teach: (signal) => vit.teach({ a: [image, image], b: [image] }, { signal }),
      };
      const results = [];
      for (const [name, counts] of Object.entries(calls)) {
        for (const count of counts) {
          const set = heard(() => !blocks.begun);
          engine.postMessage(count);
          await set;
          const abort = new AbortController();
          const reason = { name };
          heard(() => blocks.begun === count).then(() => abort.abort(reason));
          const own = await ask[name](abort.signal).then(() => false, (error) => error === reason);
          const atOnce = blocks.ended < count;
          if (atOnce) await heard(() => blocks.ended === count);
          await new Promise((resolve) => setTimeout(resolve, 300)); // for blocks that should not come
          const more = blocks.begun - count;
          results.push({ name, count, own, atOnce, more, same: (await vit.classify(image)).logits.join() === expected });
        }
      }
      const trace = await vit.trace(image);
      const done = AbortSignal.abort('no');
      const refused = await Promise.all([
        vit.classify(image, { signal: done }), vit.classify([image], { signal: done }), vit.trace(image, { signal: done }), vit.attribute(image, { signal: done }), vit.curves(image, map, { signal: done }),
        vit.positionSimilarity({ signal: done }), vit.patchFilters({ count: 1, signal: done }), trace.logitLens({ signal: done }), trace.patchLens({ layer: 0, signal: done }),
        vit.teach({ a: [image], b: [image] }, { signal: done }), vit.withClasses({ labels: ['a'], embeddings: [[1]] }, { signal: done }), vitscope.Vitscope.load(model, { signal: done }),
        vitscope.toPNG(map, { signal: done }), vitscope.Trace.from(structuredClone(trace), { signal: done }),
      ].map((promise) => promise.then(() => 'answered', (error) => error)));
      const answered = await Promise.all([vit.positionSimilarity({}), vit.patchFilters({ count: 1 }), trace.logitLens(), trace.patchLens({ layer: 0 })]).then((maps) => maps.length);
      vit.close();
      return { results, refused, answered, isolated: crossOriginIsolated, threads: vit.backend.threads };
    }, { model: FOLDER, calls: CALLS });
    assert.equal(results.isolated, where === 'isolated');
    for (const { name, count, own, atOnce, more, same } of results.results) {
      const what = `${name} at block ${count}, ${more} more`;
      assert.ok(own, `${what}: it rejects with the signal's reason`);
      assert.ok(atOnce, `${what}: before that block is over`);
      assert.ok(more <= 1, `${what}: the block under way is the last`);
      assert.ok(same, `${what}: the instance goes on as before`);
    }
    assert.deepEqual(results.refused, Array(14).fill('no'));
    assert.equal(results.answered, 4);
    assert.deepEqual(tab.errors, []);
    await workersEnd(tab.page);
    await tab.close();
  });
}
