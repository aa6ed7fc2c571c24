/** The package as npm users get it, and a page that is asked what a photo shows. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, finallyDo, fromDisk, openTab, otherSite, temporaryFolder } from '../page/harness.mjs';

export const PHOTO = join(ROOT, 'www/samples/coffee.jpg');
/** Headers that isolate a page. */
export const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/**
 * Runs a program in a folder of the repository, and returns what it prints.
 * @param {string} folder
 * @param {string} program
 * @param {string[]} args
 */
export function run(folder, program, ...args) {
  return execFileSync(program, args, { cwd: join(ROOT, folder), encoding: 'utf8', env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', CI: '1' } });
}

const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** What `npm pack` makes. */
export function packed() {
  const folder = temporaryFolder();
  return join(folder, run('pkg', npm, 'pack', '--silent', '--pack-destination', folder).trim());
}

/**
 * Puts that where `npm install vitscope` would.
 * @param {string} tarball
 * @param {string} folder with a `node_modules/`
 */
export function install(tarball, folder) {
  const target = join(folder, 'node_modules/vitscope');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['xzf', tarball, '-C', target, '--strip-components=1']);
}

/**
 * The repository from a server that sends these headers with each file.
 * @param {Record<string, string>} [headers]
 * @param {Record<string, string>} [scripts] of its own, by their paths
 */
export function site(headers = {}, scripts = {}) {
  const found = (/** @type {string} */ path) => (scripts[path] ? { body: scripts[path], type: 'text/javascript' } : existsSync(join(ROOT, path)) ? fromDisk(path) : { body: '', status: 404 });
  return otherSite((path) => ({ ...found(path), headers: { 'cross-origin-opener-policy': 'unsafe-none', 'cross-origin-embedder-policy': 'unsafe-none', ...headers } }));
}

/**
 * Has a page say what the photo shows.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
export async function askPage(browser, url) {
  const { page, errors, close } = await openTab(browser);
  finallyDo(close);
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  await answers(page);
  assert.deepEqual(errors, []);
  return page;
}

/** @param {import('playwright-core').Page | import('playwright-core').Frame} page */
export async function answers(page) {
  await page.locator('input[type=file]:enabled').setInputFiles(PHOTO);
  assert.match(await page.locator('li').first().innerText(), /^espresso, 9\d %$/);
}
