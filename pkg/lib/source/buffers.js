/**
 * Bytes in a buffer that is all theirs, which may be transferred. (Part of one may be somebody else's too.)
 * @param {Uint8Array} bytes
 */
export function own(bytes) {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** What is sent to it is gone. @type {MessagePort | undefined} */
let nowhere;

/**
 * Bytes go back at once, and not when the garbage collector finds them.
 * @param {Uint8Array} bytes
 */
export function release({ buffer, byteLength }) {
  // Part of a buffer may be somebody else's too: Node.js reads small files into a common one.
  if (!byteLength || buffer.byteLength !== byteLength || !(buffer instanceof ArrayBuffer)) return;
  if ('transfer' in buffer) return void /** @type {any} */ (buffer).transfer?.(0);
  if (!nowhere) {
    const { port1, port2 } = new MessageChannel();
    port2.close();
    nowhere = port1;
  }
  nowhere.postMessage(undefined, [buffer]);
}
