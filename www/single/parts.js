/** What the single file has within: see `xtask/single.mjs`, which writes it and the function by which it is read. */

/**
 * @param {string} name
 * @returns {Promise<Blob>}
 */
export function part(name) {
  return globalThis.vitscopePart(name);
}

/** An address for it. @param {string} name */
export async function addressOf(name) {
  return URL.createObjectURL(await part(name));
}
