import { own } from '../source/buffers.js';
import { unsendable } from './refusals.js';

/**
 * The engine of a worker, which leads; see source/walk.js.
 * @param {import('./bridge.js').WorkerBridge} bridge
 * @param {Promise<unknown>} started
 * @param {import('../engine/walker.js').Form} form
 * @returns {import('../source/walk.js').Leader<import('./bridge.js').Loaded>}
 */
export function leader(bridge, started, form) {
  const ask = async (/** @type {keyof import('../engine/walker.js').Walker} */ method, /** @type {any[]} */ args, /** @type {Uint8Array[]} */ bytes = []) => {
    await started;
    return bridge.request({ type: 'walk', form, method, args }, { transfer: bytes.map(({ buffer }) => /** @type {ArrayBuffer} */ (buffer)) }).catch(unsendable);
  };
  return {
    check: (config) => ask('check', [config]),
    files: (index, config) => ask('files', [index, config]),
    open: (files) => ask('open', [{ ...files, headers: files.headers.map((bytes) => bytes.slice()) }]),
    block(block, pieces, keeps) {
      const bytes = pieces.map(own);
      return ask('block', [block, bytes, keeps], bytes);
    },
    finish(pieces, text, keeps) {
      const bytes = pieces.map(own);
      return ask('finish', [bytes, text?.slice(), keeps], bytes);
    },
  };
}
