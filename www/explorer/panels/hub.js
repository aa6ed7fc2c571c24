import { find, make } from '../dom.js';
import { sizeOf } from '../words.js';

/** What the Hub calls a model, with a revision or without. */
const NAME = /^[\w-][\w.-]*\/[\w-][\w.-]*(@\S+)?$/;
const HOST = 'huggingface.co';

/**
 * @typedef {import('../../../pkg/index.js').ModelDescription} ModelDescription
 * @typedef {{allowed: boolean, name: string, bytes?: number, busy?: boolean, found?: ModelDescription, refusal?: string}} Shown
 */

/**
 * A model of the Hub by its name: what it is before it is loaded, and whether the page may ask.
 * @param {HTMLElement} root
 * @param {import('../library.js').Suggestion[]} suggestions
 * @param {{onName: (name: string) => void, onLookUp: (name: string) => void, onLoad: (name: string) => void, onAllow: (name: string) => void, onForbid: () => void}} handlers
 */
export function createHub(root, suggestions, { onName, onLookUp, onLoad, onAllow, onForbid }) {
  const at = (/** @type {string} */ name) => find(root, `[data-hub=${name}]`);
  const [words, ask, status, forbid] = ['words', 'ask', 'found', 'forbid'].map(at);
  const button = /** @type {HTMLButtonElement} */ (ask);
  const load = /** @type {HTMLButtonElement} */ (at('load'));
  const input = /** @type {HTMLInputElement} */ (find(root, 'input'));
  let allowed = false;

  const written = () => input.value.trim().replace(/^(hf:|https:\/\/huggingface\.co\/)|\/+$/g, '');
  const proceed = () => {
    if (!allowed) onAllow(NAME.test(written()) ? written() : '');
    else if (NAME.test(written())) onLookUp(written());
  };
  input.addEventListener('input', () => onName(written()));
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault(); // of the form, which would close the dialog
    proceed();
  });
  button.addEventListener('click', proceed);
  load.addEventListener('click', () => onLoad(written()));
  forbid.addEventListener('click', onForbid);
  find(root, 'ul').append(...suggestions.map(({ name, what, bytes }) => {
    const choose = make('button', { type: 'button', class: 'button' }, [make('b', {}, [name]), ` ${what}, ${sizeOf(bytes)}`]);
    choose.addEventListener('click', () => {
      input.value = name;
      if (allowed) onLookUp(name);
      else onName(name);
    });
    return make('li', {}, [choose]);
  }));

  return {
    /** @param {string} name */
    set name(name) {
      input.value = name;
    },

    focus() {
      input.focus();
      root.scrollIntoView({ block: 'nearest' });
    },

    /** @param {Shown} shown */
    show({ allowed: now, name, bytes, busy = false, found, refusal }) {
      allowed = now;
      root.hidden = false;
      words.textContent = now ? `Files of models come from ${HOST}; photos never leave this page.`
        : `A model from ${HOST} makes this page talk to that server, to fetch its files and nothing else; photos never leave. The page is opened anew for it.`;
      button.textContent = now ? 'Look up' : `Allow ${HOST}`;
      button.disabled = now && (busy || !NAME.test(name));
      forbid.hidden = !now;
      load.hidden = !found || found.gated || bytes === 0;
      load.textContent = bytes ? `Load, ${sizeOf(bytes)}` : 'Load';
      if (found) status.replaceChildren(...describe(found));
      else status.textContent = refusal ?? (busy ? `Asking ${HOST} about ${name}.` : NAME.test(name) ? `${name}, from ${HOST}${bytes ? `, ${sizeOf(bytes)}` : ''}.` : '');
    },
  };
}

/** @param {ModelDescription} found */
function describe({ model, url, bytes, gated, licence }) {
  const facts = [bytes === undefined ? 'of unknown size' : bytes ? sizeOf(bytes) : "without a model.safetensors, so that it can't be loaded here", licence ? `licence ${licence}` : 'no licence stated'];
  const page = make('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, [`its page on ${new URL(url).host}`]);
  const closed = gated ? ' It is not open to everyone: accept its conditions there, download it, and choose its folder here.' : '';
  return [`${model.slice(3)}: ${facts.join(', ')}, `, page, `.${closed}`];
}
