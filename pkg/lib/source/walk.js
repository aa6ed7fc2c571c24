/** Reads a model. The engine leads: from the headers it says which tensors it needs, and takes them block by block as they arrive. */
import { follow } from '../common/abort.js';
import { fromEngine } from '../common/errors.js';
import { readSource } from './source.js';

/**
 * The engine that takes a model, here or in a worker.
 * @template T
 * @typedef {object} Leader
 * @property {(config: string) => void | Promise<void>} check  rejects what it can't read, by the config alone
 * @property {(index: string, config: string) => string[] | Promise<string[]>} files  those it needs of an index
 * @property {(files: Headers) => Plan | Promise<Plan>} open
 * @property {(block: number, pieces: Uint8Array[], keeps: boolean) => {kept: Kept[]} | Promise<{kept: Kept[]}>} block  the bytes are its own from now on
 * @property {(pieces: Uint8Array[], text: Uint8Array | undefined, keeps: boolean) => Promise<{kept: Kept[], loaded: T}>} finish  with what is in no block
 */
/**
 * @typedef {{texts: (string | undefined)[], names: string[], headers: Uint8Array[], sizes: (number | undefined)[]}} Headers
 *   texts: config.json, preprocessor_config.json, processor_config.json; then of each file of weights its name, header and size
 * @typedef {import('../../wasm/relaxed/vitscope.js').WalkTensor} WalkTensor
 * @typedef {{tensors: WalkTensor[], compares: boolean, quantises: boolean, format: string | undefined}} Plan
 *   compares: images with texts; quantises: the portable form is what comes of that; format: of the portable form, for its metadata
 * @typedef {{name: string, dtype: string, shape: number[], bytes: Uint8Array}} Kept  a tensor of the portable form
 * @typedef {{left: number, tensors: WalkTensor[], pieces: Uint8Array[]}} Group  tensors that are read together, and how many have yet to come
 * @typedef {{signal: AbortSignal, onProgress: (step: import('./loading.js').Step) => void, keeper?: import('./source.js').Keeper}} Options
 *   keeper: gets the portable form, in place of the source's own; the bytes are there until what it returns is settled
 */

/**
 * @template T
 * @param {import('./source.js').Source} source
 * @param {Leader<T>} leader
 * @param {Options} options
 * @returns {Promise<T>}
 */
export async function walk(source, leader, options) {
  const { signal, onProgress } = options;
  signal.throwIfAborted();
  const stop = follow(signal);
  /** @type {import('./source.js').ModelParts | undefined} */
  let parts;
  let { keeper } = options;
  try {
    parts = await readSource(source, { signal: stop.signal, onProgress, leader });
    const { texts, weights, textEmbeddings } = parts;
    keeper ??= parts.keeper;
    const files = weights.map(({ file }) => file);
    const plan = await leader.open({ texts, names: files.map(({ name }) => name), headers: weights.map(({ header }) => header.bytes), sizes: weights.map(({ header }) => header.size) });
    const text = Promise.resolve(textEmbeddings(plan.compares));
    text.catch((error) => stop.abort(error)); // it is waited for later
    const keeps = Boolean(keeper?.quantised || (keeper && plan.quantises));
    /**
     * @template {{kept: Kept[]}} A
     * @param {Group} group
     * @param {(pieces: Uint8Array[]) => A | Promise<A>} give
     */
    const give = async ({ tensors, pieces }, give) => {
      // As they came they are kept before the engine has them.
      if (!keeps) await keeper?.keep(tensors.map(({ name, dtype, shape }, i) => ({ name, dtype, shape, bytes: pieces[i] })), plan);
      const answer = await give(pieces.splice(0));
      if (keeps) await keeper?.keep(answer.kept, plan);
      return answer;
    };
    const groups = groupsOf(plan.tensors);
    /** What the engine is at. @type {Promise<unknown>} */
    let packing = Promise.resolve();
    const total = plan.tensors.reduce((sum, { begin, end }) => sum + end - begin, 0);
    let loaded = 0;
    const onBytes = (/** @type {number} */ n) => onProgress({ phase: 'weights', loaded: (loaded += n), total });
    onBytes(0);
    for (const [i, file] of files.entries()) {
      // (Of a tensor without values nothing arrives.)
      const tensors = plan.tensors.filter((tensor) => tensor.file === i && tensor.end > tensor.begin);
      const take = async (/** @type {number} */ j, /** @type {Uint8Array} */ bytes) => {
        const group = groups[tensors[j].block ?? REST];
        group.pieces[group.tensors.indexOf(tensors[j])] = bytes;
        const { block } = tensors[j];
        if (--group.left || block === null) return;
        // A small one is packed while the next is read; of large ones there is one at a time.
        await packing;
        packing = give(group, (pieces) => leader.block(block, pieces, keeps));
        packing.catch((error) => stop.abort(error)); // it is waited for later
        if (sizeOf(group) > SMALL) await packing;
      };
      await file.read(tensors, take, { signal: stop.signal, onBytes }); // where none is needed it may have to be checked all the same
    }
    await packing;
    onProgress({ phase: 'prepare', loaded: 0, total: 1 });
    const classes = await text;
    const answer = await give(groups[REST], (pieces) => leader.finish(pieces, classes, keeps));
    onProgress({ phase: 'prepare', loaded: 1, total: 1 });
    keeper?.finish();
    return answer.loaded;
  } catch (error) {
    await keeper?.drop();
    signal.throwIfAborted();
    const fault = error instanceof RangeError ? fromEngine(error) : error; // an array that could not be had
    if (!parts?.forget || /^(invalid-argument|out-of-memory|crashed)$/.test(/** @type {any} */ (fault)?.code)) throw fault;
    await parts.forget(); // what was kept is no good any more, or this fails again
    return await walk(source, leader, options);
  } finally {
    stop.abort(); // nothing waits for the rest of the files
  }
}

/** Of tensors that are in no block. */
const REST = 'rest';

/** Bytes of a block of which there may be two. */
const SMALL = 2 ** 22;

/** @param {Group} group */
function sizeOf({ tensors }) {
  return tensors.reduce((sum, { begin, end }) => sum + end - begin, 0);
}

/**
 * By their blocks.
 * @param {WalkTensor[]} tensors
 */
function groupsOf(tensors) {
  /** @type {Record<string | number, Group>} */
  const groups = { [REST]: { left: 0, tensors: [], pieces: [] } };
  for (const tensor of tensors) {
    const group = (groups[tensor.block ?? REST] ??= { left: 0, tensors: [], pieces: [] });
    group.tensors.push(tensor);
    group.pieces.push(new Uint8Array());
    if (tensor.end > tensor.begin) group.left++;
  }
  return groups;
}
