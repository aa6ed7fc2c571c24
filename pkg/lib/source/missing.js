import { VitscopeError } from '../common/errors.js';
import { existsOnDisk } from './disk.js';

/**
 * What a folder may have in place of a model that is read, by names that can be asked for: a folder on the web can't be listed.
 * @type {[name: string, what: string][]}
 */
const INSTEAD = [
  ['adapter_config.json', 'a LoRA adapter without its model. Load both with PEFT, call merge_and_unload() and save what it returns with save_pretrained()'],
  ['open_clip_config.json', "a model of open_clip without open_clip_model.safetensors. open_clip.push_to_hf_hub.save_for_hf() writes both"],
  ['pytorch_model.bin', "PyTorch's pickle. Load the model with its library and save it as safetensors, which save_pretrained() does"],
];

/**
 * The error of a folder in which config.json or the weights are missing, where something else explains it.
 * @param {unknown} error  what went wrong
 * @param {(name: string) => string} address  of a file in the folder
 * @param {AbortSignal} [signal]
 */
export async function explain(error, address, signal) {
  if (!isMissing(error)) return error;
  const there = await Promise.all(INSTEAD.map(([name]) => exists(address(name), signal)));
  const found = INSTEAD.find((_, i) => there[i]);
  if (!found) return error;
  return new VitscopeError('invalid-weights', `${address('')} has no model in safetensors, but ${found[0]}: this is ${found[1]}.`, { cause: error });
}

/**
 * Whether a failure says that there is no such file: an HTTP status, or Node's code. Buckets without permission to list answer 403.
 * @param {unknown} error
 */
export function isMissing(error) {
  const cause = error instanceof VitscopeError && /** @type {any} */ (error.cause);
  return [403, 404, 410].includes(cause?.status) || cause?.code === 'ENOENT';
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
export async function exists(url, signal) {
  if (url.startsWith('file:')) return existsOnDisk(url);
  // Some servers answer HEAD for nothing; a body that nobody reads is not sent.
  const response = await fetch(url, { signal }).catch(() => undefined);
  await response?.body?.cancel().catch(() => {});
  return Boolean(response?.ok) && !/^text\/html\b/i.test(response?.headers.get('content-type') ?? '');
}
