/** Where the public Hub is, and all that is assumed of it: what a stand-in or a mirror must answer. Nothing else says so. */

export const HUB = 'https://huggingface.co/';

/** What a Content-Security-Policy has to let through: the Hub leads to its CDN for large files. */
export const HOSTS = 'https://huggingface.co, https://*.huggingface.co and https://*.hf.co';

/**
 * What a repository is at a branch, tag or commit: `{sha, siblings: [{rfilename, size?, lfs?: {sha256}}], gated, cardData?: {license}}`.
 * @param {string} hub
 * @param {string} repository
 * @param {string} revision
 */
export function apiUrl(hub, repository, revision) {
  return `${hub}api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
}

/**
 * A file of it.
 * @param {string} hub
 * @param {string} repository
 * @param {string} commit
 * @param {string} name
 */
export function fileUrl(hub, repository, commit, name) {
  return `${hub}${repository}/resolve/${commit}/${name.split('/').map(encodeURIComponent).join('/')}`;
}

/** What the Hub says of a failure: in its header where that can be seen, and as JSON. @param {Response} response */
export async function errorOf(response) {
  const text = await response.text().catch(() => '');
  return `${response.headers.get('x-error-code') ?? ''} ${text}`;
}
