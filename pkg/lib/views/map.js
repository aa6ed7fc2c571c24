/**
 * @param {number} rows
 * @param {number} cols
 * @param {Float32Array} data
 * @param {string} text
 * @param {{channels?: 1 | 3, signed?: boolean, crop?: import('../../index.js').Rectangle, within?: Uint8Array}} [kind]
 * @returns {import('../../index.js').ViewMap}
 */
export function viewMap(rows, cols, data, text, { channels = 1, signed = false, crop, within } = {}) {
  return { rows, cols, channels, data: /** @type {Float32Array<ArrayBuffer>} */ (data), signed, text, ...(crop && { crop }), ...(within && { within: /** @type {Uint8Array<ArrayBuffer>} */ (within) }) };
}
