/** The package and the page in browsers of other makers: Firefox, and WebKitGTK's MiniBrowser. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { serve } from '../../xtask/server.mjs';
import { makeSingle } from '../../xtask/single.mjs';
import { commandLine, temporaryFolder } from '../page/harness.mjs';
import { BROWSERS, open } from './browsers.mjs';

const MODEL = '/models/vitscope-tiny/';
/** Of the largest value, that two browsers may differ by: relaxed SIMD multiplies and adds in one rounding, and some have only the other. */
const CLOSE = 1e-4;
/** Of 255, that a drawn pixel may differ by: canvases round, and scale, in ways of their own. */
const ALIKE = 4;

/** @typedef {{agent: string, isolated: boolean, backend: {simd: string, threads: number}, label: string, loadedSomething: boolean, refused: string, stopped: unknown, numbers: Record<string, number[]>, pixels: number[], page: {label: string, notice: string}, lesson: {captions: Record<string, string>, errors: string[], notice: string}, error?: string}} Answers */

/**
 * What a browser answers on a page of the project's server.
 * @param {import('./browsers.mjs').Browser} browser
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
