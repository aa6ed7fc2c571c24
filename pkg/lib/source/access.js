import { builtin, documentBase } from '../common/environment.js';
import { invalid } from '../common/errors.js';
import { HUB } from '../hub/hosts.js';

/**
 * How models are got at: the options of `load` that say so, checked.
 * @typedef {object} Access
 * @property {string} hub absolute, with a slash at its end
 * @property {string} [token]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {boolean | string | URL} [cache]
 * @property {Record<string, string>} [integrity] SHA-256 by file, in hexadecimal digits
 * @property {'int8' | undefined} dtype what is kept is that
 */

/**
 * @param {import('../../index.js').LoadOptions} options
 * @returns {Access}
 */
export function checkAccess({ hub = HUB, token, fetch, cache, integrity, dtype }) {
  const folder = typeof cache === 'string' || cache instanceof URL;
  if (token !== undefined && !/^[!-~]+$/.test(typeof token === 'string' ? token : '')) throw wrong('token', 'the text of an access token');
  if (fetch !== undefined && typeof fetch !== 'function') throw wrong('fetch', 'a function like the global one');
  if (folder ? !globalThis.process : cache !== undefined && typeof cache !== 'boolean') throw wrong('cache', 'true, false, or in Node.js a folder');
  return { hub: address(hub), token, fetch, cache, integrity: integrity === undefined ? undefined : sums(integrity), dtype: dtype === 'int8' ? dtype : undefined };
}

/** @param {unknown} hub */
function address(hub) {
  try {
    const url = new URL(/** @type {string} */ (hub), documentBase());
    if (/^https?:$/.test(url.protocol)) return url.href.replace(/[?#].*|\/*$/, '') + '/';
  } catch {}
  throw wrong('hub', "a mirror's address");
}

/** @param {unknown} integrity */
function sums(integrity) {
  if (Object.prototype.toString.call(integrity) !== '[object Object]') throw wrong('integrity', "an object like {'model.safetensors': 'sha256-…'}");
  return Object.fromEntries(Object.entries(/** @type {object} */ (integrity)).map(([file, sum]) => [file, hexOf(file, sum)]));
}

/**
 * In base 64 as of subresource integrity, or in hexadecimal digits as on the Hub.
 * @param {string} file
 * @param {unknown} sum
 */
function hexOf(file, sum) {
  const [, hex, base64] = /^sha256-(?:([0-9a-f]{64})|([\w+/]{43}=))$/i.exec(String(sum)) ?? [];
  if (hex) return hex.toLowerCase();
  if (base64) return Array.from(atob(base64), (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  throw wrong(`integrity['${file}']`, "'sha256-' and the sum in base 64 or in hexadecimal digits");
}

/**
 * @param {string} name
 * @param {string} expected
 */
function wrong(name, expected) {
  return invalid(`${name} must be ${expected}, or left out.`);
}
