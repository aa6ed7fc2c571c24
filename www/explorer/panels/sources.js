import { find, make } from '../dom.js';
import { droppedFiles } from '../files.js';

/**
 * @typedef {{name?: string, file: string, title: string}} Sample  name: by which a state tells it
 * @typedef {{
 *   onFiles: (files: File[]) => void,
 *   onSample: (sample: Sample) => void,
 *   onNothing: (message: string) => void,
 * }} SourceHandlers
 */

/**
 * Where photos come from: the samples, the file chooser, drop and paste anywhere on the page.
 * @param {HTMLElement} root
 * @param {HTMLElement} drop shown while files are dragged over the page
 * @param {Sample[]} samples
 * @param {HTMLElement | Document} around where files are dropped and pasted
 * @param {SourceHandlers} handlers
 * @param {AbortSignal} life
 */
export function createSources(root, drop, samples, around, { onFiles, onSample, onNothing }, life) {
  const list = find(root, '.samples');
  const input = /** @type {HTMLInputElement} */ (find(root, '[data-source=file]'));

  const buttons = samples.map((sample) => {
    const image = make('img', { src: sample.file, alt: sample.title, width: '60', height: '44', decoding: 'async', draggable: 'false' });
    const button = make('button', { type: 'button', 'aria-pressed': 'false', title: sample.title }, [image]);
    button.addEventListener('click', () => onSample(sample));
    list.append(make('li', {}, [button]));
    return { sample, button };
  });

  find(root, '[data-source=choose]').addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    input.value = ''; // so that the same file can be chosen again
    if (files.length) onFiles(files);
  });
  acceptPaste(around, onFiles, onNothing, life);
  acceptDrop(around, drop, onFiles, onNothing, life);

  return {
    /** @param {Sample | undefined} sample the one that is shown */
    mark(sample) {
      for (const entry of buttons) entry.button.setAttribute('aria-pressed', String(entry.sample === sample));
    },
  };
}

/**
 * @param {HTMLElement | Document} around
 * @param {SourceHandlers['onFiles']} onFiles
 * @param {SourceHandlers['onNothing']} onNothing
 * @param {AbortSignal} signal
 */
function acceptPaste(around, onFiles, onNothing, signal) {
  around.addEventListener('paste', (given) => {
    const event = /** @type {ClipboardEvent} */ (given);
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) onFiles(files);
    else onNothing('The clipboard holds no picture. Copy one, or drop its file here.');
  }, { signal });
}

/**
 * @param {HTMLElement | Document} around
 * @param {HTMLElement} cover
 * @param {SourceHandlers['onFiles']} onFiles
 * @param {SourceHandlers['onNothing']} onNothing
 * @param {AbortSignal} signal
 */
function acceptDrop(around, cover, onFiles, onNothing, signal) {
  let depth = 0; // dragenter and dragleave come for every element passed
  const show = (/** @type {number} */ next) => {
    depth = Math.max(0, next);
    cover.hidden = depth === 0;
  };
  around.addEventListener('dragenter', () => show(depth + 1), { signal });
  around.addEventListener('dragleave', () => show(depth - 1), { signal });
  around.addEventListener('dragover', (event) => event.preventDefault(), { signal });
  around.addEventListener('drop', async (given) => {
    const event = /** @type {DragEvent} */ (given);
    const taken = event.defaultPrevented; // by what it was dropped on
    event.preventDefault();
    show(0);
    if (taken || !event.dataTransfer) return;
    const files = await droppedFiles(event.dataTransfer);
    if (files.length) onFiles(files);
    else onNothing('That was not a file. Save the picture first, then drop the file here.');
  }, { signal });
}
