/** The beginning of a safetensors file: what it says of its tensors, which follow one behind the other. */

/**
 * As the safetensors library writes it, filled up with spaces to a multiple of 8.
 * @param {{name: string, dtype: string, shape: number[], size: number}[]} tensors size: in bytes
 * @param {Record<string, string>} metadata
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function headerOf(tensors, metadata) {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, size }) => [name, { dtype, shape, data_offsets: [end, (end += size)] }]);
  const text = new TextEncoder().encode(JSON.stringify({ ...(Object.keys(metadata).length > 0 && { __metadata__: metadata }), ...Object.fromEntries(entries) }));
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(32);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return header;
}
