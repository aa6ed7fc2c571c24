/** A stand-in for front end and kernel: it keeps the messages, drops some, and answers from memory. No part of the widget is in it. */

/** @typedef {{get: (name: string) => any, set: (name: string, value: any) => void, save_changes: () => void, send: (content: any, callbacks?: unknown, buffers?: any[]) => void, on: Function, off: Function, widget_manager: object}} Model */

const STATIC = '/notebook/vitscope/static/';
const PART = 500_000;

export class Kernel {
  /** By SHA-256. @type {Map<string, Uint8Array>} */
  blobs = new Map();
  /** What it was sent. @type {any[]} */
  heard = [];
  /** What of it is lost: told with each message, and how often there was one like it before. @type {(message: any, times: number) => boolean} */
  drops = () => false;
  /** What came of questions, by id; shown: what it had then. @type {Map<string, {meta: any, parts: Uint8Array[], size: number, shown: any[], text?: string, code?: string}>} */
  answers = new Map();
  manager = {};
  /** Its widgets' traits, as it knows them. @type {Record<string, any>} */
  traits = {};

  /** @param {Uint8Array} bytes */
  async add(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', /** @type {any} */ (bytes)));
    const name = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    this.blobs.set(name, bytes);
    return { name, size: bytes.length };
  }

  /** @param {string} address */
  async addFile(address) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    return this.add(new Uint8Array(await response.arrayBuffer()));
  }

  /**
   * What a folder of the server's is to a widget.
   * @param {string} folder
   * @param {object} [more]
   */
  async model(folder, more) {
    const sizes = /** @type {Record<string, number>} */ ({});
    const file = async (/** @type {string} */ name) => {
      const found = await this.addFile(folder + name).catch(() => undefined);
      if (found) sizes[found.name] = found.size;
      return found?.name ?? null;
    };
    const weights = [await file('model.safetensors')];
    return { title: folder.split('/').at(-2), hub: null, config: await file('config.json'), preprocessor: await file('preprocessor_config.json'), processor: null, text_embeddings: null, weights, sizes, dtype: null, ...more };
  }

  /** @param {string} address */
  async image(address) {
    return { title: address.split('/').at(-1), kind: 'file', type: 'image/jpeg', ...(await this.addFile(address)) };
  }

  /**
   * The traits of a new widget.
   * @param {any[]} models
   * @param {any[]} images
   * @param {object} [more]
   */
  async widget(models, images, more) {
    const files = ['app.js', 'worker.js', 'imagenet-1k.txt', 'relaxed.wasm', 'simd128.wasm', 'relaxed-threads.wasm', 'simd128-threads.wasm'];
    // The server sends what ends in .gz as an encoding, which the browser undoes.
    const packed = async (/** @type {string} */ file) => new Response((await fetch(`${STATIC}${file}.gz`)).body?.pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
    const assets = Object.fromEntries(await Promise.all(files.map(async (file) => [file, await this.add(new Uint8Array(await packed(file)))])));
    return { layer: null, head: null, query: null, view: 'heads', target: null, index: 0, _models: models, _images: images, _assets: assets, _rate: null, _shown: [], ...more };
  }

  /** A front-end model of that widget, as anywidget hands it on. @param {any} state */
  open(state) {
    /** @type {Map<string, Set<Function>>} */
    const listeners = new Map();
    const fire = (/** @type {string} */ event, /** @type {any[]} */ ...all) => [...(listeners.get(event) ?? [])].forEach((listener) => listener(...all));
    /** @type {Set<string>} */
    const changed = new Set();
    const deliver = (/** @type {any} */ content, /** @type {any[]} */ buffers = []) => setTimeout(() => fire('msg:custom', structuredClone(content), buffers.map((buffer) => new DataView(buffer.slice().buffer))));
    const model = {
      state,
      saves: 0,
      deliver,
      get: (/** @type {string} */ name) => state[name],
      set(/** @type {string} */ name, /** @type {any} */ value) {
        const same = JSON.stringify(state[name]) === JSON.stringify(value);
        state[name] = value;
        changed.add(name);
        if (!same) fire(`change:${name}`);
      },
      save_changes: () => {
        model.saves++;
        for (const name of changed) this.traits[name] = structuredClone(state[name]);
        changed.clear();
      },
      send: (/** @type {any} */ content, /** @type {unknown} */ _, /** @type {any[]} */ buffers = []) => {
        if (content.kind === 'state') return model.save_changes();
        const times = this.heard.filter((other) => JSON.stringify(other) === JSON.stringify(content)).length;
        this.heard.push(structuredClone(content));
        if (!this.drops(content, times)) this.#answer(content, buffers.map((buffer) => structuredClone(buffer)), deliver);
      },
      on: (/** @type {string} */ event, /** @type {Function} */ listener) => (listeners.get(event) ?? listeners.set(event, new Set()).get(event))?.add(listener),
      off: (/** @type {string} */ event, /** @type {Function} */ listener) => listeners.get(event)?.delete(listener),
      widget_manager: this.manager,
      /** As Python sets a trait. */
      assign(/** @type {string} */ name, /** @type {any} */ value) {
        state[name] = value;
        fire(`change:${name}`);
      },
      fire,
    };
    return model;
  }

  /**
   * @param {any} content
   * @param {any[]} buffers
   * @param {(content: any, buffers?: any[]) => void} deliver
   */
  #answer({ kind, name, begin, id, size, meta, code, text }, buffers, deliver) {
    if (kind === 'get') {
      const blob = this.blobs.get(name);
      if (!blob) return deliver({ kind: 'gone', name, text: 'The model was closed in Python.' });
      return deliver({ kind: 'part', name, begin, size: blob.length }, [blob.slice(begin, begin + PART)]);
    }
    const shown = this.traits._shown ?? [];
    if (kind === 'answer') {
      /** @type {{meta: any, parts: any[], size: number, shown: any[]}} */
      const answer = this.answers.get(id) ?? { meta, parts: [], size, shown };
      this.answers.set(id, answer);
      answer.parts.push(...buffers);
      return deliver({ kind: 'taken', id, begin });
    }
    if (kind === 'failed') this.answers.set(id, { meta: null, parts: [], size: 0, shown, code, text });
  }
}

/**
 * A cell with a view of the model, as anywidget makes one.
 * @param {ReturnType<Kernel['open']>} model
 * @param {any} [widget] the module, which is imported anew unless told, as anywidget does for every model
 */
export async function show(model, widget) {
  const script = widget ? undefined : await (await fetch(`${STATIC}widget.js`)).text();
  const { default: own } = widget ?? (await import(URL.createObjectURL(new Blob([script ?? ''], { type: 'text/javascript' }))));
  const end = await own.initialize({ model });
  const el = document.createElement('section');
  document.body.append(el);
  const close = await own.render({ model, el });
  return { el, close: () => (close(), el.remove()), end, again: async () => own.render({ model, el }) };
}

Object.assign(globalThis, { Kernel, show });
