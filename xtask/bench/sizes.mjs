/** What a file weighs on its way to a visitor. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';

const ROOT = new URL('../../', import.meta.url);

/**
 * Compressed as a careful server would. Theirs takes half a minute, so sizes are remembered by content.
 * @param {Buffer} content
 */
export function sizes(content) {
  const file = new URL(`target/bench/brotli/${createHash('sha256').update(content).digest('hex')}`, ROOT);
  if (!existsSync(file)) {
    mkdirSync(new URL('.', file), { recursive: true });
    writeFileSync(file, `${brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS } }).length}\n`);
  }
  return { bytes: content.length, brotli: Number(readFileSync(file, 'utf8')) };
}
