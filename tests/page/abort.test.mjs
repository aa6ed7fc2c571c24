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

/** After each block the engine takes 60 ms more, and tells of it. Where it reads the bell it does so between two blocks; elsewhere it comes out. */
const SLOW = `
  const told = new BroadcastChannel('blocks');
  const block = () => {
    told.postMessage(0);
    const end = performance.now() + 60;
    while (performance.now() < end);
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
      let blocks = 0;
      /** @type {(() => void) | undefined} */
      let enough;
      let after = Infinity;
      new BroadcastChannel('blocks').onmessage = () => {
        if (++blocks === after) enough?.();
      };
      const quiet = () => new Promise((resolve) => setTimeout(resolve, 300));
      const vit = await vitscope.Vitscope.load(model);
      const image = await (await fetch('/www/samples/coffee.jpg')).blob();
      const expected = (await vit.classify(image)).logits.join();
      const map = await vit.attribute(image);
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
          await quiet();
          blocks = 0;
          const abort = new AbortController();
          const reason = { name };
          let aborted = 0;
          [after, enough] = [count, () => (aborted = performance.now(), abort.abort(reason))];
          const own = await ask[name](abort.signal).then(() => false, (error) => error === reason);
          const took = performance.now() - aborted;
          [after, enough] = [Infinity, undefined];
          await quiet();
          const more = blocks - count;
          results.push({ name, count, own, took, more, same: (await vit.classify(image)).logits.join() === expected });
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
    for (const { name, count, own, took, more, same } of results.results) {
      const what = `${name} at block ${count}: ${took} ms, ${more} more`;
      assert.ok(own, `${what}: it rejects with the signal's reason`);
      assert.ok(took < 50, `${what}: at once`);
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
