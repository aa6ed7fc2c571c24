/** What a front end gets with each widget: small, as it comes with every one and may be saved in the notebook. All else it asks the kernel for. */
import { thisPage } from './pages.js';
import { createScreen } from './screen.js';
import { Wire } from './transport.js';

/** @typedef {import('./transport.js').Model} Model */
/** @typedef {import('./transport.js').Question} Question */
/** @typedef {{opened?: Awaited<ReturnType<typeof import('./app.js')['open']>>, failure?: unknown}} View  failure: why it did not open, unless it goes on by itself */

/** A model of the front end's, however many views of it there are. */
class Widget {
  /** @type {Set<View>} */
  views = new Set();
  /** By their ids: what has not been answered, as a view is on its way. @type {Map<string, Question>} */
  #questions = new Map();
  /** What is being answered: it may be asked again meanwhile. */
  #answering = new Set();

  /** @param {Model} model */
  constructor(model) {
    this.wire = new Wire(model, thisPage().paceOf(model));
    this.wire.onQuestion = (question) => {
      if (this.#answering.has(question.id)) return;
      this.#questions.set(question.id, question);
      this.answer();
    };
    model.on('comm_live_update', this.#restarted);
    this.end = () => {
      model.off('comm_live_update', this.#restarted);
      widgets.delete(model.get('_assets'));
      this.wire.close();
    };
    this.wire.tell({ kind: 'hello' });
  }

  #restarted = () => this.wire.give('The kernel was restarted, or its connection is lost. Run the cell again.');

  tellViews() {
    this.wire.tell({ kind: 'views', count: this.views.size });
  }

  /** Who speaks for the widget: the first view that is open. */
  get leader() {
    return [...this.views].find(({ opened }) => opened);
  }

  /** The leader answers; where no view could be opened, why is the answer. */
  answer() {
    const views = [...this.views];
    const view = this.leader ?? (views.every(({ failure }) => failure) ? views[0] : undefined);
    if (!view) return;
    for (const [id, question] of this.#questions) {
      this.#questions.delete(id);
      this.#answering.add(id);
      (view.opened ? view.opened.answer(question) : Promise.reject(view.failure))
        .catch(({ code, message }) => this.wire.tell({ kind: 'failed', id, code: code ?? 'error', text: message ?? 'It failed.' }))
        .finally(() => this.#answering.delete(id));
    }
  }
}

/** By what the kernel gave a model and nobody changes: what `initialize` and `render` are given are two things. @type {WeakMap<object, Widget>} */
const widgets = new WeakMap();

/** @param {Model} model */
function widgetOf(model) {
  const key = model.get('_assets');
  const widget = widgets.get(key) ?? new Widget(model);
  widgets.set(key, widget);
  return widget;
}

/**
 * @param {Model} model
 * @param {HTMLElement} el
 */
function render(model, el) {
  const widget = widgetOf(model);
  const holder = thisPage().hold(widget.wire);
  const life = new AbortController();
  /** @type {View} */
  const view = {};
  widget.views.add(view);
  widget.tellViews();
  const root = document.createElement('div');
  root.setAttribute('data-lm-suppress-shortcuts', 'true'); // JupyterLab's own keys are not for what is typed here
  el.append(root);
  show();

  async function show() {
    view.failure = undefined;
    const titles = model.get('_models').map((/** @type {{title: string}} */ { title }) => title);
    const screen = createScreen(root, titles.join(', '));
    widget.wire.listeners.add(screen.late);
    try {
      const { open } = await importApp(holder, model.get('_assets'));
      const opened = await open(root, { model, files: holder, screen, signal: life.signal, leads: () => widget.leader === view });
      screen.remove();
      if (life.signal.aborted) return opened.close();
      view.opened = opened;
      widget.answer();
    } catch (error) {
      if (life.signal.aborted) return;
      const heard = (/** @type {boolean} */ late) => late || again();
      const again = () => {
        widget.wire.listeners.delete(heard);
        screen.remove();
        if (!life.signal.aborted) show();
      };
      const { message, code } = /** @type {Error & {code?: string}} */ (error);
      screen.fail(message, again);
      if (code === 'silent') return void widget.wire.listeners.add(heard);
      view.failure = error;
      widget.answer();
    } finally {
      widget.wire.listeners.delete(screen.late);
    }
  }

  return () => {
    life.abort();
    view.opened?.close();
    widget.views.delete(view);
    widget.tellViews();
    widget.answer();
    holder.leave();
    root.remove();
  };
}

/**
 * @param {import('./pages.js').Holder} files
 * @param {Record<string, import('./pages.js').FileName>} assets
 * @returns {Promise<typeof import('./app.js')>}
 */
async function importApp(files, assets) {
  const packed = await files.file(assets['app.js']);
  return files.share(`module ${assets['app.js'].name}`, async () => {
    const script = await new Response(packed.stream().pipeThrough(new DecompressionStream('gzip'))).text();
    const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
    try {
      return await import(url);
    } catch (cause) {
      throw new Error(`This page does not let the explorer's script run (${/** @type {Error} */ (cause).message}). Its Content-Security-Policy must allow blob: in script-src and worker-src, and 'wasm-unsafe-eval'.`, { cause });
    } finally {
      URL.revokeObjectURL(url);
    }
  });
}

export default {
  /** @param {{model: Model}} given */
  initialize({ model }) {
    return widgetOf(model).end;
  },

  /** @param {{model: Model, el: HTMLElement}} given */
  render: ({ model, el }) => render(model, el),
};
