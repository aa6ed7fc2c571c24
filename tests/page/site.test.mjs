/** The page as a site on a plain static host, under a path: first visit, later ones, without a server, and when there is a new version. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import sirv from 'sirv';
import { site } from '../../xtask/site.mjs';
import { FLAGS } from './browser.mjs';
import { MODEL, PAGE, ROOT, answered, finallyDo, firstAnswer, openTab, startBrowser, startServer, temporaryFolder, withExplorer } from './harness.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** Whatever may be in one. */
const PATH = '/some/path,%20or%20a;b/';
const QUERY = `?model=models/${MODEL}/`;

/** Two versions, in folders of these names. */
const folders = temporaryFolder();
const at = (/** @type {string} */ name) => join(folders, name);
/** @type {import('playwright-core').Browser} */
let browser;
let next = '';
let answer = '';
before(async () => {
  // As `cargo xtask site FOLDER` does once the engine is built.
  const written = promisify(execFile)(process.execPath, [join(ROOT, 'xtask/site.mjs'), at('first')], { cwd: folders });
  const code = 'document.documentElement.dataset.next = "yes"';
  [browser, { version: next }, answer] = await Promise.all([startBrowser(), site(at('next'), { code }), firstAnswer(), written]);
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
const closeAll = async (/** @type {import('playwright-core').BrowserContext} */ context) => Promise.all(context.pages().map((page) => page.close()));
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
  // The lesson, too, where nobody has been yet.
  await third.goto(`${server.url}inside/?model=../models/${MODEL}/`);
  await third.waitForFunction(() => /%/.test(document.querySelector('#lesson')?.shadowRoot?.querySelector('[data-dock=answer]')?.textContent ?? ''));
  assert.equal(await isolated(third), true);
  assert.equal(server.asked.length, before);
  assert.deepEqual(errors.filter((error) => !/processor_config\.json|ERR_CONNECTION_REFUSED/.test(error)), []);
  await context.close();
});

test('a host that names no versions of its files: the model is there without it, too', async () => {
  const server = await host({ validators: false });
  const { open, context } = await visitor(server);
  const page = await open();
  await kept(page);
  await page.close();
  await server.close();
  assert.equal(await isolated(await open()), true);
  await context.close();
});

test('a new version is taken whole, when the visitor says so, and a page that is open keeps its own', async () => {
  const server = await host();
  const { errors, open, context } = await visitor(server);
  const page = await open();
  await kept(page);
  const [first] = await versions(page);
  const own = `${first}/style.css`;

  server.serve('next');
  const script = at(`next/${next}/main.js`);
  renameSync(script, `${script}.part`);
  assert.equal(await lookForNext(page), 'redundant', 'while a file is missing');
  renameSync(`${script}.part`, script);
  const whole = readFileSync(script);
  appendFileSync(script, '// broken off');
  assert.equal(await lookForNext(page), 'redundant', 'while a file is another');
  assert.deepEqual(await versions(page), [first]);
  assert.equal(await offer(page).count(), 0);
  await page.close();
  const still = await open();
  assert.equal(await isNext(still), false);

  writeFileSync(script, whole);
  await lookForNext(still);
  await offer(still).waitFor();
  const other = await open();
  await offer(other).waitFor();
  assert.deepEqual([await isNext(still), await isNext(other)], [false, false], 'nobody has taken it');
  await still.getByRole('button', { name: 'Reload' }).click();
  await still.waitForFunction(() => document.documentElement.dataset.next === 'yes');
  await answered(still, answer);
  assert.equal(await isolated(still), true);

  assert.equal(await isNext(other), false);
  const fetched = (/** @type {Page} */ page) => page.evaluate(async (address) => (await fetch(address)).status, own);
  assert.equal(await fetched(other), 200, 'a file that the server no longer has');
  assert.deepEqual(await versions(other), [first, next]);
  await closeAll(context);
  const last = await open();
  assert.equal(await isNext(last), true);
  await last.waitForFunction(async (own) => (await caches.keys()).every((name) => !name.startsWith('vitscope-site') || name.endsWith(own)), next);
  assert.ok(await last.evaluate(async () => (await caches.keys()).includes('vitscope-1')), 'what is not its own it leaves alone');
  assert.deepEqual(errors.filter((error) => !/processor_config\.json|\b404\b|integrity/.test(error)), []);
  await context.close();
});

test('where the browser has cleared what was kept, the site opens from its server and is kept anew', async () => {
  const { errors, open, context } = await visitor(await host());
  const page = await open();
  await kept(page);
  await page.evaluate(async () => Promise.all((await caches.keys()).map((name) => caches.delete(name))));
  await page.close();
  const again = await open();
  assert.equal(await isolated(again), true);
  await again.waitForFunction(async () => (await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).length))).some((files) => files > 10));
  assert.deepEqual(errors.filter((error) => !/processor_config\.json/.test(error)), []);
  await context.close();
});

test('it can be installed', async () => {
  const server = await host();
  const context = await chromium.launchPersistentContext(temporaryFolder(), { executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
  finallyDo(() => context.close());
  const page = await context.newPage();
  await page.goto(server.url + QUERY);
  const devtools = await context.newCDPSession(page);
  const { errors, data, url } = await devtools.send('Page.getAppManifest');
  assert.deepEqual([errors, url], [[], `${server.url}manifest.webmanifest`]);
  assert.deepEqual((await devtools.send('Page.getInstallabilityErrors')).installabilityErrors, []);
  const { icons } = JSON.parse(String(data));
  const sizes = await page.evaluate((icons) => Promise.all(icons.map(async ({ src }) => {
    const image = new Image();
    image.src = src;
    await image.decode();
    return `${image.naturalWidth}x${image.naturalHeight}`;
  })), /** @type {{src: string}[]} */ (icons));
  assert.deepEqual(sizes.slice(1), icons.slice(1).map((/** @type {{sizes: string}} */ { sizes }) => sizes));
});

test("the project's own server registers nothing: whoever works on the page sees it as it is", async () => {
  const { page, close } = await openTab(browser);
  await page.goto((await startServer()) + PAGE);
  await answered(page, answer);
  assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
  assert.equal(await page.locator('[rel=manifest]').count(), 0);
  await close();
});

test('the same page is the same version, and a folder of something else is left alone', async () => {
  const first = readdirSync(at('first')).sort();
  assert.ok(first.includes((await site(at('next'))).version) && !first.includes(next));
  assert.deepEqual(readdirSync(at('next')).sort(), first, 'nothing is left of the other');
  writeFileSync(at('next/thesis.txt'), 'irreplaceable');
  await assert.rejects(site(at('next')), /next holds other files than a site of vitscope\. Name a folder that is empty, or not there yet\./);
  assert.equal(readFileSync(at('next/thesis.txt'), 'utf8'), 'irreplaceable');
});
