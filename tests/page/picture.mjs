/**
 * Takes the README's picture of the page: `node tests/page/picture.mjs` after `cargo xtask build`. Light and dark, in twice
 * the page's resolution.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { serve } from '../../xtask/server.mjs';
import { FLAGS, ROOT, withExplorer } from './browser.mjs';

const FOLDER = join(ROOT, 'www/media');
mkdirSync(FOLDER, { recursive: true });
const server = await serve();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, deviceScaleFactor: 2, colorScheme });
  await page.addInitScript(withExplorer);
  await page.goto(`${server.url}www/`);
  await page.waitForFunction(() => /%/.test(explorer().querySelector('#answers ol')?.textContent ?? ''));
  // Some looks more at the same photo: the time of the first is the compiler's.
  for (let look = 0; look < 8; look++) {
    await page.getByRole('button', { name: 'Espresso cup' }).click();
    await page.waitForTimeout(150);
  }
  await page.locator('.tile[data-layer="11"][data-head="2"]').click();
  await page.mouse.move(5, 5);
  await page.waitForTimeout(500);
  const path = join(FOLDER, `page-${colorScheme}.jpg`);
  await page.screenshot({ path, type: 'jpeg', quality: 82 });
  console.log(`${path}, ${Math.round(statSync(path).size / 1000)} kB`);
}
await browser.close();
await server.close();
