/** Files of weights, read in parts: from memory, from a disk, or as they come. */
import { invalid } from '../common/errors.js';
import { readError, withDisk } from './disk.js';
import { Sha256, requireSum } from './sha256.js';
import { Stream } from './stream.js';

/**
 * A file of weights that can be read in parts.
 * @typedef {object} WeightFile
 * @property {string} name   for messages
 * @property {(reading: Reading) => Promise<Header>} header   its first 8 + n bytes, n being what the first 8 say; and the whole file's size where known
 * @property {(ranges: Range[], take: Take, reading: Reading) => Promise<void>} read
 *   ranges ascending and disjoint, absolute offsets; take is called once for each range, in order, with exactly its bytes, and awaited (so that no more than what is under way is held)
 * @typedef {{begin: number, end: number}} Range
 * @typedef {{bytes: Uint8Array, size: number | undefined}} Header
 * @typedef {(index: number, bytes: Uint8Array) => void | Promise<void>} Take
 * @typedef {{signal?: AbortSignal, onBytes: (n: number) => void}} Reading  onBytes: n more bytes of the wanted ranges have arrived
 */

/** The longest header, as for every program. */
const MOST = 100_000_000;

/** What is summed up at once. */
const STEP = 2 ** 20;

/**
 * Bytes before the first tensor's. 8 where that can't be: what it is instead, the engine says by them.
 * @param {Uint8Array} first  the first 8, or all of a shorter file
 */
export function headerLength(first) {
  if (first.length < 8) return first.length;
  const length = 8 + Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  return length > MOST ? 8 : length;
}

/**
 * @param {Uint8Array} first
 * @param {Uint8Array} rest
 */
export function joined(first, rest) {
  const bytes = new Uint8Array(first.length + rest.length);
  bytes.set(first);
  bytes.set(rest, first.length);
  return bytes;
}

/**
 * What can be read at any place.
 * @param {string} name
 * @param {number} size
 * @param {(begin: number, end: number) => Uint8Array | Promise<Uint8Array>} at  fewer bytes where it ends before
 * @returns {WeightFile}
 */
export function placed(name, size, at) {
  const read = async (/** @type {number} */ begin, /** @type {number} */ end) => {
    const bytes = await at(begin, end);
    if (bytes.length < Math.min(end, size) - begin) throw invalid(`${name} can't be read any more: its buffer was handed to somebody else (it is detached).`);
    return bytes;
  };
  return {
    name,
    header: async () => ({ bytes: await read(0, headerLength(await read(0, 8))), size }),
    async read(ranges, take, { signal, onBytes }) {
      for (const [i, { begin, end }] of ranges.entries()) {
        signal?.throwIfAborted();
        const bytes = await read(begin, end);
        onBytes(end - begin);
        await take(i, bytes);
      }
    },
  };
}

/**
 * @param {string} name
 * @param {Uint8Array | ArrayBuffer | Blob | Response | ReadableStream<Uint8Array>} given
 * @returns {WeightFile}
 */
export function givenFile(name, given) {
  if (given instanceof Blob) {
    return placed(name, given.size, (begin, end) => given.slice(begin, end).arrayBuffer().then((buffer) => new Uint8Array(buffer), readError));
  }
  if (given instanceof Response) return streamed(given.url || name, async () => Stream.of(given, given.url || name));
  if (given instanceof ReadableStream) return streamed(name, async () => new Stream(given, name));
  const { buffer, byteOffset, byteLength } = given instanceof Uint8Array ? given : { buffer: given, byteOffset: 0, byteLength: given.byteLength };
  return placed(name, byteLength, (begin, end) => (buffer.byteLength < byteOffset + byteLength ? new Uint8Array() : new Uint8Array(buffer, byteOffset).subarray(begin, Math.min(end, byteLength))));
}

/**
 * A file on disk, for Node.
 * @param {string} name
 * @param {string} url
 * @returns {WeightFile}
 */
export function diskFile(name, url) {
  const opened = (/** @type {(file: WeightFile) => Promise<any>} */ work) => withDisk(url, (size, at) => work(placed(name, size, at)));
  return { name, header: (reading) => opened((file) => file.header(reading)), read: (...args) => opened((file) => file.read(...args)) };
}

/**
 * The same file, of a known size, which must have a sum: all of it is read before a part is handed out.
 * @param {WeightFile} file
 * @param {string} [wanted] SHA-256
 * @returns {WeightFile}
 */
export function checkedFile(file, wanted) {
  return wanted
    ? {
        ...file,
        async header(reading) {
          const header = await file.header(reading);
          const { bytes, size = 0 } = header;
          const sum = new Sha256().update(bytes);
          for (let begin = bytes.length; begin < size; begin += STEP) await file.read([{ begin, end: Math.min(begin + STEP, size) }], (_, piece) => void sum.update(piece), reading);
          requireSum(file.name, sum, wanted);
          return header;
        },
      }
    : file;
}

/**
 * What comes from its beginning to its end, once unless `open` can be asked again.
 * @param {string} name
 * @param {(reading: Reading) => Promise<Stream>} open
 * @param {boolean} [waits]  whether it is held open between its header and the rest
 * @returns {WeightFile}
 */
export function streamed(name, open, waits = true) {
  /** @type {Stream | undefined} */
  let stream;
  const opened = async (/** @type {Reading} */ reading) => {
    const own = (stream ??= await open(reading));
    reading.signal?.addEventListener('abort', () => own.cancel());
    return own;
  };
  return {
    name,
    async header(reading) {
      const own = await opened(reading);
      const first = await own.next(8);
      const rest = await own.next(headerLength(first) - first.length);
      const bytes = joined(first, rest);
      if (!waits) {
        own.cancel();
        stream = undefined;
      }
      return { bytes, size: own.ended ? own.at : own.size };
    },
    async read(ranges, take, reading) {
      const own = await opened(reading);
      for (const [i, { begin, end }] of ranges.entries()) {
        await own.skip(begin - own.at);
        const bytes = await own.next(end - begin, reading.onBytes);
        reading.signal?.throwIfAborted();
        if (bytes.length < end - begin) throw own.brokeOff();
        await take(i, bytes);
      }
      // What is behind the last range stays where it is. But an answer that ends here is seen to its end, without which a browser's cache won't have it whole.
      if (!own.size || own.at >= own.size) await Promise.race([own.next(1), new Promise((resolve) => setTimeout(resolve, 100))]);
      own.cancel();
    },
  };
}
