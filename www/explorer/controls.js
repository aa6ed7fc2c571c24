/** Small controls that several views have. Each owns its element and tells of every change. */
import { make } from './dom.js';

/**
 * One of several words.
 * @template {string} T
 * @param {string} legend
 * @param {readonly (readonly [T, string])[]} options values, and what they are called
 * @param {() => void} onChange
 */
export function segments(legend, options, onChange) {
  const name = `segments of ${legend}`;
  const inputs = options.map(([value], i) => {
    const input = make('input', { type: 'radio', name, value });
    input.checked = i === 0;
    return input;
  });
  const labels = options.map(([, text], i) => make('label', {}, [inputs[i], make('span', {}, [text])]));
  const element = make('fieldset', { class: 'segments' }, [make('legend', {}, [legend]), ...labels]);
  element.addEventListener('input', onChange);
  return {
    element,
    get value() {
      return /** @type {T} */ (inputs.find(({ checked }) => checked)?.value);
    },
    /** @param {T} value */
    choose(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
    /**
     * There is no such thing: it can be chosen all the same, to hear why.
     * @param {T} value
     * @param {string | undefined} reason undefined: there is
     */
    refuse(value, reason) {
      const i = inputs.findIndex((input) => input.value === value);
      labels[i].title = reason ?? '';
      for (const name of ['aria-disabled', 'aria-description']) inputs[i].removeAttribute(name);
      if (reason === undefined) return;
      inputs[i].setAttribute('aria-disabled', 'true');
      inputs[i].setAttribute('aria-description', reason);
    },
  };
}

/**
 * @param {string} text
 * @param {{min: number, max: number, value: number, step?: number}} range
 * @param {(value: number) => string} format
 * @param {() => void} onChange
 */
export function slider(text, range, format, onChange) {
  const input = make('input', { type: 'range', min: String(range.min), max: String(range.max), step: String(range.step ?? 1), value: String(range.value) });
  const output = make('output', {}, [format(range.value)]);
  const element = make('label', { class: 'field' }, [`${text} `, input, ' ', output]);
  input.addEventListener('input', () => {
    output.textContent = format(Number(input.value));
    onChange();
  });
  return {
    element,
    get value() {
      return Number(input.value);
    },
    /**
     * Another scale.
     * @param {number} max
     * @param {number} [value] left out, it stays, at the end if it was there
     */
    extend(max, value = input.value === input.max ? max : Number(input.value)) {
      input.max = String(max);
      input.value = String(value);
      output.textContent = format(Number(input.value));
    },
  };
}

/**
 * A button for something that takes a while: it shows how far that is, and stops it.
 * @param {string} text
 * @param {(signal: AbortSignal, onProgress: (passes: {done: number, total: number}) => void) => Promise<void>} work
 */
export function runner(text, work) {
  const button = make('button', { type: 'button', class: 'button' }, [text]);
  const fill = make('div');
  const bar = make('div', { class: 'progress', role: 'progressbar', 'aria-label': text, 'aria-valuemin': '0', 'aria-valuemax': '100' }, [fill]);
  const count = make('span', { class: 'count' });
  const element = make('div', { class: 'runner' }, [button, bar, count]);
  /** @type {AbortController | undefined} */
  let running;

  const settle = () => {
    running = undefined;
    button.textContent = text;
    bar.hidden = true;
    count.textContent = '';
  };
  const report = (/** @type {{done: number, total: number}} */ { done, total }) => {
    fill.style.transform = `scaleX(${done / total})`;
    bar.setAttribute('aria-valuenow', String(Math.round((100 * done) / total)));
    count.textContent = `${done} of ${total} passes`;
  };
  button.addEventListener('click', async () => {
    if (running) return running.abort();
    const mine = new AbortController();
    running = mine;
    button.textContent = 'Stop';
    bar.hidden = false;
    fill.style.transform = 'scaleX(0)';
    await work(mine.signal, (passes) => running === mine && report(passes));
    if (running === mine) settle();
  });
  settle();
  return {
    element,
    stop() {
      running?.abort();
      settle();
    },
    /** @param {boolean} disabled */
    disable(disabled) {
      button.disabled = disabled;
    },
  };
}

/**
 * One of several small pictures, as radio buttons; they are drawn one after the other, so that the page stays free meanwhile.
 * @param {string} legend
 * @param {() => void} onChange
 * @param {string} [name] of the radio buttons, one of its own in the explorer
 */
export function pictures(legend, onChange, name = legend) {
  const list = make('div', { class: 'choices' });
  const element = make('fieldset', { class: 'pictures' }, [make('legend', {}, [legend]), list]);
  /** @type {{input: HTMLInputElement, canvas: HTMLCanvasElement}[]} */
  let items = [];
  let offered = '';
  let next = 0; // the picture whose turn it is while frames follow each other
  element.addEventListener('input', onChange);

  return {
    element,
    get value() {
      return items.findIndex(({ input }) => input.checked);
    },

    /**
     * @param {string[]} labels
     * @returns {boolean} whether they are not the same as before
     */
    offer(labels) {
      if (offered === String(labels)) return false;
      offered = String(labels);
      items = labels.map((label, i) => {
        const input = make('input', { type: 'radio', name: `picture of ${name}`, value: String(i), 'aria-label': `${legend} ${label}` });
        return { input, canvas: make('canvas', { 'aria-hidden': 'true' }) };
      });
      list.replaceChildren(...items.map(({ input, canvas }, i) => make('label', {}, [input, canvas, make('span', {}, [labels[i]])])));
      return true;
    },

    /** @param {number} i -1: none */
    choose(i) {
      items.forEach(({ input }, at) => (input.checked = at === i));
    },

    /**
     * One of them alone.
     * @param {number} i
     * @param {(canvas: HTMLCanvasElement, i: number) => unknown} draw
     */
    paint: (i, draw) => draw(items[i].canvas, i),

    /**
     * @param {(canvas: HTMLCanvasElement, i: number) => unknown} draw
     * @param {{live: boolean, signal: AbortSignal}} state live: one picture a frame will do
     */
    async draw(draw, { live, signal }) {
      if (live) {
        next = (next + 1) % items.length;
        await draw(items[next].canvas, next);
        return;
      }
      for (let i = 0; i < items.length && !signal.aborted; i++) {
        await new Promise((resolve) => setTimeout(resolve));
        if (!signal.aborted) await draw(items[i].canvas, i);
      }
    },
  };
}
