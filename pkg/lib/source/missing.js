import { VitscopeError } from '../common/errors.js';

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
 * @param {import('./place.js').Place} place
 * @param {AbortSignal} [signal]
 */
export async function explain(error, place, signal) {
  if (!isMissing(error)) return error;
  const there = await Promise.all(INSTEAD.map(([name]) => place.has(name, signal)));
  const found = INSTEAD.find((_, i) => there[i]);
  if (!found) return error;
  return new VitscopeError('invalid-weights', `${place.name} has no model in safetensors, but ${found[0]}: this is ${found[1]}.`, { cause: error });
}

/**
 * Whether a failure says that there is no such file: an HTTP status, or Node's code. Buckets without permission to list answer 403.
 * @param {unknown} error
 */
export function isMissing(error) {
  const cause = error instanceof VitscopeError && /** @type {any} */ (error.cause);
  return [403, 404, 410].includes(cause?.status) || cause?.code === 'ENOENT';
}
