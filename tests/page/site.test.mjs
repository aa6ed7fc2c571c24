/** The page as a site on a plain static host, under a path: first visit, later ones, without a server, and when there is a new version. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import sirv from 'sirv';
import { site } from '../../xtask/site.mjs';
import { FLAGS } from './browser.mjs';
import { MODEL, ROOT, answered, finallyDo, firstAnswer, startBrowser, temporaryFolder, withExplorer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

const PATH = '/some/path/';
const QUERY = `?model=models/${MODEL}/`;

/** Two versions, in folders of these names, and the first half of the second. */
const folders = temporaryFolder();
const at = (/** @type {string} */ name) => join(folders, name);
/** @type {import('playwright-core').Browser} */
let browser;
let first = '';
let next = '';
let answer = '';
before(async () => {
  // As `cargo xtask site FOLDER` does once the engine is built.
  const written = promisify(execFile)(process.execPath, [join(ROOT, 'xtask/site.mjs'), at('first')], { cwd: folders });
  const code = 'document.documentElement.dataset.next = "yes"';
  [browser, { version: next }, { stdout: first }, answer] = await Promise.all([startBrowser(), site(at('next'), { code }), written, firstAnswer()]);
});

/**
 * A host without a header of its own.
 * @param {{validators?: boolean}} [options] validators: whether it says which answers are the same as before
 */
async function host({ validators = true } = {}) {
  let folder = 'first';
  /** What was asked for, from the site's folder on. @type {string[]} */
  const asked = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (!path.startsWith(PATH)) return void response.writeHead(404).end();
    request.url = path.slice(PATH.length - 1);
    asked.push(request.url);
    const setHeaders = (/** @type {import('node:http').ServerResponse} */ response) => validators || response.removeHeader('Last-Modified');
    sirv(at(folder), { dev: true, etag: validators, setHeaders })(request, response, () => void response.writeHead(404).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  finallyDo(close);
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}${PATH}`, asked, close, serve: (/** @type {string} */ name) => void (folder = name) };
}

/**
 * A visitor, whose browser keeps what sites ask it to keep.
 * @param {Awaited<ReturnType<typeof host>>} server
 */
async function visitor({ url }) {
  const context = await browser.newContext();
  await context.addInitScript(withExplorer);
  /** @type {string[]} */
  const errors = [];
  context.on('console', (message) => message.type() === 'error' && errors.push(`${message.text()} ${message.location().url}`));
  context.on('weberror', (error) => errors.push(String(error.error())));
  /** Opens the site and waits for its answer. @param {string} [address] */
  const open = async (address = QUERY) => {
    const page = await context.newPage();
    page.setDefaultTimeout(120_000); // of a busy machine
    await page.goto(url + address);
    await answered(page, answer);
    return page;
  };
  return { context, errors, open };
}

/** Waits until the site's files are kept. @param {Page} page */
const kept = (page) => page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active?.state)); // (What is claimed comes a moment later.)
const threads = async (/** @type {Page} */ page) => /\d+ threads?/.exec(await page.locator('[data-status=threads]').innerText())?.[0];
const isolated = (/** @type {Page} */ page) => page.evaluate(() => crossOriginIsolated);
const isNext = (/** @type {Page} */ page) => page.evaluate(() => document.documentElement.dataset.next === 'yes');
const offer = (/** @type {Page} */ page) => page.getByRole('status').getByText('A new version is ready');
const shells = (/** @type {Page} */ page) => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith('vitscope-site')));
const versions = async (/** @type {Page} */ page) => (await shells(page)).map((name) => name.split(' ').at(-1));

/** Has the browser look for a new version, and waits for what comes of it. @param {Page} page */
const lookForNext = (page) => page.evaluate(async () => {
  const registration = await navigator.serviceWorker.ready;
  const worker = (await registration.update())?.installing;
  while (worker?.state === 'installing') await new Promise((resolve) => worker.addEventListener('statechange', resolve, { once: true }));
  return worker?.state;
});

test('the first visit runs on one thread and is not opened twice, the second on several, and without the server there is a third', async () => {
  const server = await host();
  const { errors, open, context } = await visitor(server);
  const page = await open();
  assert.deepEqual([await isolated(page), await threads(page)], [false, '1 thread']);
  await kept(page);
  assert.equal(server.asked.filter((path) => path === `/${QUERY}`).length, 1);
  assert.deepEqual(server.asked.filter((path) => path.startsWith('/models/') && path.endsWith('.safetensors')).length > 0, true);
  assert.ok(server.asked.indexOf('/sw.js') > server.asked.findIndex((path) => path.endsWith('.safetensors')), 'what is kept waits for the answer');
  // It goes on, now with a service worker that it did not start with.
  await page.getByRole('button', { name: 'Tabby cat' }).click();
  await answered(page, undefined, answer);
  await page.close();

  const second = await open();
  assert.equal(await isolated(second), true);
  assert.match(String(await threads(second)), /^[2-8] threads$/);
  await second.close();

  const before = server.asked.length;
  await server.close();
  const third = await open();
  assert.equal(await isolated(third), true);
  assert.match(String(await threads(third)), /^[2-8] threads$/);
  await third.goto(`${server.url}index.html${QUERY}&more=yes#view=rollout`);
  await answered(third, answer);
  assert.equal(server.asked.length, before);
  assert.deepEqual(errors.filter((error) => !/processor_config\.json|ERR_CONNECTION_REFUSED/.test(error)), []);
  await context.close();
});
