import assert from 'node:assert/strict';

/**
 * A file of little-endian float32 in C order, read as the format's description says.
 * @param {Uint8Array} file
 */
export function parseNpy(file) {
  assert.deepEqual([...file.subarray(0, 8)], [0x93, ...Buffer.from('NUMPY'), 1, 0]);
  const start = 10 + file[8] + 256 * file[9];
  assert.equal(start % 64, 0, 'values are aligned');
  const header = Buffer.from(file.subarray(10, start)).toString('latin1');
  const match = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]+)\), \} *\n$/.exec(header);
  assert.ok(match, header);
  return { shape: match[1].split(', ').map(Number), data: new Float32Array(Uint8Array.from(file.subarray(start)).buffer) };
}
