import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Builds } from './builds.mjs';
import { serve } from './server.mjs';

/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
/** @type {string[]} */
const asked = [];
before(async () => {
  server = await serve({ folders: ['xtask/src'], onFile: (path) => asked.push(path) });
});
after(() => server.close());

/**
 * A request whose path is sent as it is; fetch would resolve the dots first.
 *
 * @param {string} path
 * @param {import('node:http').RequestOptions} [options]
 * @returns {Promise<{status: number | undefined, headers: import('node:http').IncomingHttpHeaders, body: string}>}
 */
function get(path, options = {}) {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: server.port, agent: false, path, ...options }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

test('leads to the page, and keeps the query, which may name a model', async () => {
  for (const [from, to] of [['/', '/www/'], ['/www', '/www/'], ['/?model=/a/', '/www/?model=/a/'], ['/www?model=%E0%A4', '/www/?model=%E0%A4']]) {
    const { status, headers } = await get(from);
    assert.equal(status, 302);
    assert.equal(headers.location, to);
  }
});

test('serves a folder it was asked to, and the query does not matter', async () => {
  for (const path of ['/xtask/src/main.rs', '/xtask/src/main.rs?v=1']) {
    const { status, body } = await get(path);
    assert.equal(status, 200);
    assert.match(body, /fn main/);
  }
});

test('tells which files were asked for', async () => {
  asked.length = 0;
  for (const path of ['/', '/pkg/package.json?v=1', '/Cargo.toml', '/xtask/src/main.rs']) await get(path);
  assert.deepEqual(asked, ['/pkg/package.json', '/xtask/src/main.rs']);
});

test('isolates every answer and lets none be reused unchecked', async () => {
  for (const path of ['/', '/pkg/package.json', '/missing', '/pkg/missing']) {
    const { headers } = await get(path);
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
    assert.equal(headers['cross-origin-embedder-policy'], 'require-corp');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['cache-control'], 'no-cache');
  }
});

test('can do without isolation', async () => {
  const plain = await serve({ isolated: false });
  const { headers } = await fetch(`${plain.url}www/`);
  for (const name of ['opener-policy', 'embedder-policy', 'resource-policy']) assert.equal(headers.get(`cross-origin-${name}`), null);
  assert.equal(headers.get('cache-control'), 'no-cache');
  await plain.close();
});

test('answers 304 to who has the file already', async () => {
  const { headers } = await get('/pkg/package.json');
  assert.match(headers['content-type'] ?? '', /^application\/json/);
  assert.match(headers.etag ?? '', /^"/, 'a strong name: for a weak one no browser keeps part of a file');
  const again = await get('/pkg/package.json', { headers: { 'if-none-match': headers.etag } });
  assert.equal(again.status, 304);
  assert.equal(again.body, '');
  assert.equal(again.headers['cross-origin-embedder-policy'], 'require-corp');
  assert.equal((await get('/pkg/package.json', { headers: { 'if-none-match': '"another"' } })).status, 200);
});

test('goes on with a file where a download broke off, if it is still the same file', async () => {
  const { headers: { etag }, body } = await get('/pkg/package.json');
  for (const [range, part] of [['bytes=9-', body.slice(9)], ['bytes=9-20', body.slice(9, 21)], ['bytes=0-99999999', body], ['bytes=0-999999999999999999999', body], ['bytes=-5', body.slice(-5)], ['bytes=-99999999', body]]) {
    for (const condition of [{}, { 'if-range': etag }]) {
      const rest = await get('/pkg/package.json', { headers: { range, ...condition } });
      assert.equal(rest.status, 206);
      assert.equal(rest.body, part);
      assert.equal(rest.headers['content-length'], String(part.length));
      assert.equal(rest.headers['content-range'], `bytes ${body.indexOf(part)}-${body.indexOf(part) + part.length - 1}/${body.length}`);
      assert.equal(rest.headers.etag, etag);
      assert.equal(rest.headers['cross-origin-embedder-policy'], 'require-corp');
    }
  }
  for (const range of [`bytes=${body.length}-`, 'bytes=99999999-100000000', 'bytes=-0']) {
    const beyond = await get('/pkg/package.json', { headers: { range } });
    assert.deepEqual([beyond.status, beyond.headers['content-range'], beyond.body], [416, `bytes */${body.length}`, '']);
  }
  const changed = await get('/pkg/package.json', { headers: { range: 'bytes=9-', 'if-range': '"another"' } });
  assert.equal(changed.status, 200);
  assert.equal(changed.body, body);
});

test('serves nothing else of the repository', async () => {
  for (const path of [
    '/Cargo.toml', '/xtask/server.mjs', '/wwwx/', '//Cargo.toml',
    '/www/../Cargo.toml', '/www/..%2fCargo.toml', '/www/%2e%2e/Cargo.toml', '/pkg/..%5cCargo.toml',
    '/www/../../../../../../../../etc/passwd', '/www//etc/passwd', '/www/%00', '/www/%',
  ]) {
    const { status, body } = await get(path);
    assert.equal(status, 404, path);
    assert.doesNotMatch(body, /vitscope|root:/, path);
  }
});

test('outlives bad requests', async () => {
  for (const range of ['bytes=9-2', 'bytes=-', 'bytes=0-0', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=9']) {
    const { status, body } = await get('/pkg/package.json', { headers: { range } });
    assert.equal(status, 200, range);
    assert.equal(JSON.parse(body).name, 'vitscope');
  }
  assert.equal((await get('/pkg/package.json', { method: 'POST' })).status, 405);
  assert.equal((await get('/pkg/package.json')).status, 200);
});

test('takes the next free port, but not instead of the one asked for', async () => {
  const other = createServer();
  const port = await new Promise((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve(/** @type {import('node:net').AddressInfo} */ (other.address()).port));
  });
  try {
    await assert.rejects(serve({ port }), /is taken/);
    const next = await serve({ port, orNext: true });
    assert.ok(next.port > port);
    await next.close();
  } finally {
    other.close();
  }
});

/** A server whose builds of the engine are made in `folder`, one whenever `finish` is called. */
async function buildingServer() {
  const folder = mkdtempSync(join(tmpdir(), 'vitscope-'));
  /** @type {string[]} */
  const begun = [];
  /** @type {((error?: Error) => void)[]} */
  const finish = [];
  /** @param {string} name */
  function put(name) {
    writeFileSync(join(folder, `${name}.wasm`), '');
  }
  const builds = new Builds(folder, (name) => {
    begun.push(name);
    return new Promise((resolve, reject) => finish.push((error) => (error ? reject(error) : resolve(put(name)))));
  });
  const building = await serve({ builds });
  const close = () => (rmSync(folder, { recursive: true }), building.close());
  return { port: building.port, begun, finish, put, close };
}

test('a build that is asked for is made, once, one after the other, and answered when it is there', async () => {
  const { port, begun, finish, close } = await buildingServer();
  /** @type {string[]} */
  const answered = [];
  const ask = (/** @type {string} */ name) => get(`/pkg/dist/vitscope/${name}.wasm`, { port, method: 'HEAD' }).then(({ status }) => (answered.push(name), status));
  const [first, again, second] = ['simd128', 'simd128', 'relaxed'].map(ask);
  while (!begun.length) await sleep(5);
  await sleep(50);
  assert.deepEqual([begun, answered], [['simd128'], []], 'they wait');
  finish[0]();
  await Promise.all([first, again]);
  while (begun.length < 2) await sleep(5);
  assert.deepEqual([begun, answered], [['simd128', 'relaxed'], ['simd128', 'simd128']]);
  finish[1](new Error('it does not compile'));
  assert.equal(await second, 500);
  const third = ask('relaxed');
  while (begun.length < 3) await sleep(5);
  finish[2]();
  assert.notEqual(await third, 500, 'it is tried anew');
  await ask('simd128');
  for (const name of ['scalar', '..', '%2e%2e']) assert.equal(await ask(name), 404);
  assert.equal(begun.length, 3, 'what is there, and what there is none of, is not built');
  await close();
});

test('the page waits for the build that its browser needs, and asks which that is as long as some are missing', async () => {
  const { port, begun, put, close } = await buildingServer();
  const page = async (/** @type {string} */ cookie = '') => {
    const { body } = await get('/www/', { port, headers: { cookie } });
    if (/<title>vitscope is being built/.test(body)) return 'waits';
    return /src="\.\/main\.js"/.test(body) && (/chooseBackend/.test(body) ? 'asks' : 'opens');
  };
  assert.equal(await page(), 'asks');
  assert.equal(await page('a=1; vitscope-build=relaxed-threads; b=2'), 'waits');
  put('relaxed-threads');
  assert.equal(await page('a=1; vitscope-build=relaxed-threads; b=2'), 'asks');
  assert.equal(await page('vitscope-build=simd128'), 'waits');
  assert.equal(await page('vitscope-build=simd256'), 'asks');
  for (const name of ['relaxed', 'simd128', 'simd128-threads']) put(name);
  assert.equal(await page('vitscope-build=simd128'), 'opens');
  assert.deepEqual(begun, []);
  await close();
});
