/** Downloads over real HTTP: whole, truncated, compressed, missing, aborted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { VitscopeError } from '../../pkg/lib/common/errors.js';
import { download } from '../../pkg/lib/source/download.js';
import { shardNames } from '../../pkg/lib/source/shards.js';
import { readSource } from '../../pkg/lib/source/source.js';

const BODY = Buffer.alloc(300_000, 'vitscope ');
/** @param {string} path */
const read = (path) => readSource({ folder: `${origin}/${path}` });

const PAGE = '<!doctype html><title>App</title>';

/** @type {Record<string, (response: import('node:http').ServerResponse) => void>} */
const ANSWERS = {
  '/whole': (response) => response.writeHead(200, { 'content-length': BODY.length }).end(BODY),
  '/chunked': (response) => response.writeHead(200).end(BODY),
  '/gzip': (response) => {
    const packed = gzipSync(BODY);
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(packed);
  },
  '/cut': (response) => {
    response.writeHead(200, { 'content-length': BODY.length });
    response.write(BODY.subarray(0, 1000), () => setTimeout(() => response.destroy(), 20));
  },
  '/slow': (response) => {
    response.writeHead(200, { 'content-length': BODY.length });
    response.write(BODY.subarray(0, 1000));
  },
  '/refused': (response) => response.writeHead(403).end(),
  '/moved': (response) => response.writeHead(302, { location: '/whole' }).end(),
  '/page': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE),
  // A folder behind a single-page server: whatever is missing is the index page.
  '/app/config.json': (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"a": 1}'),
  '/app/model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/app/preprocessor_config.json': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE),
  '/five/config.json': (response) => response.writeHead(200).end('{}'),
  '/five/model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/five/processor_config.json': (response) => response.writeHead(200).end('{"image_processor": {}}'),
  '/nothing/model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/nothing/config.json': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE),
  '/pickle/config.json': (response) => response.writeHead(200).end('{}'),
  '/pickle/pytorch_model.bin': (response) => response.writeHead(200, { 'content-length': 1e9 }).write(BODY),
  '/adapter/adapter_config.json': (response) => response.writeHead(200).end('{}'),
  '/cut-off/config.json': (response) => response.writeHead(200).end('{}'),
  '/cut-off/pytorch_model.bin': (response) => response.writeHead(200).end(BODY),
  '/cut-off/model.safetensors': (response) => {
    response.writeHead(200, { 'content-length': BODY.length });
    response.write(BODY.subarray(0, 1000), () => setTimeout(() => response.destroy(), 20));
  },
  '/bucket/config.json': (response) => response.writeHead(200).end('{"model_type": "clip"}'),
  '/bucket/model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/bare/config.json': (response) => response.writeHead(200).end('{}'),
  '/odd/config.json?key=1': (response) => response.writeHead(200).end('{}'),
  '/odd/model.safetensors.index.json?key=1': (response) => response.writeHead(200).end(JSON.stringify({ weight_map: { x: 'ä 1%.safetensors', y: 'a#b?c.safetensors' } })),
  '/odd/a%23b%3Fc.safetensors?key=1': (response) => response.writeHead(200).end('first'),
  '/odd/%C3%A4%201%25.safetensors?key=1': (response) => response.writeHead(200).end('second'),
  '/llava/config.json': (response) => response.writeHead(200).end('{"model_type": "llava", "vision_config": {}}'),
  '/llava/model.safetensors.index.json': (response) => response.writeHead(200).end(JSON.stringify({ weight_map: { 'vision_tower.x': 'a.safetensors', 'language_model.x': 'b.safetensors' } })),
  '/llava/a.safetensors': (response) => response.writeHead(200).end('first'),
  '/large/config.json': (response) => response.writeHead(200).end('{}'),
  '/large/model.safetensors': (response) => stream(response, 5e9),
  '/sum/config.json': (response) => response.writeHead(200).end('{}'),
  '/sum/model.safetensors.index.json': (response) => response.writeHead(200).end(JSON.stringify({ weight_map: { x: 'a.safetensors', y: 'b.safetensors' } })),
  '/sum/a.safetensors': (response) => stream(response, 3e9),
  '/sum/b.safetensors': (response) => stream(response, 3e9),
  '/laion/open_clip_config.json': (response) => response.writeHead(200).end('{"model_cfg": {}}'),
  '/laion/open_clip_model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/half/open_clip_config.json': (response) => response.writeHead(200).end('{"model_cfg": {}}'),
  '/swin/config.json': (response) => response.writeHead(200).end('{"model_type": "swin"}'),
  '/swin/model.safetensors': (response) => stream(response, 3e9),
  '/swin/open_clip_config.json': (response) => response.writeHead(200).end('{"model_cfg": {}}'),
  '/swin/open_clip_model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/swin-alone/config.json': (response) => response.writeHead(200).end('{"model_type": "swin"}'),
  '/swin-beside/config.json': (response) => response.writeHead(200).end('{"model_type": "swin"}'),
  '/swin-beside/open_clip_config.json': (response) => response.writeHead(200).end('{"model_cfg": {}}'),
  '/swin-beside/open_clip_model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/secret/config.json?key=1': (response) => response.writeHead(200).end('{}'),
  '/secret/model.safetensors?key=1': (response) => response.writeHead(200).end(BODY),
};

/** Bytes of answers that would go on for gigabytes, and how many of these have ended. */
const sent = { bytes: 0, ended: 0 };

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} length
 */
function stream(response, length) {
  response.on('close', () => void sent.ended++);
  response.writeHead(200, { 'content-length': length });
  const more = () => {
    sent.bytes += BODY.length;
    if (!response.closed && response.write(BODY)) setImmediate(more);
  };
  response.on('drain', more);
  more();
}

const server = createServer((request, response) => {
  const answer = ANSWERS[request.url ?? ''];
  if (answer) answer(response);
  else response.writeHead(/^\/(bucket|closed|bare)\//.test(request.url ?? '') ? 403 : 404).end();
});
let origin = '';
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const network = (/** @type {RegExp} */ message) => (/** @type {any} */ error) => {
  assert.equal(error.code, 'network', `${error.stack}`);
  assert.match(error.message, message);
  return true;
};

for (const path of ['/whole', '/chunked', '/gzip', '/moved']) {
  test(`${path} arrives as it was sent, with progress`, async () => {
    /** @type {[number, number][]} */
    const seen = [];
    const file = await download(origin + path, { onBytes: (loaded, total) => seen.push([loaded, total]) });
    assert.deepEqual(file && Buffer.from(file.bytes), BODY);
    assert.deepEqual(seen.at(-1), [BODY.length, path === '/whole' || path === '/moved' ? BODY.length : 0]);
    assert.ok(seen.every(([loaded], i) => i === 0 || loaded >= seen[i - 1][0]));
  });
}

test('a download that breaks off is an error that says where', async () => {
  await assert.rejects(download(`${origin}/cut`), network(/\/cut broke off after 1000 of 300000 bytes/));
});

test('a status other than success names the URL and the status', async () => {
  await assert.rejects(download(`${origin}/refused`), network(/\/refused answered with HTTP status 403/));
  await assert.rejects(download(`${origin}/absent`), network(/404/));
  assert.equal(await download(`${origin}/absent`, { optional: true }), undefined);
  await assert.rejects(download(`${origin}/refused`, { optional: true }), network(/403/));
});

test('403 is how a bucket says missing, of optional files and where config.json came', async (t) => {
  const { mock } = t.mock.method(console, 'warn', () => {});
  const said = () => mock.calls.map((call) => String(call.arguments[0]));
  for (let i = 0; i < 2; i++) {
    const { config, preprocessor, weights } = await read('bucket/');
    assert.equal(config, '{"model_type": "clip"}');
    assert.equal(preprocessor, undefined);
    assert.equal(weights[0].length, BODY.length);
  }
  for (const name of ['preprocessor_config.json', 'text_embeddings.safetensors']) {
    const about = said().filter((text) => text.includes(`${origin}/bucket/${name} answered with HTTP status 403`));
    assert.equal(about.length, 1, said().join('\n'));
  }
  const before = said().length;
  await assert.rejects(read('closed/'), network(/closed\/(config\.json|model\.safetensors) answered with HTTP status 403/));
  await assert.rejects(read('bare/'), network(/bare\/model\.safetensors answered with HTTP status 403/));
  assert.deepEqual(said().slice(before).filter((text) => text.includes('/closed/')), []);
});

/** As in tests/hostile.rs. */
const FOREIGN_NAMES = [
  '', '.', '..', '../secret', 'a/b', '/etc/passwd', '//host/file', '\\\\host\\file', '..\\secret', 'https://host/file', 'https:file', 'data:,x', 'blob:x', 'C:file', '%2e%2e%2fsecret', '..%2Fsecret', '%2E%2E', 'a%5cb',
];

test('a shard is a file of its own folder, whatever it is called', async () => {
  for (const name of [...FOREIGN_NAMES, 3, null]) {
    assert.throws(() => shardNames(JSON.stringify({ weight_map: { a: 'own', b: name } })), (/** @type {any} */ error) => error.code === 'invalid-weights' && /own folder/.test(error.message), String(name));
  }
  const { names, weights } = await read('odd/?key=1');
  assert.deepEqual(names, ['a#b?c.safetensors', 'ä 1%.safetensors']);
  assert.deepEqual(weights.map((bytes) => new TextDecoder().decode(bytes)), ['first', 'second']);
});

test('a server that is not there', async () => {
  await assert.rejects(download('http://127.0.0.1:1/config.json'), network(/127\.0\.0\.1:1\/config\.json could not be fetched/));
});

test('aborting rejects with the reason', async () => {
  const abort = new AbortController();
  const load = download(`${origin}/slow`, { signal: abort.signal, onBytes: (loaded) => void (loaded && abort.abort(new Error('enough'))) });
  await assert.rejects(load, /^Error: enough$/);
});

test('an index page in place of a file', async () => {
  const { preprocessor, config, weights } = await read('app/');
  assert.equal(preprocessor, undefined);
  assert.equal(config, '{"a": 1}');
  assert.equal(weights[0].length, BODY.length);
  await assert.rejects(read('nothing/'), network(/nothing\/config\.json answered with an HTML page/));
});

test('what transformers 5 saves beside a model is read too', async () => {
  const { processor, preprocessor } = await read('five/');
  assert.deepEqual([processor, preprocessor], ['{"image_processor": {}}', undefined]);
});

test('what a folder has in place of a model is named', async () => {
  const instead = (/** @type {RegExp} */ message) => (/** @type {any} */ error) => {
    assert.equal(error.code, 'invalid-weights', error.stack);
    assert.match(error.message, message);
    return true;
  };
  await assert.rejects(read('pickle/'), instead(/\/pickle\/ .*pytorch_model\.bin.*save_pretrained/));
  await assert.rejects(read('adapter/'), instead(/adapter_config\.json.*LoRA.*merge_and_unload/));
  // A file that is there but doesn't arrive is not missing, and neither is one that a page stands for.
  await assert.rejects(read('cut-off/'), network(/broke off/));
  await assert.rejects(read('absent/'), network(/absent\/(config\.json|model\.safetensors).*404/));
  await assert.rejects(read('nothing/'), network(/HTML page/));
});

test('an index as Python writes it', () => {
  const index = '{"metadata": {"total_size": NaN, "note": "NaN \\" Infinity", "loss": -Infinity}, "weight_map": {"a": "NaN.safetensors", "b": "x.safetensors"}}';
  assert.deepEqual(shardNames(index), ['NaN.safetensors', 'x.safetensors']);
});

test("a folder's query goes to each of its files", async () => {
  const { config, preprocessor } = await read('secret/?key=1');
  assert.equal(config, '{}');
  assert.equal(preprocessor, undefined);
  await assert.rejects(read('secret/'), network(/404/));
});

test('of an index the files with nothing but text are not asked for', async () => {
  const { names, weights } = await read('llava/');
  assert.deepEqual(names, ['a.safetensors']);
  assert.deepEqual(weights.map((bytes) => new TextDecoder().decode(bytes)), ['first']);
  const index = (/** @type {object} */ map) => shardNames(JSON.stringify({ weight_map: map }));
  assert.deepEqual(index({ 'lm_head.weight': 'c', 'model.language_model.x': 'b', 'model.multi_modal_projector.x': 'a' }), ['a']);
  assert.deepEqual(index({ 'text_model.x': 'a' }), ['a'], 'where there is nothing else the engine says so');
});

test('what can not be held is refused by its length, before it is read', async () => {
  for (const [folder, ends, message] of /** @type {[string, number, RegExp][]} */ ([['large/', 1, /large\/model\.safetensors has 5000000000 bytes.*vitscope quantize/], ['sum/', 2, /sum\/.* has 6000000000 bytes/]])) {
    Object.assign(sent, { bytes: 0, ended: 0 });
    await assert.rejects(read(folder), (/** @type {any} */ error) => error.code === 'out-of-memory' && message.test(error.message));
    while (sent.ended < ends) await new Promise((resolve) => setTimeout(resolve, 10)); // the connections close
    assert.ok(sent.bytes < 50e6, `${sent.bytes} bytes were sent`); // what fits into the buffers between
  }
  const large = Object.defineProperty(new Blob(['x']), 'size', { value: 5e9 });
  await assert.rejects(readSource({ config: '{}', weights: [large] }), (/** @type {any} */ error) => error.code === 'out-of-memory' && /5000000000/.test(error.message));
});

test("open_clip's files, where the usual ones are missing", async () => {
  const { config, names, weights } = await read('laion/');
  assert.deepEqual([config, names, weights[0].length], ['{"model_cfg": {}}', ['open_clip_model.safetensors'], BODY.length]);
  await assert.rejects(read('half/'), (/** @type {any} */ error) => error.code === 'invalid-weights' && /without open_clip_model\.safetensors/.test(error.message));
});

test('a config that is refused ends the download of what belongs to it', async () => {
  const check = async (/** @type {string} */ config) => {
    if (config.includes('swin')) throw new VitscopeError('unsupported-architecture', 'no swin');
  };
  const swin = { code: 'unsupported-architecture', message: 'no swin' };
  Object.assign(sent, { bytes: 0, ended: 0 });
  await assert.rejects(readSource({ folder: `${origin}/swin/` }, { check }), swin);
  while (sent.ended < 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(sent.bytes < 50e6, `${sent.bytes} bytes were sent`);
  await assert.rejects(readSource({ folder: `${origin}/swin-alone/` }, { check }), swin);
  // It is not the one of open_clip's weights, where these are all there is.
  assert.deepEqual((await readSource({ folder: `${origin}/swin-beside/` }, { check })).names, ['open_clip_model.safetensors']);
});
