/** A file of weights on the web, by ranges or as a whole: which bytes are asked for, what breaks and goes on, what is refused. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { WebFile } from '../../pkg/lib/files/web.js';
import { merged } from '../../pkg/lib/files/ranges.js';
import { Sha256 } from '../../pkg/lib/files/sha256.js';
import { Hub } from './hub.mjs';

/** Tensors of so many bytes, as a safetensors file. @param {Record<string, number>} sizes */
function weights(sizes) {
  let at = 0;
  const header = JSON.stringify(Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, { dtype: 'U8', shape: [size], data_offsets: [at, (at += size)] }])));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const begin = 8 + header.length;
  return { bytes: Buffer.concat([length, Buffer.from(header), randomBytes(at)]), begin };
}

const FILE = weights({ text: 300_000, first: 100_000, second: 90_000, gap: 500, third: 110_000, end: 50_000 });
const at = (/** @type {number} */ begin, /** @type {number} */ end) => ({ begin: FILE.begin + begin, end: FILE.begin + end });
const WANTED = [at(300_000, 400_000), at(400_000, 490_000), at(490_500, 600_500)];
const ALL = [at(0, 300_000), ...WANTED, at(600_500, 650_500)];
const SUM = createHash('sha256').update(FILE.bytes).digest('hex');

const hub = new Hub({ 'org/name': { files: { 'model.safetensors': FILE.bytes } } });
before(() => hub.start());
beforeEach(() => hub.reset());
after(() => hub.close());

const pinned = () => `${hub.url}org/name/resolve/${hub.commit('org/name')}/model.safetensors`;
const plain = () => `${hub.url}folders/org/name/model.safetensors`;

/**
 * What the engine would be given.
 * @param {WebFile} file
 * @param {{begin: number, end: number}[]} ranges
 * @param {AbortSignal} [signal]
 */
async function read(file, ranges, signal) {
  let arrived = 0;
  const reading = { signal, onBytes: (/** @type {number} */ n) => void (arrived += n) };
  const header = await file.header(reading);
  assert.deepEqual(Buffer.from(header.bytes), FILE.bytes.subarray(0, FILE.begin));
  /** @type {number[]} */
  const order = [];
  await file.read(ranges, async (index, bytes) => {
    order.push(index);
    const { begin, end } = ranges[index];
    assert.ok(Buffer.from(bytes).equals(FILE.bytes.subarray(begin, end)), `range ${index}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }, reading);
  assert.deepEqual(order, ranges.map((_, i) => i));
  assert.equal(arrived, ranges.reduce((sum, { begin, end }) => sum + end - begin, 0), 'progress counts what is wanted');
  return header;
}

const asked = (/** @type {RegExp} */ path) => hub.log.filter((one) => path.test(one.path) && one.status < 300).map(({ range }) => range);
const refuses = (/** @type {string} */ code, /** @type {RegExp} */ message) => (/** @type {any} */ error) => {
  assert.equal(error.code, code, error.stack);
  assert.match(error.message, message);
  return true;
};

test('only what is wanted is asked for, in few requests', async () => {
  const { size } = await read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), WANTED);
  assert.equal(size, FILE.bytes.length);
  // The gap of 500 bytes costs less than another request, the text tower does not come.
  assert.deepEqual(asked(/safetensors/), ['bytes=0-7', `bytes=8-${FILE.begin - 1}`, `bytes=${WANTED[0].begin}-${WANTED[2].end - 1}`]);
  assert.equal(hub.log.filter(({ origin }) => origin === 'hub').length, 1, 'the address that it led to is used again');
  assert.ok(hub.log.every(({ method }) => method === 'GET'));
  const far = [at(0, 1000), at(300_000, 301_000)];
  assert.deepEqual(merged(far, 1000), far);
  assert.deepEqual(merged([...far, at(301_000, 302_000)], 0), [far[0], at(300_000, 302_000)]);
});

for (const [what, quirks] of /** @type {[string, Partial<import('./hub.mjs').Quirks>][]} */ ([
  ['without ranges', { ranges: false }],
  ['without ranges, compressed', { ranges: false, gzip: true }],
  ['without lengths', { lengths: false }],
  ['without ranges or lengths', { ranges: false, lengths: false }],
  ['without a validator', { validator: 'none' }],
  ['with a date alone', { validator: 'modified' }],
  ['that breaks once', { breakAt: once(200_000) }],
  ['that breaks within the header', { breakAt: once(50) }],
  ['without ranges that breaks once', { ranges: false, breakAt: once(450_000) }],
])) {
  test(`a server ${what}`, async () => {
    for (const address of [pinned(), plain()]) {
      for (const ranges of [WANTED, ALL, [at(0, 0), at(600_500, 650_500)], []]) {
        hub.reset();
        Object.assign(hub.quirks, quirks);
        await read(new WebFile('model.safetensors', {}, address, { pinned: address === pinned(), sha256: SUM }), ranges);
        hub.reset();
        Object.assign(hub.quirks, quirks);
        await read(new WebFile('model.safetensors', {}, address, { pinned: address === pinned(), sha256: SUM, alone: true, onward: Promise.resolve(true) }), ranges);
      }
    }
  });
}

/** @param {number} place where it breaks the first time */
function once(place) {
  /** @type {unknown} */
  let broken;
  return (/** @type {string} */ _, /** @type {number} */ begin, /** @type {number} */ end) => {
    if (broken === hub.log || place < begin || place >= end) return undefined;
    broken = hub.log;
    return place;
  };
}

test('a file that nothing waits beside is asked for to its end, as far as its parts follow each other', async () => {
  const near = { pinned: true, alone: true, onward: Promise.resolve(true) };
  await read(new WebFile('model.safetensors', {}, pinned(), { ...near }), ALL);
  assert.deepEqual(asked(/safetensors/), ['bytes=0-7', 'bytes=8-']);
  hub.reset();
  await read(new WebFile('model.safetensors', {}, pinned(), { ...near }), WANTED);
  assert.deepEqual(asked(/safetensors/), ['bytes=0-7', 'bytes=8-', `bytes=${WANTED[0].begin}-${WANTED[2].end - 1}`], 'what lies far is asked for anew');
});

test('a server that answers with all of it is read on, not asked again', async () => {
  hub.quirks.ranges = false;
  await read(new WebFile('model.safetensors', {}, plain(), { alone: true }), WANTED);
  assert.equal(hub.log.length, 1);
  // Of several files there may be more than a browser has connections for.
  const files = Array.from({ length: 3 }, () => new WebFile('model.safetensors', {}, plain(), {}));
  for (const file of files) await file.header({ onBytes: () => {} });
  while (hub.open) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const file of files) await read(file, WANTED);
});

test('a connection that breaks at every tenth is taken up again where it broke', async () => {
  const tenth = FILE.bytes.length / 10;
  for (const address of [pinned(), plain()]) {
    for (const ranges of [true, false]) {
      hub.reset();
      let next = 1;
      hub.quirks.ranges = ranges;
      hub.quirks.breakAt = (_, begin, end) => {
        const place = Math.floor(next * tenth);
        if (place < begin) next = Math.ceil(begin / tenth);
        if (Math.floor(next * tenth) >= end) return undefined;
        return Math.floor(next++ * tenth);
      };
      await read(new WebFile('model.safetensors', {}, address, { pinned: address === pinned(), sha256: SUM }), ALL);
      assert.ok(hub.log.length >= 10, `${hub.log.length} requests`);
      if (ranges) assert.ok(hub.sent(/safetensors/) < FILE.bytes.length + 20, 'nothing comes twice');
      assert.ok(hub.log.every(({ headers }) => !headers['if-range']));
    }
  }
});

test('a connection that always breaks at the same place is given up with one sentence', async () => {
  hub.quirks.breakAt = (_, begin) => (begin <= 400_000 ? 400_000 : undefined);
  await assert.rejects(read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), ALL), refuses('network', /model\.safetensors broke off after 400000 of \d+ bytes/));
  assert.equal(hub.log.filter(({ range }) => range?.startsWith('bytes=400000-')).length, 4);
  hub.quirks.breakAt = () => 0;
  await assert.rejects(read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), ALL), refuses('network', /model\.safetensors broke off after 0 of \d+ bytes/), 'also after an answer without a byte');
});

test('a busy server is asked again when it says', async () => {
  hub.quirks.refuse = [[/resolve/, 429, { 'retry-after': '1' }], [/resolve/, 503], [/^\/org\/name\/model/, 502]];
  const start = performance.now();
  await read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), WANTED);
  assert.ok(performance.now() - start > 1000);
  hub.reset();
  hub.quirks.refuse = [[/resolve/, 429, { 'retry-after': '3600' }]];
  await assert.rejects(read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), WANTED), refuses('network', /429/));
  assert.equal(hub.log.length, 1, 'nobody waits for an hour');
  hub.reset();
  hub.quirks.refuse = Array.from({ length: 20 }, () => [/resolve/, 500]);
  await assert.rejects(read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), WANTED), refuses('network', /500/));
  assert.equal(hub.log.length, 5);
});

test('a signed address that has run out is asked for anew', async () => {
  hub.quirks.uses = 1;
  await read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), [at(0, 1000), at(600_500, 601_000)]);
  assert.equal(hub.log.filter(({ origin }) => origin === 'hub').length, 4);
  assert.equal(hub.log.filter(({ status }) => status === 403).length, 3);
});

test('parts of two versions never mix', async () => {
  const other = Buffer.from(FILE.bytes);
  other[other.length - 1] ^= 1;
  const files = hub.repositories['org/name'].files;
  for (const validator of /** @type {const} */ (['etag', 'modified', 'none'])) {
    for (const ranges of [true, false]) {
      hub.reset();
      Object.assign(hub.quirks, { ranges, validator });
      hub.quirks.breakAt = (_, begin) => {
        if (begin > 200_000 && ranges) return undefined;
        files['model.safetensors'] = other; // from the next request on
        return hub.log.length < 6 ? 200_000 : undefined;
      };
      files['model.safetensors'] = FILE.bytes;
      await assert.rejects(read(new WebFile('model.safetensors', {}, plain(), {}), ALL), refuses('network', /another file when its first bytes were read|broke off after/));
    }
  }
  files['model.safetensors'] = FILE.bytes;
});

test('where nothing tells one version from another, tensors are those of the answer that has the header', async () => {
  const files = hub.repositories['org/name'].files;
  hub.quirks.validator = 'none';
  const reading = { onBytes() {} };
  /** What is read when after the header another file lies there. @param {Buffer} other */
  const read = async (other) => {
    const parts = /** @type {Buffer[]} */ ([]);
    const file = new WebFile('model.safetensors', {}, plain(), {});
    await file.header(reading);
    files['model.safetensors'] = other;
    await file.read(WANTED, (_, bytes) => void parts.push(Buffer.from(bytes)), reading).finally(() => (files['model.safetensors'] = FILE.bytes));
    return parts;
  };
  const { bytes } = FILE;
  const data = Buffer.concat([bytes.subarray(0, FILE.begin), randomBytes(bytes.length - FILE.begin)]);
  const header = Buffer.from(bytes.toString('latin1').replace('"first"', '"First"'), 'latin1');
  for (const ranges of [true, false]) {
    hub.quirks.ranges = ranges;
    assert.deepEqual(await read(data), WANTED.map(({ begin, end }) => data.subarray(begin, end)));
    for (const other of [header, bytes.subarray(0, FILE.begin - 3), Buffer.concat([bytes, Buffer.of(0)])]) await assert.rejects(read(other), refuses('network', /was another file when its first bytes were read/), `${other.length} bytes`);
  }
});

test('a flipped byte is found where the whole file was read and its sum is known', async () => {
  const flipped = (/** @type {any} */ error) => refuses('integrity', new RegExp(`model\\.safetensors is not what it should be: its SHA-256 is [0-9a-f]{64}, not ${SUM}`))(error);
  const drain = async (/** @type {WebFile} */ file, /** @type {any[]} */ ranges) => {
    const reading = { onBytes: () => {} };
    await file.header(reading);
    await file.read(ranges, () => {}, reading);
  };
  for (const ranges of [true, false]) {
    hub.reset();
    Object.assign(hub.quirks, { flip: FILE.begin + 640_000, ranges });
    await assert.rejects(drain(new WebFile('model.safetensors', {}, pinned(), { pinned: true, sha256: SUM }), ALL), flipped);
    // Of a part there is no sum, unless the caller wants it.
    await drain(new WebFile('model.safetensors', {}, pinned(), { pinned: true, sha256: SUM }), [at(0, 1000)]);
    await assert.rejects(drain(new WebFile('model.safetensors', {}, pinned(), { pinned: true, sha256: SUM, must: true }), [at(0, 1000)]), flipped);
  }
});

test('what is no file of weights is told by its first bytes, which the engine gets', async () => {
  const header = (/** @type {any} */ known = {}) => new WebFile('model.safetensors', {}, plain(), known).header({ onBytes: () => {} });
  hub.quirks.html = /safetensors/;
  await assert.rejects(header(), refuses('network', /HTML page instead of the file/));
  hub.quirks.html = undefined;
  const files = hub.repositories['org/name'].files;
  for (const ranges of [true, false]) {
    hub.quirks.ranges = ranges;
    for (const [bytes, given] of /** @type {[Buffer, number][]} */ ([[Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 8], [Buffer.from('short'), 5], [FILE.bytes.subarray(0, 100), 100]])) {
      files['model.safetensors'] = bytes;
      const found = await header();
      assert.deepEqual(Buffer.from(found.bytes), bytes.subarray(0, given));
      assert.equal(found.size, bytes.length);
    }
    files['model.safetensors'] = Buffer.from('<!DOCTYPE html><title>App</title>');
    await assert.rejects(header(), refuses('network', /HTML page/));
    files['model.safetensors'] = FILE.bytes.subarray(0, FILE.bytes.length - 10);
    await assert.rejects(read(new WebFile('model.safetensors', {}, plain(), {}), ALL), refuses('network', /broke off/));
  }
  files['model.safetensors'] = FILE.bytes;
  await assert.rejects(new WebFile('x', {}, `${plain()}x`, {}).header({ onBytes: () => {} }), refuses('network', /404/));
  await assert.rejects(header({ pinned: true, size: 5 }), refuses('network', /another file/));
});

test('aborting ends a read, a wait and a download', async () => {
  const reason = new Error('enough');
  for (const quirk of [{ breakAt: () => 200_000 }, { refuse: [[/resolve/, 429, { 'retry-after': '20' }]] }]) {
    hub.reset();
    Object.assign(hub.quirks, quirk);
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 100);
    await assert.rejects(read(new WebFile('model.safetensors', {}, pinned(), { pinned: true }), ALL, abort.signal), (error) => error === reason);
  }
});

test('SHA-256 of any length, in any pieces', () => {
  for (let length = 0; length < 200; length++) {
    const bytes = randomBytes(length);
    const cut = Math.floor(length / 3);
    assert.equal(new Sha256().update(bytes.subarray(0, cut)).update(bytes.subarray(cut)).digest(), createHash('sha256').update(bytes).digest('hex'));
  }
});
