import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { after, before, test } from 'node:test';
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
    request({ host: '127.0.0.1', port: server.port, path, ...options }, (response) => {
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
  const again = await get('/pkg/package.json', { headers: { 'if-none-match': headers.etag } });
  assert.equal(again.status, 304);
  assert.equal(again.headers['cross-origin-embedder-policy'], 'require-corp');
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
  for (const range of ['bytes=9-2', 'bytes=99999999-', 'bytes=-5', 'lines=1-2']) {
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
