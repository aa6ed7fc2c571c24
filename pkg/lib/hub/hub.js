/** Models by their name on the Hub: a revision is pinned to its commit first, which never changes. */
import { VitscopeError, invalid } from '../common/errors.js';
import { ask } from '../files/site.js';
import { HOSTS, HUB, apiUrl, errorOf, fileUrl } from './hosts.js';

/**
 * @typedef {{repository: string, revision: string}} Name
 * @typedef {{hub: string, token?: string, fetch?: typeof globalThis.fetch}} HubOptions  hub: absolute, with a slash at its end
 * @typedef {{size?: number, sha256?: string}} Listed
 * @typedef {{commit: string, files: Map<string, Listed>, gated: boolean, licence?: string}} Repository
 */

const COMMIT = /^[0-9a-f]{40}$/;

/**
 * `hf:org/name` or `hf:org/name@revision`.
 * @param {string} text
 * @returns {Name}
 */
export function parseName(text) {
  const [, repository, revision = 'main'] = /^hf:([\w.-]+\/[\w.-]+)(?:@(.+))?$/.exec(text) ?? [];
  if (!repository) throw invalid(`'${text}' is no model's name: on the Hub it is hf:org/name, or hf:org/name@revision with a branch, a tag or a commit.`);
  return { repository, revision };
}

/**
 * A name without what says that it is one, which could be a folder's as well.
 * @param {string} text
 */
export function refuseBareName(text) {
  if (/^\w[\w.-]*\/[\w.-]+$/.test(text)) throw invalid(`'${text}' may be a model's name on the Hub, hf:${text}, or a folder, ./${text}/: say which.`);
}

/** @param {Name} name */
export function isPinned({ revision }) {
  return COMMIT.test(revision);
}

/**
 * The Hub, or a mirror, for one repository. A token is for its own host alone.
 * @param {Name} name
 * @param {HubOptions} options
 * @returns {import('../files/site.js').Site}
 */
export function hubSite(name, { hub, token, fetch }) {
  const { origin } = new URL(hub);
  return {
    fetch,
    headers: (url) => /** @type {Record<string, string>} */ (token && new URL(url).origin === origin ? { authorization: `Bearer ${token}` } : {}),
    explain: (response, url) => explain(name, { hub, token }, response, url),
    hosts: hub === HUB ? HOSTS : undefined,
  };
}

/**
 * @param {import('../files/site.js').Site} site
 * @param {Name} name
 * @param {string} hub
 * @param {AbortSignal} [signal]
 * @returns {Promise<Repository>}
 */
export async function readRepository(site, { repository, revision }, hub, signal) {
  const url = apiUrl(hub, repository, revision);
  const response = await ask(site, url, { signal });
  const { sha, siblings, gated, cardData } = await response.json().catch(() => ({}));
  if (!COMMIT.test(sha) || !Array.isArray(siblings)) throw new VitscopeError('network', `${url} did not answer as the Hub does. Check the connection and, for a mirror, the option hub.`);
  return { commit: sha, files: new Map(siblings.map(({ rfilename, size, lfs }) => [rfilename, { size, sha256: lfs?.sha256 }])), gated: Boolean(gated), licence: licenceOf(cardData) };
}

/**
 * What its card says: a name, or where that is `other`, what the other one is called.
 * @param {any} [card]
 * @returns {string | undefined}
 */
function licenceOf({ license, license_name: name } = {}) {
  const [said] = [(license === 'other' && name) || license].flat();
  return typeof said === 'string' ? said : undefined;
}

/**
 * @param {string} hub
 * @param {Name} name
 * @param {string} commit
 */
export function addresses(hub, { repository }, commit) {
  return (/** @type {string} */ file) => fileUrl(hub, repository, commit, file);
}

/**
 * @param {Name} name
 * @param {HubOptions} options
 * @param {Response} response
 * @param {string} url
 */
async function explain({ repository, revision }, { hub, token }, response, url) {
  const { status } = response;
  const said = await errorOf(response);
  const page = hub + repository;
  if (status === 429) return `${hub} has had too many requests from here. Wait a while${token ? '' : ', or give a token, which may make more'}.`;
  if (status === 403 || /gated|restricted/i.test(said)) return `${page} is not open to everyone${token ? ', nor to this token' : ''}: accept its conditions there, signed in, and give that account's { token }.`;
  if (status === 401) return token ? `${hub} does not accept the token, or has no model ${repository}. Check both.` : `${hub} has no public model ${repository}. Check the name, or give { token } for a private one.`;
  if (status !== 404) return undefined;
  const listed = `is not there. What is: ${page}/tree/main.`;
  if (/revision|rev id/i.test(said)) return `${page}: revision '${revision}' ${listed}`;
  if (/entry/i.test(said)) return `${url} ${listed}`;
  return `${hub} has no model ${repository}, or none with a revision '${revision}'. Check the name.`;
}
