/** A folder whose files must be what the caller says they are, each of those that are named. */
import { VitscopeError } from '../common/errors.js';
import { Sha256, requireSum } from '../files/sha256.js';
import { readFolder } from './folder.js';

/**
 * @param {import('./place.js').Place} place
 * @param {Record<string, string> | undefined} integrity SHA-256 by file
 * @param {import('./source.js').Options} options
 * @returns {Promise<import('./source.js').ModelParts>}
 */
export async function readChecked(place, integrity, options) {
  if (!integrity) return readFolder(place, options);
  /** @type {string[]} */
  const read = [];
  /** @type {<B extends Uint8Array | undefined>(name: string, reading: Promise<B>) => Promise<B>} */
  const check = async (name, reading) => {
    const bytes = await reading;
    if (bytes) {
      read.push(name);
      if (integrity[name]) requireSum(name, new Sha256().update(bytes), integrity[name]);
    }
    return bytes;
  };
  const parts = await readFolder(
    {
      ...place,
      read: (file, ...rest) => check(file, place.read(file, ...rest)),
      find: (file, ...rest) => check(file, place.find(file, ...rest)),
      open: (file, alone) => place.open(file, alone, integrity[file]),
    },
    options,
  );
  return {
    ...parts,
    // The last that is asked for, before the weights arrive.
    async textEmbeddings(compares) {
      const text = await parts.textEmbeddings(compares);
      read.push(...parts.weights.map(({ file }) => file.name));
      const unread = Object.keys(integrity).find((name) => !read.includes(name));
      if (unread) throw new VitscopeError('integrity', `integrity names ${unread}, which is not read. These files are: ${read.join(', ')}.`);
      return text;
    },
  };
}
