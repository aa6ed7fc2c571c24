/** The lesson by the rules of WCAG 2.2 AA that a program can check: every chapter with its figure drawn, in both schemes of colours. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';
import { openTab, startBrowser, startServer } from './harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const ALL = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
const COLOURS = { type: 'rule', values: ['color-contrast'] };
/** What the page is is looked at in each width once, its colours in both schemes. */
const CASES = /** @type {const} */ ([
  { name: 'laptop, light', viewport: { width: 1280, height: 800 }, colorScheme: 'light', rules: ALL },
  { name: 'phone, dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark', rules: ALL },
  { name: 'laptop, dark', viewport: { width: 1280, height: 800 }, colorScheme: 'dark', rules: COLOURS },
  { name: 'phone, light', viewport: { width: 390, height: 844 }, colorScheme: 'light', rules: COLOURS },
]);
/** How often the page is looked at, from its first chapter to its last. */
const PLACES = 4;

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** What is against the rules. @param {import('playwright-core').Page} page @param {object} rules */
const violations = (page, rules) => page.evaluate(async (rules) => {
  const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { runOnly: rules, resultTypes: ['violations'] });
  return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => [node.target.flat().join(' '), ...node.any.map((/** @type {any} */ { message }) => message)].join(', ')).join('; ')}`);
}, rules);

for (const { name, rules, ...options } of CASES) {
  test(`every chapter is clean (${name})`, async () => {
    const tab = await openTab(browser, { ...options, reducedMotion: 'reduce' });
    const { page } = tab;
    await page.goto(`${origin}/www/inside/?model=/models/vitscope-tiny/`);
    await page.locator('[data-dock=answer]').getByText('espresso').waitFor();
    await page.evaluate(AXE);
    const ids = await page.locator('.chapter').evaluateAll((chapters) => chapters.map(({ id }) => id));
    assert.ok(ids.length > 10);
    const found = new Set();
    for (const [i, id] of ids.entries()) {
      // Every step is read, so that the figure has shown what it can; for the colours the last one will do.
      for (const step of (await page.locator(`#${id} .step`).all()).slice(rules === ALL ? 0 : -1)) {
        await step.evaluate((element) => {
          const { top, height } = element.getBoundingClientRect();
          scrollBy(0, top + height / 2 - innerHeight * (innerWidth > 900 ? 0.5 : 0.78));
        });
        await page.waitForTimeout(30);
      }
      if ((i + 1) % Math.ceil(ids.length / PLACES) && i + 1 < ids.length) continue;
      await page.waitForFunction(() => !document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-busy]')); // which dims a figure
      (await violations(page, rules)).forEach((/** @type {string} */ violation) => found.add(`${id}: ${violation}`));
    }
    assert.deepEqual([...found], []);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}
