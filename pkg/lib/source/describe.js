/** What the Hub says of a model before any of it is loaded. */
import { checkOptions } from '../common/checks.js';
import { hubSite, parseName, readRepository } from '../hub/hub.js';
import { checkAccess } from './access.js';
import { INDEX, OPEN_CLIP, WEIGHTS } from './folder.js';

const OPTIONS = ['hub', 'token', 'fetch', 'signal'];

/**
 * @param {string} model
 * @param {import('../../index.js').DescribeOptions} [options]
 * @returns {Promise<import('../../index.js').ModelDescription>}
 */
export async function describe(model, options) {
  const { signal, ...given } = checkOptions(options, OPTIONS);
  signal?.throwIfAborted();
  const access = checkAccess(given);
  const name = parseName(model);
  const { commit, files, gated, licence } = await readRepository(hubSite(name, access), name, access.hub, signal);
  return { model: `hf:${name.repository}`, revision: commit, url: access.hub + name.repository, bytes: weightsOf(files), gated, licence };
}

/** Bytes of the files that hold the weights. @param {import('../hub/hub.js').Repository['files']} files */
function weightsOf(files) {
  const split = () => [...files.keys()].filter((file) => files.has(INDEX) && /^[^/]+\.safetensors$/.test(file));
  const found = [WEIGHTS, OPEN_CLIP.weights].find((file) => files.has(file) && (file === WEIGHTS || !files.has(INDEX)));
  const sizes = (found ? [found] : split()).map((file) => files.get(file)?.size);
  return sizes.length ? sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0) : 0;
}
