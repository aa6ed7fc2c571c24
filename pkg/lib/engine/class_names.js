import { ASSETS_HINT } from '../common/errors.js';
import { readDisk } from '../files/disk.js';
import { isHtml, request } from '../files/site.js';

// They are a nicety, which no load waits for for long.
const PATIENCE_MS = 20_000;
const CLASSES = 1000;

/**
 * Names the classes of a model that has a thousand of them and names none, as most of timm's: with the synsets of ImageNet-1k, a file that
 * is only fetched here. Where it can't be had they keep their numbers.
 * @param {import('../../wasm/relaxed/vitscope.js').Engine} engine
 * @param {string} url of the file
 * @param {ReturnType<typeof readNames>} [asked] what it has, where that was asked for already
 * @returns {Promise<string | undefined>} a warning
 */
export async function nameClasses(engine, url, asked) {
  if (!engine.unnamed || engine.config.numClasses !== CLASSES) return undefined;
  const names = await (asked ?? readNames(url));
  if (!names) return `vitscope numbers the model's classes: their names could not be fetched from ${url}. Name the classes in id2label of config.json, or serve the file there. ${ASSETS_HINT}`;
  engine.nameClasses(new TextDecoder().decode(names));
  return undefined;
}

/**
 * Whether it looks as if they will be needed: then they come while the weights do.
 * @param {string | undefined} config
 * @param {{shape: number[]}[]} tensors
 */
export function willName(config, tensors) {
  return !config?.includes('label') && tensors.some(({ shape }) => shape[0] === CLASSES);
}

/** @param {string} url */
export function readNames(url) {
  return read(url).catch(() => undefined);
}

/** Once: nothing depends on it. @param {string} url */
async function read(url) {
  if (url.startsWith('file:')) return readDisk(url);
  const response = await request(url, { signal: AbortSignal.timeout?.(PATIENCE_MS) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return response.ok && !isHtml(response, bytes) ? bytes : undefined;
}
