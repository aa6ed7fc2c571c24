/** The page of a server whose builds of the engine are still to be made: it waits for the one that its browser needs, and only that is made. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Builds } from '../../xtask/builds.mjs';
import { PAGE, answered, firstAnswer, openTab, startBrowser, startServer, temporaryFolder } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let first = '';
before(async () => {
  [browser, first] = await Promise.all([startBrowser(), firstAnswer()]);
});

/**
 * What a browser is made to lack, and the build that it needs then.
 * @type {Record<string, (page: Page) => Promise<unknown>>}
 */
const LACKING = {
  'relaxed-threads': async () => {},
  relaxed: (page) => page.addInitScript(() => Object.defineProperty(navigator, 'hardwareConcurrency', { value: 1 })),
  'simd128-threads': (page) => page.addInitScript(() => {
    const validate = WebAssembly.validate.bind(WebAssembly);
    const relaxedDot = '253,147,2';
    WebAssembly.validate = (bytes) => !String(bytes).includes(relaxedDot) && validate(bytes);
  }),
};

for (const [needed, lack] of Object.entries(LACKING)) {
  test(`${needed} is made for who needs it, then the page opens where its address led`, async () => {
    const folder = temporaryFolder();
    /** @type {string[]} */
    const made = [];
    let finish = () => {};
    const builds = new Builds(folder, async (name) => {
      made.push(name);
      await new Promise((resolve) => (finish = () => resolve(undefined)));
      writeFileSync(join(folder, `${name}.wasm`), '');
    });
    const { page, errors, close } = await openTab(browser);
    await lack(page);
    await page.goto((await startServer({ builds })) + PAGE);
    await page.getByRole('status').getByText(`for this browser (${needed})`).waitFor();
    finish();
    await answered(page, first);
    assert.ok(page.url().endsWith(PAGE));
    await page.reload();
    await answered(page, first);
    assert.deepEqual([made, errors], [[needed], []]);
    await close();
  });
}

test('a build that fails is said, and tried anew', async () => {
  let tries = 0;
  const builds = new Builds(temporaryFolder(), async () => {
    throw new Error(`try ${++tries}`);
  });
  const { page, errors, close } = await openTab(browser);
  await page.goto(`${await startServer({ builds })}${PAGE}`);
  const said = () => page.getByRole('status').getByText('could not be compiled').waitFor();
  await said();
  const before = tries;
  await page.reload();
  await said();
  assert.equal(tries, before + 1);
  assert.deepEqual(errors, []);
  await close();
});
