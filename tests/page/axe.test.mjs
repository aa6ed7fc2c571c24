/** The page by the rules of WCAG 2.2 AA that a program can check, in every state and in both schemes of colours. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';
import { openTab, startBrowser, startServer } from './harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** What is against the rules. @param {import('playwright-core').Page} page */
const violations = (page) => page.evaluate(async (tags) => {
  const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { runOnly: tags });
  return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => [node.target.flat().join(' '), ...node.any.map((/** @type {any} */ { message }) => message)].join(', ')).join('; ')}`);
}, TAGS);

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  for (const [name, viewport] of Object.entries({ laptop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
    test(`every view, the dialog and a notice are clean (${colorScheme}, ${name})`, async () => {
      const tab = await openTab(browser, { viewport, colorScheme, reducedMotion: 'reduce' });
      const { page } = tab;
      await page.goto(`${origin}/www/?model=/models/vitscope-tiny/`);
      await page.locator('#answers .label').first().getByText('espresso').waitFor();
      await page.evaluate(AXE);
      const found = new Set();
      const look = async (/** @type {string} */ state) => (await violations(page)).forEach((/** @type {string} */ violation) => found.add(`${state}: ${violation}`));
      await look('at first');
      const views = await page.locator('[role=tab]').evaluateAll((tabs) => tabs.map(({ id }) => id));
      assert.equal(views.length, 8);
      for (const id of views.slice(1)) {
        await page.locator(`#${id}`).click();
        await page.waitForTimeout(300);
        await look(id);
      }
      await page.locator('[data-teach=open]').click();
      await page.getByRole('button', { name: 'Add what is shown to Class 1' }).press('Enter');
      await page.locator('.thumbs canvas').waitFor();
      await look('own classes');
      await page.locator('[data-pins=pin]').click();
      await page.locator('#pins .now').waitFor();
      await look('side by side');
      await page.locator('[data-source=file]').setInputFiles({ name: 'x.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
      await page.locator('#notice').waitFor();
      await look('notice');
      await page.locator('#model-open').click();
      await look('dialog');
      assert.deepEqual([...found], []);
      await tab.close();
    });
  }
}
