/** What the reader chose, and what is shown, to the kernel: by messages of our own. */

/** @typedef {import('./transport.js').Model} Model */

/**
 * The same model, whose `save_changes` does not wait for earlier ones. Front ends keep an update back until they heard that the kernel has done with
 * the last one, and ipykernel 7.4 does not say so of what it hears while a cell awaits: nothing would ever be told again.
 * @param {Model} model
 * @returns {Model}
 */
export function direct(model) {
  /** @type {Set<string>} */
  const changed = new Set();
  return {
    get: (name) => model.get(name),
    on: (event, listener) => model.on(event, listener),
    off: (event, listener) => model.off(event, listener),
    send: (content, callbacks, buffers) => model.send(content, callbacks, buffers),
    widget_manager: model.widget_manager,
    set(name, value) {
      changed.add(name);
      model.set(name, value);
    },
    save_changes() {
      /** @type {DataView[]} */
      const buffers = [];
      const state = Object.fromEntries([...changed].map((name) => [name, withoutBuffers(model.get(name), buffers)]));
      changed.clear();
      try {
        model.send({ kind: 'state', state }, undefined, buffers);
      } catch {} // of a kernel that was restarted: the explorer goes on without it
    },
  };
}

/**
 * Buffers go beside JSON: `{buffer: which}` is in their place.
 * @param {any} value
 * @param {DataView[]} buffers
 * @returns {any}
 */
function withoutBuffers(value, buffers) {
  if (value instanceof DataView) return { buffer: buffers.push(value) - 1 };
  if (Array.isArray(value)) return value.map((each) => withoutBuffers(each, buffers));
  if (typeof value !== 'object' || !value) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withoutBuffers(each, buffers)]));
}
