/** Downloads over real HTTP: whole, truncated, compressed, missing, aborted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Engine } from '../../pkg/dist/engine.node.js';
import { readSmall } from '../../pkg/lib/files/site.js';
import { checkAccess } from '../../pkg/lib/source/access.js';
import { readSource } from '../../pkg/lib/source/source.js';
import { newWalker } from './walker.mjs';

const BODY = Buffer.alloc(300_000, 'vitscope ');
const walker = newWalker();
/** @param {string} path */
const read = (path) => readSource({ folder: `${origin}/${path}`, access: checkAccess({}) }, { signal: new AbortController().signal, onProgress() {}, leader: walker });
/** @param {{weights: import('../../pkg/lib/source/source.js').Opened[]}} parts */
const names = ({ weights }) => weights.map(({ file }) => file.name);
/** Of files that are too short for a header: all there is. @param {{weights: import('../../pkg/lib/source/source.js').Opened[]}} parts */
const texts = ({ weights }) => weights.map(({ header }) => new TextDecoder().decode(header.bytes));

const OPEN_CLIP = '{"model_cfg": {"vision_cfg": {}}}';
const PAGE = '<!doctype html><title>App</title>';

/** A model whose header has a tensor of 5 GB too many. */
const VIT = (() => {
  const file = (/** @type {string} */ name) => readFileSync(new URL(`../fixtures/hf_vit/${name}`, import.meta.url));
  const weights = file('model.safetensors');
  const length = Number(weights.readBigUInt64LE());
  const header = JSON.parse(weights.toString('utf8', 8, 8 + length));
  const end = weights.length - 8 - length;
  header['extra.weight'] = { dtype: 'U8', shape: [5, 1e9], data_offsets: [end, end + 5e9] };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return { config: file('config.json').toString(), tensors: end, weights, header: Buffer.concat([prefix, text]) };
})();

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
  '/cut-off/config.json': (response) => response.writeHead(200).end(VIT.config),
  '/cut-off/pytorch_model.bin': (response) => response.writeHead(200).end(BODY),
  '/cut-off/model.safetensors': (response) => {
    response.writeHead(200, { 'content-length': VIT.weights.length });
    response.write(VIT.weights.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 20));
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
  '/large/config.json': (response) => response.writeHead(200).end(VIT.config),
  '/large/model.safetensors': (response) => stream(response, 5e9 + VIT.tensors, VIT.header),
  '/enormous/config.json': (response) => response.writeHead(200).end(JSON.stringify({ ...JSON.parse(VIT.config), num_hidden_layers: 1e5, hidden_size: 65536, num_attention_heads: 16, intermediate_size: 131071 })),
  '/enormous/model.safetensors': (response) => stream(response, 5e9 + VIT.tensors, VIT.header),
  '/laion/open_clip_config.json': (response) => response.writeHead(200).end(OPEN_CLIP),
  '/laion/open_clip_model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/half/open_clip_config.json': (response) => response.writeHead(200).end(OPEN_CLIP),
  '/swin/config.json': (response) => response.writeHead(200).end('{"model_type": "levit"}'),
  '/swin/model.safetensors': (response) => stream(response, 3e9),
  '/swin/open_clip_config.json': (response) => response.writeHead(200).end(OPEN_CLIP),
  '/swin/open_clip_model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/swin-alone/config.json': (response) => response.writeHead(200).end('{"model_type": "levit"}'),
  '/swin-beside/config.json': (response) => response.writeHead(200).end('{"model_type": "levit"}'),
  '/swin-beside/open_clip_config.json': (response) => response.writeHead(200).end(OPEN_CLIP),
  '/swin-beside/open_clip_model.safetensors': (response) => response.writeHead(200).end(BODY),
  '/secret/config.json?key=1': (response) => response.writeHead(200).end('{}'),
  '/secret/model.safetensors?key=1': (response) => response.writeHead(200).end(BODY),
};

/** Bytes of answers that would go on for gigabytes, and how many of these have ended. */
const sent = { bytes: 0, ended: 0 };

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} length
 * @param {Buffer} [first]
 */
function stream(response, length, first = Buffer.alloc(0)) {
  response.on('close', () => void sent.ended++);
  response.writeHead(200, { 'content-length': first.length + length });
  response.write(first);
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
  test(`${path} arrives as it was sent`, async () => {
    const bytes = await readSmall({}, origin + path);
    assert.deepEqual(bytes && Buffer.from(bytes), BODY);
  });
}

test('a download that always breaks off is an error', async () => {
  await assert.rejects(readSmall({}, `${origin}/cut`), network(/\/cut broke off/));
});

test('a status other than success names the URL and the status', async () => {
  await assert.rejects(readSmall({}, `${origin}/refused`), network(/\/refused answered with HTTP status 403/));
  await assert.rejects(readSmall({}, `${origin}/absent`), network(/404/));
  assert.equal(await readSmall({}, `${origin}/absent`, { optional: true }), undefined);
  await assert.rejects(readSmall({}, `${origin}/refused`, { optional: true }), network(/403/));
});

test('403 is how a bucket says missing, of optional files and where config.json came', async (t) => {
  const { mock } = t.mock.method(console, 'warn', () => {});
  const said = () => mock.calls.map((call) => String(call.arguments[0]));
  for (let i = 0; i < 2; i++) {
    const { texts: [config, preprocessor], weights, textEmbeddings } = await read('bucket/');
    assert.equal(config, '{"model_type": "clip"}');
    assert.equal(preprocessor, undefined);
    assert.deepEqual(Buffer.from(weights[0].header.bytes), BODY.subarray(0, 8));
    assert.equal(await textEmbeddings(true), undefined);
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
    await assert.rejects(walker.files(JSON.stringify({ weight_map: { a: 'own', b: name } }), '{}'), (/** @type {any} */ error) => error.code === 'invalid-weights' && /same folder/.test(error.message), String(name));
  }
  const odd = await read('odd/?key=1');
  assert.deepEqual(names(odd), ['a#b?c.safetensors', 'ä 1%.safetensors']);
  assert.deepEqual(texts(odd), ['first', 'second']);
});

test('a server that is not there', async () => {
  await assert.rejects(readSmall({}, 'http://127.0.0.1:1/config.json'), network(/127\.0\.0\.1:1\/config\.json could not be fetched/));
});

test('aborting rejects with the reason', async () => {
  const abort = new AbortController();
  const load = readSmall({}, `${origin}/slow`, { signal: abort.signal });
  setTimeout(() => abort.abort(new Error('enough')), 50);
  await assert.rejects(load, /^Error: enough$/);
});

test('an index page in place of a file', async () => {
  const { texts: [config, preprocessor], weights } = await read('app/');
  assert.equal(preprocessor, undefined);
  assert.equal(config, '{"a": 1}');
  assert.deepEqual(Buffer.from(weights[0].header.bytes), BODY.subarray(0, 8));
  await assert.rejects(read('nothing/'), network(/nothing\/config\.json answered with an HTML page/));
});

test('what transformers 5 saves beside a model is read too', async () => {
  const { texts: [, preprocessor, processor] } = await read('five/');
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
  await assert.rejects(Engine.load(`${origin}/cut-off/`), network(/cut-off\/model\.safetensors broke off after 50000 of 136928 bytes/));
  await assert.rejects(read('absent/'), network(/absent\/(config\.json|model\.safetensors).*404/));
  await assert.rejects(read('nothing/'), network(/HTML page/));
});

test('an index as Python writes it', async () => {
  const index = '{"metadata": {"total_size": NaN, "note": "NaN \\" Infinity", "loss": -Infinity}, "weight_map": {"a": "NaN.safetensors", "b": "x.safetensors"}}';
  assert.deepEqual(await walker.files(index, '{}'), ['NaN.safetensors', 'x.safetensors']);
});

test("a folder's query goes to each of its files", async () => {
  const { texts: [config, preprocessor] } = await read('secret/?key=1');
  assert.equal(config, '{}');
  assert.equal(preprocessor, undefined);
  await assert.rejects(read('secret/'), network(/404/));
});

test('of an index the files with nothing but text are not asked for', async () => {
  const llava = await read('llava/');
  assert.deepEqual([names(llava), texts(llava)], [['a.safetensors'], ['first']]);
  const index = (/** @type {object} */ map) => walker.files(JSON.stringify({ weight_map: map }), '{"model_type": "llava", "vision_config": {}}');
  assert.deepEqual(await index({ 'lm_head.weight': 'c', 'model.language_model.x': 'b', 'model.vision_tower.x': 'a' }), ['a']);
});

test('what its header shows to be unfit is not downloaded', async () => {
  for (const [folder, code, message] of /** @type {[string, string, RegExp][]} */ ([['large/', 'unexpected-tensor', /extra\.weight/], ['enormous/', 'out-of-memory', /the model/]])) {
    Object.assign(sent, { bytes: 0, ended: 0 });
    await assert.rejects(Engine.load(`${origin}/${folder}`), (/** @type {any} */ error) => error.code === code && message.test(error.message));
    while (sent.ended < 1) await new Promise((resolve) => setTimeout(resolve, 10)); // the connection closes
    assert.ok(sent.bytes < 50e6, `${sent.bytes} bytes were sent`); // what fits into the buffers between
  }
});

test("open_clip's files, where the usual ones are missing", async () => {
  const laion = await read('laion/');
  assert.deepEqual([laion.texts[0], names(laion), Buffer.from(laion.weights[0].header.bytes)], [OPEN_CLIP, ['open_clip_model.safetensors'], BODY.subarray(0, 8)]);
  await assert.rejects(read('half/'), (/** @type {any} */ error) => error.code === 'invalid-weights' && /without open_clip_model\.safetensors/.test(error.message));
});

test('a config that is refused ends the download of what belongs to it', async () => {
  const swin = (/** @type {any} */ error) => error.code === 'unsupported-architecture' && /`levit`/.test(error.message);
  Object.assign(sent, { bytes: 0, ended: 0 });
  await assert.rejects(read('swin/'), swin);
  while (sent.ended < 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(sent.bytes < 50e6, `${sent.bytes} bytes were sent`);
  await assert.rejects(read('swin-alone/'), swin);
  // It is not the one of open_clip's weights, where these are all there is.
  assert.deepEqual(names(await read('swin-beside/')), ['open_clip_model.safetensors']);
});
