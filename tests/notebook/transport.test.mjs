/** The widget's transport, against a kernel that loses, repeats and garbles: files come whole or with one sentence, and no faster than is let pass. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { sendAnswer } from '../../notebook/widget/answering.js';
import { PART, Pace } from '../../notebook/widget/pace.js';
import { Page } from '../../notebook/widget/pages.js';
import { Pull, Wire } from '../../notebook/widget/transport.js';

const QUICK = [150, 150, 150]; // ms of patience
const hash = (/** @type {Uint8Array} */ bytes) => createHash('sha256').update(bytes).digest('hex');
/** @param {number} size @param {number} [seed] */
const bytesOf = (size, seed = 1) => Uint8Array.from({ length: size }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255);

/**
 * A front-end model whose kernel has these files.
 * @param {Uint8Array[]} files
 * @param {(message: any, times: number) => 'lost' | 'twice' | 'broken' | 'gone' | undefined} [fate] of a message, and how often there was one like it before
 */
function modelOf(files, fate = () => undefined, rate = null) {
  const events = new EventEmitter();
  const blobs = new Map(files.map((bytes) => [hash(bytes), bytes]));
  /** @type {any[]} */
  const sent = [];
  const deliver = (/** @type {any} */ content, /** @type {Uint8Array[]} */ buffers = []) => setImmediate(() => events.emit('msg:custom', content, buffers.map((bytes) => {
    // As front ends do it: a view somewhere within a larger buffer.
    const whole = new Uint8Array(bytes.length + 8);
    whole.set(bytes, 8);
    return new DataView(whole.buffer, 8);
  })));
  const model = {
    events, sent, deliver, received: /** @type {Uint8Array[]} */ ([]), meta: /** @type {any} */ (undefined),
    get: () => rate,
    set() {},
    save_changes() {},
    on: (/** @type {string} */ event, /** @type {any} */ listener) => void events.on(event, listener),
    off: (/** @type {string} */ event, /** @type {any} */ listener) => void events.off(event, listener),
    send(/** @type {any} */ message, /** @type {unknown} */ _, /** @type {any} */ buffers = []) {
      const how = fate(message, sent.filter((other) => JSON.stringify(other) === JSON.stringify(message)).length);
      sent.push(message);
      const { kind, name, begin, id } = message;
      if (how === 'lost') return;
      for (let times = how === 'twice' ? 2 : 1; times > 0; times--) {
        if (kind === 'answer') {
          if (begin === 0) model.meta = message.meta;
          model.received[begin / PART] = buffers[0]?.slice();
          deliver({ kind: 'taken', id, begin });
        }
        const blob = blobs.get(name);
        if (kind !== 'get') continue;
        if (!blob || how === 'gone') deliver({ kind: 'gone', name, text: 'It was closed.' });
        else deliver({ kind: 'part', name, begin, size: blob.length }, [how === 'broken' ? bytesOf(Math.min(PART, blob.length - begin), 99) : blob.subarray(begin, begin + PART)]);
      }
    },
  };
  return model;
}

/** @param {ReturnType<typeof modelOf>} model */
const wireOf = (model, pace = new Pace()) => new Wire(model, pace, QUICK);
/** @param {Blob} blob */
const contents = async (blob) => new Uint8Array(await blob.arrayBuffer());

test('a file comes in parts of half a megabyte, each asked for when the last has come', async () => {
  const file = bytesOf(2 * PART + 7);
  const model = modelOf([file]);
  /** @type {number[]} */
  const progress = [];
  const wire = wireOf(model);
  const blob = await new Pull(hash(file), file.length).run(() => [wire], { onProgress: (loaded) => progress.push(loaded) });
  assert.deepEqual(await contents(blob), file);
  assert.deepEqual(progress, [PART, 2 * PART, file.length]);
  assert.deepEqual(model.sent.map(({ begin }) => begin), [0, PART, 2 * PART]);
});

test('what is lost is asked for again; what comes twice or late does no harm', async () => {
  const file = bytesOf(3 * PART);
  const model = modelOf([file], (message, times) => (times === 0 && message.begin === PART ? 'lost' : 'twice'));
  /** @type {boolean[]} */
  const late = [];
  const wire = wireOf(model);
  wire.listeners.add((/** @type {boolean} */ is) => late.push(is));
  const blob = await new Pull(hash(file), file.length).run(() => [wire]);
  assert.deepEqual(await contents(blob), file);
  assert.equal(model.sent.filter(({ begin }) => begin === PART).length, 2);
  assert.deepEqual([late.includes(true), late.at(-1)], [true, false], 'that the kernel is late is told, and that it is there again');
});

test('a kernel that says nothing is given up with a sentence, and a pull goes on from where it was', async () => {
  const file = bytesOf(2 * PART);
  let silent = true;
  const model = modelOf([file], ({ begin }) => (silent && begin === PART ? 'lost' : undefined));
  const wire = wireOf(model);
  const pull = new Pull(hash(file), file.length);
  await assert.rejects(pull.run(() => [wire]), (/** @type {any} */ error) => error.code === 'silent' && /kernel has not answered/.test(error.message));
  assert.equal(model.sent.filter(({ begin }) => begin === PART).length, QUICK.length);
  silent = false;
  assert.deepEqual(await contents(await pull.run(() => [wire])), file);
  assert.equal(model.sent.filter(({ begin }) => begin === 0).length, 1);
});

test('other bytes than were promised are refused, and asked for anew the next time', async () => {
  const file = bytesOf(PART + 3);
  let broken = true;
  const model = modelOf([file], () => (broken ? 'broken' : undefined));
  const wire = wireOf(model);
  const pull = new Pull(hash(file), file.length);
  await assert.rejects(pull.run(() => [wire]), /came damaged/);
  broken = false;
  assert.deepEqual(await contents(await pull.run(() => [wire])), file);
  await assert.rejects(new Pull(hash(file), PART).run(() => [wire]), /came damaged|of 500000 bytes/, 'nor more than was said');
});

test('what the kernel no longer has, and a widget that goes, end the wait at once', async () => {
  const file = bytesOf(10);
  const gone = wireOf(modelOf([file], () => 'gone'));
  await assert.rejects(new Pull(hash(file), 10).run(() => [gone]), /It was closed\./);
  const ended = wireOf(modelOf([file], () => 'lost'));
  const pulled = new Pull(hash(file), 10).run(() => [ended]);
  setImmediate(() => ended.close());
  await assert.rejects(pulled, /kernel that had this widget is gone/);
  await assert.rejects(new Pull(hash(file), 10).run(() => [ended]), /is gone/, 'nor is anything asked of it later');
  const pace = new Pace();
  const restarted = wireOf(modelOf([file]), pace);
  const inLine = pace.turn(0, () => new Promise((resolve) => setImmediate(resolve))).then(() => 'first');
  const second = new Pull(hash(file), 10).run(() => [restarted]);
  restarted.give('It was restarted.');
  assert.equal(await inLine, 'first');
  await assert.rejects(second, /It was restarted/, 'nor does who waits for a turn wait on');
  assert.equal((await new Pull(hash(file), 10).run(() => [restarted])).size, 10, 'who asks anew may have it');
});

test('many widgets want a file: it is sent once, and goes on through another when one goes', async () => {
  const file = bytesOf(4 * PART);
  const page = new Page();
  const first = modelOf([file], ({ begin }) => (begin >= 2 * PART ? 'lost' : undefined));
  const second = modelOf([file]);
  const [one, two] = [wireOf(first), wireOf(second)];
  const [a, b] = [page.hold(one), page.hold(two)];
  const wanted = { name: hash(file), size: file.length };
  const [, blob, same] = await Promise.allSettled([a.file(wanted), b.file(wanted), b.file(wanted)]);
  assert.ok(blob.status === 'fulfilled' && same.status === 'fulfilled');
  assert.deepEqual(await contents(blob.value), file);
  assert.equal(same.value, blob.value);
  assert.deepEqual(second.sent.map(({ begin }) => begin), [2 * PART, 3 * PART], 'what had come is not asked for again');
});

test('what nobody uses any more is freed after ten seconds, not when somebody comes meanwhile', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const page = new Page();
  const wire = new Wire(modelOf([]), new Pace());
  /** @type {string[]} */
  const freed = [];
  const make = (/** @type {import('../../notebook/widget/pages.js').Holder} */ holder) => holder.share('address', async () => 'blob:1', (made) => freed.push(made));
  const a = page.hold(wire);
  await make(a);
  a.leave();
  t.mock.timers.tick(9000);
  const b = page.hold(wire);
  await make(b);
  t.mock.timers.tick(20_000);
  assert.deepEqual([page.names, freed], [['address'], []]);
  b.leave();
  t.mock.timers.tick(10_000);
  await Promise.resolve();
  assert.deepEqual([page.names, freed], [[], ['blob:1']]);
  await assert.rejects(async () => make(b), /output was closed/);
});

test('of several files the most urgent is asked for first, one part at a time', async () => {
  const files = [1, 2, 3].map((seed) => bytesOf(2 * PART, seed));
  const model = modelOf(files);
  const holder = new Page().hold(new Wire(model, new Pace()));
  await Promise.all(files.map((file, i) => holder.file({ name: hash(file), size: file.length }, { rank: [2, 1, 0][i] })));
  const order = model.sent.map(({ name }) => files.findIndex((file) => hash(file) === name));
  assert.deepEqual(order, [0, 2, 2, 1, 1, 0]); // the first had begun before anybody else asked
});

test('no more is asked for than a server forwards in three seconds, whoever asks', async (t) => {
  t.mock.method(performance, 'now', () => now);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const pace = new Pace();
  for (let i = 0; i < 5; i++) {
    await pace.room(900_000);
    pace.count(PART);
    now += 100;
  }
  let may = false;
  pace.room(900_000).then(() => (may = true));
  const advance = async (/** @type {number} */ ms) => {
    now += ms;
    t.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await advance(2400);
  assert.equal(may, false, 'five parts have come within three seconds');
  await advance(102);
  assert.equal(may, true);
  await pace.room(null);
});

test('answers go in parts, each once it is known that the last was taken, with their sum', async () => {
  const bytes = bytesOf(2 * PART + 5);
  for (const given of [bytes, new Blob([bytes])]) {
    const model = modelOf([], ({ begin }, times) => (begin === PART && times === 0 ? 'lost' : 'twice'));
    await sendAnswer(wireOf(model), '7', { meta: { text: 'a map' }, bytes: given });
    assert.deepEqual(new Uint8Array(Buffer.concat(model.received)), bytes);
    assert.deepEqual(model.meta, { text: 'a map', sha256: hash(bytes) });
    assert.deepEqual(model.sent.map(({ begin, size }) => [begin, size]), [0, PART, PART, 2 * PART].map((begin) => [begin, bytes.length]));
  }
  const model = modelOf([]);
  await sendAnswer(wireOf(model), '8', { meta: { areas: [1] } });
  assert.deepEqual(model.sent, [{ kind: 'answer', id: '8', begin: 0, size: 0, meta: { areas: [1], sha256: hash(new Uint8Array(0)) } }]);
});
