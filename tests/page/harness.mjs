/** What the page tests share: a real Chromium, the project's server, the command line, images. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { bundle } from '../../xtask/bundle.mjs';
import { serve } from '../../xtask/server.mjs';
import { CONFIG, MODEL, shortName } from '../node/model.mjs';
import { FLAGS, ROOT, withExplorer } from './browser.mjs';

export { chunk, png } from '../../xtask/png.mjs';
export { CONFIG, MODEL, ROOT, shortName, withExplorer };

/** The folder of the model under test on the server, and the page with that model. */
export const FOLDER = `/models/${MODEL}/`;
export const PAGE = `/www/?model=${FOLDER}`;

/** Rows of its patches, and columns. */
export const [GRID] = CONFIG.grid;

/** @type {(() => unknown)[]} */
const cleanups = [];
// Registered here, for the file: within a test or hook it would hold for that alone.
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Runs something after all tests of the file. @param {() => unknown} cleanup */
export function finallyDo(cleanup) {
  cleanups.push(cleanup);
}

/** A folder that is gone after the tests. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'vitscope-'));
  finallyDo(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @param {string[]} [flags] */
export async function startBrowser(flags = []) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: [...FLAGS, ...flags] });
  finallyDo(() => browser.close());
  return browser;
}

/**
 * The project's own server, with the test pages beside the page. Its address has no slash at the end.
 * @param {{isolated?: boolean, builds?: import('../../xtask/builds.mjs').Builds}} [options]
 */
export async function startServer(options) {
  const server = await serve({ folders: ['tests/page', 'tests/fixtures'], ...options });
  finallyDo(() => server.close());
  return server.url.replace(/\/$/, '');
}

/** A stand-in for the Hub. @param {import('../node/hub.mjs').Hub} hub */
export async function startHub(hub) {
  await hub.start();
  finallyDo(() => hub.close());
}

/**
 * What pages ask of huggingface.co goes to the stand-in. `hold()` keeps its weights back until `release()`.
 * @param {import('playwright-core').BrowserContext} context
 * @param {import('../node/hub.mjs').Hub} hub
 */
export async function standInForHub(context, hub) {
  let held = Promise.resolve();
  let release = () => {};
  await context.route('https://huggingface.co/**', async (route) => {
    const { pathname, search } = new URL(route.request().url());
    if (pathname.endsWith('.safetensors')) await held;
    const { range } = await route.request().allHeaders();
    const response = await fetch(hub.url.slice(0, -1) + pathname + search, { headers: range ? { range } : {} });
    const headers = Object.fromEntries(['content-type', 'content-range'].flatMap((name) => (response.headers.has(name) ? [[name, String(response.headers.get(name))]] : [])));
    await route.fulfill({ status: response.status, headers: { ...headers, 'access-control-allow-origin': '*' }, body: Buffer.from(await response.arrayBuffer()) }).catch(() => {}); // the page has given it up
  });
  return {
    hold: () => void (held = new Promise((resolve) => (release = resolve))),
    release: () => release(),
  };
}

/**
 * Another server: what it sends under each path, with headers that isolate its pages and let an isolated one take its files.
 * @param {(path: string) => {body: string | Buffer, type?: string, status?: number, headers?: Record<string, string>} | undefined} answer
 */
export async function otherSite(answer) {
  const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-resource-policy': 'cross-origin' };
  const server = createServer((request, response) => {
    const found = orMissing(() => answer(request.url ?? ''));
    response.writeHead(found ? (found.status ?? 200) : 404, { ...isolation, 'content-type': found?.type ?? 'application/octet-stream', ...found?.headers }).end(found?.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  finallyDo(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
}

/** What is read, or nothing where there is no such file. @template T @param {() => T} read */
function orMissing(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const TYPES = /** @type {Record<string, string>} */ ({ '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html', '.json': 'application/json', '.txt': 'text/plain' });

/** A file of the repository, for a server to send. @param {string} path */
export function fromDisk(path) {
  if (!/^\/[\w/.-]+$/.test(path)) throw new Error(`no test asks for ${path}`);
  return { body: readFileSync(join(ROOT, path)), type: TYPES[extname(path)] };
}

/**
 * A tab whose uncaught errors fail the test that looks at `errors`, with what it and its workers say and fetch.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openTab(browser, options) {
  const context = await browser.newContext(options);
  await context.addInitScript(withExplorer);
  const page = await context.newPage();
  page.setDefaultTimeout(120_000); // of a large model on a busy machine; what is there is not waited for
  /** @type {string[]} */
  const errors = [];
  /** @type {string[]} */
  const requests = [];
  /** @type {string[]} */
  const warnings = [];
  page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
  context.on('request', (request) => requests.push(request.url()));
  return { page, context, errors, warnings, requests, close: () => context.close() };
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} origin
 */
export async function openApi(browser, origin) {
  const tab = await openTab(browser);
  await tab.page.goto(`${origin}/tests/page/api.html`);
  await tab.page.waitForSelector('html[data-ready=yes]');
  return tab;
}

/**
 * A test on a page with the package alone, after which no error is left uncaught.
 * @param {() => {browser: import('playwright-core').Browser, origin: string}} where as of when it runs
 * @param {(tab: Awaited<ReturnType<typeof openApi>>) => Promise<void>} body
 */
export function onApi(where, body) {
  return async () => {
    const { browser, origin } = where();
    const tab = await openApi(browser, origin);
    await body(tab);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  };
}

/**
 * Waits until the page has no worker left. Chromium gives one that is blocked two seconds.
 * @param {import('playwright-core').Page} page
 */
export async function workersEnd(page) {
  for (let tries = 0; page.workers().length && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(page.workers().map((worker) => worker.url()), []);
}

/** JavaScript that runs a real `unreachable`. */
export const TRAP = 'new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,5,1,3,0,0,11]))).exports.f();';

/**
 * A server that answers some requests otherwise than it should; after `recover()` as it should. The route stays: to take one
 * away waits for every worker, also for one that has just been ended.
 * @param {import('playwright-core').BrowserContext} context
 * @param {string | RegExp} path
 * @param {(route: import('playwright-core').Route) => unknown} [answer] none: it takes requests and never answers them
 */
export async function disturb(context, path, answer = () => new Promise(() => {})) {
  let recovered = false;
  await context.route(path, (route) => (recovered ? route.continue() : answer(route)));
  await context.exposeFunction('recover', () => void (recovered = true));
}

/** @param {import('playwright-core').Page} page */
export function recover(page) {
  return page.evaluate(() => /** @type {any} */ (globalThis).recover());
}
/**
 * Adds code to what wasm-bindgen generated.
 * @param {import('playwright-core').BrowserContext} context
 * @param {string} code
 */
export async function addToEngine(context, code) {
  const files = await Promise.all([bundle('worker', { code }), bundle('entries', { code })]);
  const bodies = new Map(files.flat().map(({ path, text }) => [basename(path), text]));
  await disturb(context, /\/pkg\/dist\/(vitscope\/worker|index)\.js$/, async (route) => {
    await route.fulfill({ response: await route.fetch(), body: bodies.get(basename(route.request().url())) });
  });
}

/**
 * Makes `trace` trap. No input is known to trap the engine, so that method of the generated modules is made to.
 * @param {import('playwright-core').BrowserContext} context
 */
export function trapInTrace(context) {
  return addToEngine(context, `Engine.prototype.record = () => ${TRAP}`);
}

/**
 * What the command line says. It is built first, so that it is never an older one than the code.
 * @param {string[]} args
 */
export async function commandLine(args) {
  const run = promisify(execFile);
  let cli = process.env.VITSCOPE_CLI;
  if (!cli) {
    await run('cargo', ['build', '--quiet', '--release', '--features', 'cli', '--bin', 'vitscope', '--locked'], { cwd: ROOT });
    cli = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'release', 'vitscope');
  }
  return (await run(cli, args, { cwd: ROOT })).stdout;
}

/**
 * What the command line says about images.
 * @param {string[]} args
 * @returns {Promise<{image: string, top: {index: number, label: string, score: number}[]}[]>}
 */
export async function classifyByCli(args) {
  return JSON.parse(await commandLine(['classify', ...args, '--json']));
}

/** What the model under test takes the sample that the page opens with for, as the page calls it. */
export async function firstAnswer() {
  const [{ top }] = await classifyByCli([`.${FOLDER}`, 'www/samples/coffee.jpg']);
  return shortName(top[0].label);
}

/**
 * Waits for an answer: the given one, or any that differs from the one before.
 * @param {import('playwright-core').Page} page
 * @param {string} [label]
 * @param {string} [before]
 */
export async function answered(page, label, before = '') {
  await page.waitForFunction(([label, before]) => {
    const list = explorer().querySelector('#answers ol');
    const text = list?.textContent ?? '';
    return list?.getAttribute('aria-busy') === 'false' && /%/.test(text) && text !== before && (!label || explorer().querySelector('#answers .label')?.textContent === label);
  }, [label, before]);
}

/**
 * Fingerprint of what is laid over the photo, or of other canvases.
 * @param {import('playwright-core').Page} page
 */
export function drawn(page, selector = '#stage .overlay') {
  return page.evaluate(async (selector) => {
    const pixels = [...explorer().querySelectorAll(selector)].map((element) => {
      const canvas = /** @type {HTMLCanvasElement} */ (element);
      return canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? new Uint8ClampedArray();
    });
    const digest = await crypto.subtle.digest('SHA-256', await new Blob(pixels).arrayBuffer());
    return new Uint8Array(digest).join();
  }, selector);
}

/**
 * Clicks the middle of a patch of the model under test, on a photo wider than high.
 * @param {import('playwright-core').Page} page
 * @param {number} row
 * @param {number} col
 */
export async function clickPatch(page, row, col) {
  await page.locator('#stage').scrollIntoViewIfNeeded();
  const box = await page.locator('#stage .frame').boundingBox();
  assert.ok(box);
  await page.mouse.click(box.x + ((col + 0.5) * box.width) / GRID, box.y + ((row + 0.5) * box.height) / GRID);
}
