/** The order of jobs, and what aborting and closing do to them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JobQueue } from '../../pkg/lib/client/queue.js';

const nothing = async () => {};
/** A promise and the function that fulfils it. */
function gate() {
  let open = () => {};
  /** @type {Promise<void>} */
  const opened = new Promise((resolve) => (open = resolve));
  return { opened, open };
}

test('jobs run one at a time in order, though they are prepared at once', async () => {
  const queue = new JobQueue();
  /** @type {string[]} */
  const log = [];
  const gates = [gate(), gate(), gate()];
  const jobs = gates.map(({ opened }, i) =>
    queue.add(
      async () => void log.push(`prepare ${i}`),
      async () => {
        log.push(`start ${i}`);
        await opened;
        log.push(`end ${i}`);
        return i;
      },
    ),
  );
  assert.deepEqual(log, ['prepare 0', 'prepare 1', 'prepare 2']);
  gates[2].open();
  gates[1].open();
  gates[0].open();
  assert.deepEqual(await Promise.all(jobs), [0, 1, 2]);
  assert.deepEqual(log.slice(3), ['start 0', 'end 0', 'start 1', 'end 1', 'start 2', 'end 2']);
});

test('a job may be prepared to the end while the one before it runs, and not sooner', async () => {
  const queue = new JobQueue();
  /** @type {string[]} */
  const log = [];
  const gates = [gate(), gate(), gate()];
  const jobs = gates.map(({ opened }, i) =>
    queue.add(
      async (_, next) => {
        await next;
        log.push(`ready ${i}`);
      },
      async () => {
        await opened;
        log.push(`end ${i}`);
      },
    ),
  );
  for (const { open } of gates) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    open();
  }
  await Promise.all(jobs);
  assert.deepEqual(log, ['ready 0', 'ready 1', 'end 0', 'ready 2', 'end 1', 'end 2']);
});

test('a job that fails, in preparing or running, leaves the others alone', async () => {
  const queue = new JobQueue();
  const fail = async () => {
    throw new Error('bad');
  };
  const results = await Promise.allSettled([queue.add(fail, nothing), queue.add(nothing, fail), queue.add(nothing, async () => 3)]);
  assert.deepEqual(results.map(({ status }) => status), ['rejected', 'rejected', 'fulfilled']);
});

test('a waiting job that is aborted rejects at once and never runs', async () => {
  const queue = new JobQueue();
  const first = gate();
  const running = queue.add(nothing, () => first.opened);
  const abort = new AbortController();
  let ran = false;
  const waiting = queue.add(nothing, async () => void (ran = true), abort.signal);
  const reason = new Error('no longer wanted');
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  first.open();
  await running;
  await queue.add(nothing, nothing);
  assert.equal(ran, false);
});

test('a running job that is aborted rejects at once but keeps its turn', async () => {
  const queue = new JobQueue();
  const work = gate();
  const abort = new AbortController();
  const running = queue.add(nothing, () => work.opened, abort.signal);
  let second = false;
  const next = queue.add(nothing, async () => void (second = true));
  await new Promise(setImmediate);
  abort.abort(new Error('stop'));
  await assert.rejects(running, /stop/);
  await new Promise(setImmediate);
  assert.equal(second, false, 'the worker is still busy');
  work.open();
  await next;
  assert.equal(second, true);
});

test('an aborted signal is not even prepared', async () => {
  const reason = new Error('before');
  let prepared = false;
  await assert.rejects(new JobQueue().add(async () => void (prepared = true), nothing, AbortSignal.abort(reason)), reason);
  assert.equal(prepared, false);
});

test('aborting after the end does nothing, and no listener stays on the signal', async () => {
  const abort = new AbortController();
  let listeners = 0;
  /** @type {any} */
  const signal = abort.signal;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (/** @type {any[]} */ ...args) => (listeners++, addEventListener.apply(signal, args));
  signal.removeEventListener = (/** @type {any[]} */ ...args) => (listeners--, removeEventListener.apply(signal, args));
  assert.equal(await new JobQueue().add(nothing, async () => 1, abort.signal), 1);
  await new Promise(setImmediate);
  assert.equal(listeners, 0);
  abort.abort();
});

test('closing rejects what runs, what waits and what comes', async () => {
  const queue = new JobQueue();
  const reason = new Error('closed');
  const jobs = [queue.add(nothing, () => new Promise(() => {})), queue.add(nothing, nothing), queue.add(() => new Promise(() => {}), nothing)];
  queue.close(reason);
  queue.close(new Error('again'));
  for (const job of [...jobs, queue.add(nothing, nothing)]) await assert.rejects(job, reason);
});

test('branches take turns with the queue that they are of, and are closed by themselves', async () => {
  const queue = new JobQueue();
  const branch = queue.branch();
  /** @type {string[]} */
  const log = [];
  const gates = [gate(), gate(), gate()];
  const jobs = [queue, branch, queue].map((own, i) => own.add(nothing, async () => {
    log.push(`start ${i}`);
    await gates[i].opened;
    log.push(`end ${i}`);
  }));
  const late = branch.add(nothing, async () => void log.push('late'));
  [...gates].reverse().forEach(({ open }) => open());
  await Promise.all([jobs[0], jobs[1], late]);
  assert.deepEqual(log, ['start 0', 'end 0', 'start 1', 'end 1', 'start 2', 'end 2', 'late']);
  const reason = new Error('closed');
  branch.close(reason);
  await assert.rejects(branch.add(nothing, nothing), reason);
  await queue.add(nothing, nothing);
});
