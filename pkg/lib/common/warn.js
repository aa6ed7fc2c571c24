const said = new Set();

/** @param {string} [message] */
export function warnOnce(message) {
  if (message && !said.has(message)) console.warn(message);
  said.add(message);
}
