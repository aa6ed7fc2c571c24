/**
 * Runs jobs one after the other, in the order they were added. A job that is aborted before its turn never runs; one
 * aborted while it runs rejects at once but keeps its turn until its work has ended, since a worker can't be interrupted.
 */
export class JobQueue {
  #line;
  /** @type {Set<AbortController>} */
  #jobs = new Set();
  /** @type {Error | undefined} */
  #closed;

  /** @param {{tail: Promise<unknown>, begun: Promise<unknown>}} [line] behind which its jobs wait, and the turn of the last in it */
  constructor(line = { tail: Promise.resolve(), begun: Promise.resolve() }) {
    this.#line = line;
  }

  /** Another queue, whose jobs and those of this one take turns as if they were one. */
  branch() {
    return new JobQueue(this.#line);
  }

  /**
   * @template P, T
   * @param {(signal: AbortSignal, next: Promise<unknown>) => Promise<P>} prepare starts at once, so that it sees the caller's input as it is now;
   *   next: from then on only one job is before it
   * @param {(prepared: P, signal: AbortSignal, abort: (reason: unknown) => void) => Promise<T>} run starts in its turn
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  add(prepare, run, signal) {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const job = new AbortController();
    this.#jobs.add(job);

    const prepared = prepare(job.signal, this.#line.begun);
    prepared.catch(() => {}); // its turn reports it
    this.#line.begun = this.#line.tail;
    const turn = this.#line.tail.then(async () => {
      const input = await prepared;
      job.signal.throwIfAborted();
      return run(input, job.signal, (reason) => job.abort(reason));
    });
    this.#line.tail = turn.catch(() => {});

    return new Promise((resolve, reject) => {
      const onAbort = () => job.abort(signal?.reason);
      signal?.addEventListener('abort', onAbort);
      job.signal.addEventListener('abort', () => reject(job.signal.reason));
      turn.then(resolve, reject).finally(() => {
        signal?.removeEventListener('abort', onAbort);
        this.#jobs.delete(job);
      });
    });
  }

  /**
   * Rejects all jobs, now and later.
   * @param {Error} reason
   */
  close(reason) {
    if (this.#closed) return;
    this.#closed = reason;
    for (const job of this.#jobs) job.abort(reason);
    this.#jobs.clear();
  }
}
