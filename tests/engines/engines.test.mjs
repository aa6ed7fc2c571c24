/**
 * The package and the page in browsers of other makers: Firefox, and WebKitGTK's MiniBrowser. They are started as a person would, with an address; the page that
 * opens there tells the server what it answers. (Of what drives browsers nothing stands in between: under WebDriver BiDi nested workers hang once in some tens of starts.)
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { serve } from '../../xtask/server.mjs';
import { makeSingle } from '../../xtask/single.mjs';
import { FLAGS } from '../page/browser.mjs';
import { commandLine, temporaryFolder } from '../page/harness.mjs';

const MODEL = '/models/vitscope-tiny/';
/** Of the largest value, that two browsers may differ by: relaxed SIMD multiplies and adds in one rounding, and some have only the other. */
const CLOSE = 1e-4;
/** Of 255, that a drawn pixel may differ by: canvases round, and scale, in ways of their own. */
const ALIKE = 4;
const PATIENCE = 180_000;

/** @typedef {{agent: string, isolated: boolean, backend: {simd: string, threads: number}, label: string, loadedSomething: boolean, refused: string, stopped: unknown, numbers: Record<string, number[]>, pixels: number[], page: {label: string, notice: string}, lesson: {captions: Record<string, string>, errors: string[], notice: string}, error?: string}} Answers */

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

/** @type {{name: string, program: string | undefined, args: (folder: string, url: string) => string[], env?: Record<string, string>, display?: boolean}[]} */
const BROWSERS = [
  { name: 'Chromium', program: which([process.env.CHROMIUM ?? 'chromium']), args: (folder, url) => [...FLAGS, '--headless', `--user-data-dir=${folder}`, url] },
  { name: 'Firefox', program: which([process.env.FIREFOX ?? 'firefox-esr', 'firefox']), args: (folder, url) => ['--headless', '--no-remote', '--profile', firefoxProfile(folder), url] },
  // Its sandbox wants namespaces, which containers lack; and shared memory, which Safari has, is off by default.
  { name: 'WebKitGTK', program: xvfb && which(multiarch), args: (folder, url) => ['--private', url], env: { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', WEBKIT_DISABLE_COMPOSITING_MODE: '1', JSC_useSharedArrayBuffer: '1' }, display: true },
];

/**
 * What a browser answers on a page of the project's server.
 * @param {typeof BROWSERS[number]} browser
 * @param {{isolated: boolean, dtype: string}} options
 * @returns {Promise<Answers>}
 */
async function ask(browser, { isolated, dtype }) {
  const server = await serve({ folders: ['tests/engines'], isolated });
  try {
    return await open(browser, (report) => `${server.url}tests/engines/answers.html?${new URLSearchParams({ report, model: MODEL, dtype })}`);
  } finally {
    await server.close();
  }
}

/**
 * Opens a page in a browser, and waits for what it tells.
 * @param {typeof BROWSERS[number]} browser
 * @param {(report: string) => string} address of the page, which tells it there
 * @returns {Promise<any>}
 */
async function open({ name, program, args, env, display }, address) {
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

/** @param {number[]} a @param {number[]} b */
function distance(a, b) {
  const most = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  return a.length === b.length ? a.reduce((far, value, i) => Math.max(far, Math.abs(value - b[i]) / most), 0) : Infinity;
}

const [chromium, ...others] = BROWSERS;

for (const [dtype, isolated] of /** @type {const} */ ([['int8', true], ['f32', true], ['int8', false]])) {
  const setting = `${dtype}, ${isolated ? 'isolated' : 'not isolated'}`;
  /** @type {Answers} */
  let expected;
  test(`Chromium answers, ${setting}`, async () => {
    assert.ok(chromium.program, 'there is no Chromium');
    expected = await ask(chromium, { isolated, dtype });
    check(expected, isolated);
  });
  for (const browser of others) {
    test(`${browser.name} answers what Chromium does, ${setting}`, { skip: !browser.program && 'it is not installed' }, async (t) => {
      const answers = await ask(browser, { isolated, dtype });
      t.diagnostic(`${answers.agent}: ${answers.backend?.simd}, ${answers.backend?.threads} threads`);
      check(answers, isolated);
      assert.deepEqual(Object.keys(answers.numbers), Object.keys(expected.numbers));
      for (const [name, values] of Object.entries(expected.numbers)) {
        const far = distance(answers.numbers[name], values);
        assert.ok(far < CLOSE, `${name} differs by ${far}`);
      }
      const most = answers.pixels.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.pixels[i])), 0);
      assert.ok(most <= ALIKE && answers.pixels.length === expected.pixels.length, `pixels differ by ${most}`);
      assert.equal(answers.label, expected.label);
      assert.equal(answers.page.label, expected.page.label);
    });
  }
}

/** @param {Answers} answers @param {boolean} isolated */
function check(answers, isolated) {
  assert.equal(answers.error, undefined);
  assert.equal(answers.isolated, isolated);
  assert.equal(answers.backend.threads > 1, isolated);
  assert.deepEqual([answers.refused, answers.stopped, answers.loadedSomething, answers.page.notice], ['invalid-argument', 'enough', true, '']);
  const { captions, errors, notice } = answers.lesson;
  assert.deepEqual([errors, notice, Object.keys(captions).length], [[], '', 12]);
  for (const [name, caption] of Object.entries(captions)) assert.doesNotMatch(caption, /undefined|NaN|Infinity/, name);
  for (const [name, values] of Object.entries(answers.numbers)) assert.ok(values.length && values.every(Number.isFinite), name);
}

/** In the single file: answers, head map and relevance, told to a server. @param {string} report */
async function tell(report) {
  /** @type {string[]} */
  const errors = [];
  addEventListener('error', ({ message }) => errors.push(message));
  addEventListener('unhandledrejection', ({ reason }) => errors.push(String(reason)));
  const text = (/** @type {string} */ selector) => document.querySelector('#explorer')?.shadowRoot?.querySelector(selector)?.textContent ?? '';
  const until = async (/** @type {string} */ selector, /** @type {RegExp} */ pattern) => {
    while (!pattern.test(text(selector))) await new Promise((resolve) => setTimeout(resolve, 50));
    return text(selector);
  };
  const answer = await until('#answers ol', /%/);
  const looks = await until('[data-caption=title]', /looks/);
  /** @type {HTMLElement} */ (document.querySelector('#explorer')?.shadowRoot?.querySelector('#tab-class')).click();
  const why = await until('[data-caption=title]', /Relevance/);
  await fetch(report, { method: 'POST', mode: 'no-cors', body: JSON.stringify({ answer, looks, why, errors }) });
}

for (const browser of BROWSERS) {
  test(`${browser.name} opens the single file from the disk`, { skip: !browser.program && 'it is not installed' }, async () => {
    const folder = temporaryFolder();
    await commandLine(['quantize', `.${MODEL}`, '--bits', '4', '--output', folder]);
    const { html } = await makeSingle(folder);
    const { answer, looks, why, errors } = await open(browser, (report) => {
      const script = `(${tell})(${JSON.stringify(report)})`;
      const sum = createHash('sha256').update(script).digest('base64');
      const file = join(folder, 'vitscope.html');
      writeFileSync(file, html.replace('connect-src', `connect-src ${report}`).replace('script-src', `script-src 'sha256-${sum}'`).replace('</title>', () => `</title><script>${script}</script>`));
      return pathToFileURL(file).href;
    });
    assert.deepEqual(errors, []);
    assert.match(answer, /^espresso/);
    assert.match(looks, /^Layer 5, mean of heads/);
    assert.match(why, /^Relevance for espresso/);
  });
}
