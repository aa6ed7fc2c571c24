import { ASSETS_HINT } from '../common/errors.js';
import { readDisk } from '../files/disk.js';
import { isHtml, request } from '../files/site.js';

// They are a nicety, which no load waits for for long.
const PATIENCE_MS = 20_000;

/**
 * Names the classes of a model that has a thousand of them and names none, as most of timm's: with the synsets of ImageNet-1k, a file that
 * is only fetched here. Where it can't be had they keep their numbers.
 * @param {import('../../wasm/relaxed/vitscope.js').Engine} engine
 * @param {string} url of the file
 * @returns {Promise<string | undefined>} a warning
 */
export async function nameClasses(engine, url) {
  if (!engine.unnamed || engine.config.numClasses !== 1000) return undefined;
  const names = await read(url).catch(() => undefined);
  if (!names) return `vitscope numbers the model's classes: their names could not be fetched from ${url}. Name the classes in id2label of config.json, or serve the file there. ${ASSETS_HINT}`;
  engine.nameClasses(new TextDecoder().decode(names));
  return undefined;
}

/** Once: nothing depends on it. @param {string} url */
async function read(url) {
  if (url.startsWith('file:')) return readDisk(url);
  const response = await request(url, { signal: AbortSignal.timeout?.(PATIENCE_MS) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return response.ok && !isHtml(response, bytes) ? bytes : undefined;
}
