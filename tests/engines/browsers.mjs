/**
 * Browsers of several makers. They are started as a person would, with an address; the page that opens there tells a server what it has to say.
 * (Of what drives browsers nothing stands in between: under WebDriver BiDi nested workers hang once in some tens of starts.)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { FLAGS } from '../page/browser.mjs';

const PATIENCE = 180_000;

/** @param {string[]} names @returns {string | undefined} */
function which(names) {
  const places = names.flatMap((name) => (name.startsWith('/') ? [name] : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))));
  return places.find((place) => existsSync(place));
}

/** Firefox as it is after an installation, without its first-run pages and calls home. @param {string} folder */
function firefoxProfile(folder) {
  const prefs = { 'browser.shell.checkDefaultBrowser': false, 'datareporting.policy.dataSubmissionEnabled': false, 'toolkit.telemetry.enabled': false, 'app.update.enabled': false, 'browser.aboutwelcome.enabled': false };
  writeFileSync(join(folder, 'user.js'), Object.entries(prefs).map(([name, value]) => `user_pref("${name}", ${value});\n`).join(''));
  return folder;
}

const xvfb = which(['Xvfb']);
const multiarch = ['x86_64', 'aarch64'].flatMap((machine) => ['4.1', '4.0', '6.0'].map((version) => `/usr/lib/${machine}-linux-gnu/webkit2gtk-${version}/MiniBrowser`));

/** @typedef {{name: string, program: string | undefined, args: (folder: string, url: string) => string[], env?: Record<string, string>, display?: boolean}} Browser */

/** Chromium first, which others are held against. @type {Browser[]} */
export const BROWSERS = [
  { name: 'Chromium', program: which([process.env.CHROMIUM ?? 'chromium']), args: (folder, url) => [...FLAGS, '--headless', `--user-data-dir=${folder}`, url] },
  { name: 'Firefox', program: which([process.env.FIREFOX ?? 'firefox-esr', 'firefox']), args: (folder, url) => ['--headless', '--no-remote', '--profile', firefoxProfile(folder), url] },
  // Its sandbox wants namespaces, which containers lack; and shared memory, which Safari has, is off by default.
  { name: 'WebKitGTK', program: xvfb && which(multiarch), args: (folder, url) => ['--private', url], env: { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', WEBKIT_DISABLE_COMPOSITING_MODE: '1', JSC_useSharedArrayBuffer: '1' }, display: true },
];

/**
 * Opens a page in a browser, and waits for what it tells.
 * @param {Browser} browser
 * @param {(report: string) => string} address of the page, which tells it there
 * @returns {Promise<any>}
 */
export async function open({ name, program, args, env, display }, address) {
  const folder = mkdtempSync(join(tmpdir(), 'vitscope-engine-'));
  const reports = createServer();
  let step = 'the start';
  const told = new Promise((resolve) => {
    reports.on('request', async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.writeHead(200, { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' }).end();
      if (request.method !== 'POST') return;
      const report = JSON.parse(body);
      if (report.step) step = report.step;
      else resolve(report);
    });
  });
  reports.listen(0, '127.0.0.1');
  await once(reports, 'listening');
  const screen = display ? await startScreen() : undefined;
  const report = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (reports.address()).port}/`;
  const child = spawn(/** @type {string} */ (program), args(folder, address(report)), { env: { ...process.env, ...env, ...(screen && { DISPLAY: screen.name, GDK_BACKEND: 'x11' }) }, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (text) => (said = (said + text).slice(-2000)));
  let clock;
  const late = new Promise((_, reject) => (clock = setTimeout(() => reject(new Error(`${name} has not answered after ${PATIENCE / 1000} s, and is at ${step}. It said: ${said}`)), PATIENCE)));
  const ended = new Promise((_, reject) => child.once('exit', (code) => reject(new Error(`${name} ended with ${code}. It said: ${said}`))).once('error', reject));
  try {
    return await Promise.race([told, late, ended]);
  } finally {
    clearTimeout(clock);
    ended.catch(() => {});
    if (child.exitCode === null) {
      child.kill();
      await once(child, 'exit');
    }
    killAll(child);
    screen?.close();
    reports.close().closeAllConnections();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** A browser's own processes outlive it, and write into its profile. @param {import('node:child_process').ChildProcess} leader of their group */
function killAll({ pid }) {
  try {
    process.kill(-Number(pid), 'SIGKILL');
  } catch {} // there are none
}

/** A display that nobody sees; it chooses a free number. */
async function startScreen() {
  const child = spawn(/** @type {string} */ (xvfb), ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const [number] = await once(/** @type {import('node:stream').Readable} */ (child.stdio[3]), 'data');
  return { name: `:${String(number).trim()}`, close: () => child.kill() };
}
