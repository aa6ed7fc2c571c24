import { find, make } from '../dom.js';
import { droppedFiles } from '../files.js';
import { drawThumbnail } from '../teach/example.js';
import { whileHeld } from '../teach/hold.js';
import { photos } from '../teach/words.js';

/**
 * @typedef {import('../teach/store.js').OwnClass} OwnClass
 * @typedef {import('../teach/example.js').Example} Example
 * @typedef {{
 *   onOpen: () => void, onAdd: () => void, onRemove: (own: OwnClass) => void, onRename: (own: OwnClass, label: string) => void,
 *   onPhotos: (own: OwnClass, photos: (Blob | ImageBitmap)[]) => Promise<void>, onForget: (own: OwnClass, example: Example) => void,
 *   onUse: (use: 'photos' | 'model') => void, onSave: () => void, onFile: (file: File) => void,
 *   current: () => Promise<ImageBitmap | undefined>, isLive: () => boolean,
 * }} TeachHandlers  onOpen: it has been opened; current: what is shown
 */

const EVERY = 250; // ms between frames while the button is held
const SIDE = 56;
const CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 3.5l9 9M12.5 3.5l-9 9"/></svg>';

/**
 * One's own classes: their names and photos, in place under the answers, so that both are seen while photos are given.
 * @param {HTMLElement} root
 * @param {HTMLElement} answers with the buttons that open it and lead back
 * @param {TeachHandlers} handlers
 */
export function createTeach(root, answers, handlers) {
  const opener = find(answers, '[data-teach=open]');
  const back = find(answers, '[data-teach=back]');
  const says = make('p', { class: 'hint says', 'aria-live': 'polite' });
  const fill = make('div');
  const bar = make('div', { class: 'progress', role: 'progressbar', 'aria-label': 'Photos that the model has looked at', 'aria-valuemin': '0', 'aria-valuemax': '100' }, [fill]);
  const count = make('span', { class: 'count' });
  const running = make('div', { class: 'runner' }, [button('Cancel', () => handlers.onUse('model')), bar, count]);
  const list = make('ul', { class: 'own' });
  const again = button('Answer among yours', () => handlers.onUse('photos'));
  const save = button('Save as file', handlers.onSave);
  const input = make('input', { type: 'file', accept: '.safetensors', 'aria-label': 'File of classes', hidden: '' });
  const add = button('Add class', () => {
    handlers.onAdd();
    /** @type {HTMLInputElement | null} */ (list.querySelector('li:last-child input'))?.select();
  });
  root.append(
    make('p', { class: 'hint' }, ['Name classes, and give each a few photos: files, the one shown, or frames of the camera while you hold the button.']),
    list, make('div', { class: 'actions' }, [add, again, save, button('Open file', () => input.click())]), says, running, input,
  );
  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    input.value = '';
    if (file) handlers.onFile(file);
  });
  opener.addEventListener('click', () => {
    root.hidden = !root.hidden;
    opener.setAttribute('aria-expanded', String(!root.hidden));
    if (root.hidden) return;
    handlers.onOpen();
    root.scrollIntoView({ block: 'nearest' });
  });
  back.addEventListener('click', () => {
    handlers.onUse('model');
    opener.focus(); // this one is gone
  });

  /** @type {Map<OwnClass, ReturnType<typeof createRow>>} */
  const rows = new Map();

  return {
    /** @param {import('../teach/teaching.js').Shown} shown */
    show({ classes, says: sentence, passes, taught, ready }) {
      for (const [own, { element }] of rows) {
        if (classes.includes(own)) continue;
        const focused = element.matches(':focus-within');
        element.remove();
        rows.delete(own);
        if (focused) add.focus();
      }
      for (const [i, own] of classes.entries()) {
        const row = rows.get(own) ?? createRow(own, handlers);
        rows.set(own, row);
        if (list.children[i] !== row.element) list.insertBefore(row.element, list.children[i] ?? null);
        row.show();
      }
      if (says.textContent !== sentence) says.textContent = sentence;
      running.hidden = !passes;
      if (passes) {
        fill.style.transform = `scaleX(${passes.done / passes.total})`;
        bar.setAttribute('aria-valuenow', String(Math.round((100 * passes.done) / passes.total)));
        count.textContent = `${passes.done} of ${passes.total} photos`;
      }
      back.hidden = !taught;
      save.disabled = !taught;
      again.hidden = taught || !ready || Boolean(passes);
    },
  };
}

/**
 * @param {OwnClass} own
 * @param {TeachHandlers} handlers
 */
function createRow(own, { onRemove, onRename, onPhotos, onForget, current, isLive }) {
  const name = make('input', { type: 'text', class: 'name', maxlength: '80', autocomplete: 'off', spellcheck: 'false', 'aria-label': 'Name of the class' });
  const count = make('span', { class: 'count' });
  const remove = make('button', { type: 'button', class: 'button quiet' });
  const thumbs = make('ul', { class: 'thumbs' });
  const shown = button('Add what is shown');
  const files = make('input', { type: 'file', accept: 'image/*', multiple: '', hidden: '' });
  const choose = button('Choose photos', () => files.click());
  const element = make('li', {}, [make('div', { class: 'head' }, [name, count, remove]), thumbs, make('div', { class: 'actions' }, [shown, choose, files])]);
  remove.innerHTML = CROSS;
  /** @type {Map<Example, HTMLLIElement>} */
  const pictures = new Map();

  name.addEventListener('change', () => onRename(own, name.value));
  name.addEventListener('keydown', ({ key }) => key === 'Enter' && name.blur());
  remove.addEventListener('click', () => onRemove(own));
  whileHeld(shown, EVERY, async (again) => {
    if (again && !isLive()) return false;
    const frame = await current().catch(() => undefined);
    if (frame) await onPhotos(own, [frame]);
    return isLive();
  });
  files.addEventListener('change', () => {
    const chosen = [...(files.files ?? [])];
    files.value = '';
    if (chosen.length) onPhotos(own, chosen);
  });
  element.addEventListener('dragover', () => element.classList.add('over'));
  element.addEventListener('dragleave', () => element.classList.remove('over'));
  element.addEventListener('drop', async (event) => {
    element.classList.remove('over');
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault(); // so whatever is around knows that it is taken
    onPhotos(own, await droppedFiles(event.dataTransfer));
  });

  /** @param {Example} example */
  function picture(example) {
    const canvas = make('canvas', { width: String(2 * SIDE), height: String(2 * SIDE), 'aria-hidden': 'true' });
    const cross = make('button', { type: 'button' }, [canvas]);
    cross.insertAdjacentHTML('beforeend', CROSS);
    const item = make('li', {}, [cross]);
    cross.addEventListener('click', () => {
      const next = item.nextElementSibling ?? item.previousElementSibling;
      onForget(own, example);
      /** @type {HTMLElement} */ (next?.firstElementChild ?? shown).focus();
    });
    drawThumbnail(example, canvas);
    return item;
  }

  return {
    element,

    show() {
      const { label, examples } = own;
      if (!name.matches(':focus')) name.value = label;
      count.textContent = photos(examples.length);
      for (const [text, element] of /** @type {const} */ ([['Delete', remove], ['Add what is shown to', shown], ['Choose photos of', choose], ['Photos of', files]])) element.setAttribute('aria-label', `${text} ${label}`);
      for (const [example, item] of pictures) {
        if (examples.includes(example)) continue;
        item.remove();
        pictures.delete(example);
      }
      examples.forEach((example, i) => {
        const item = pictures.get(example) ?? picture(example);
        pictures.set(example, item);
        if (thumbs.children[i] !== item) thumbs.insertBefore(item, thumbs.children[i] ?? null);
        item.firstElementChild?.setAttribute('aria-label', `Remove photo ${i + 1} of ${label}`);
      });
    },
  };
}

/**
 * @param {string} text
 * @param {() => void} [run]
 */
function button(text, run) {
  const element = make('button', { type: 'button', class: 'button' }, [text]);
  if (run) element.addEventListener('click', run);
  return element;
}
