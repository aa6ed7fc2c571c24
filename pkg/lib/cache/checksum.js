/**
 * A sum that shows damage, of 90 MB in some 40 ms. (Who may write to a cache can make it fit: it is no proof against malice.)
 * @param {Uint8Array} bytes at the beginning of a buffer
 * @param {number} [sum] of what is before them, whose length is a multiple of four
 */
export function checksum({ buffer, length }, sum = 0) {
  const words = new Int32Array(buffer, 0, length >> 2);
  // By an index: an iterator takes three times as long.
  for (let i = 0; i < words.length; i++) sum = Math.imul(((sum << 5) | (sum >>> 27)) ^ words[i], 0x9e3779b1);
  for (const byte of new Uint8Array(buffer, 4 * words.length, length % 4)) sum = Math.imul(sum ^ byte, 0x9e3779b1);
  return sum;
}
