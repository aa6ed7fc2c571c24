/** What is around the explorers in a cell: the row of images, where there are several, and a column for each model. */
import { find, make, sheet } from '../../www/explorer/dom.js';
import { setTheme } from '../../www/explorer/host.js';
import { PALETTE } from '../../www/explorer/palette.js';

const STYLES = /* css */ `${PALETTE}
:host { display: block; container: frame / inline-size; background: var(--paper); color: var(--ink); border: 1px solid var(--line); border-radius: 4px; overflow: hidden;
  font: 13px/20px -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; font-variant-numeric: tabular-nums; }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--signal); outline-offset: -2px; }
nav { display: flex; align-items: center; gap: 12px; padding: 8px 16px; border-bottom: 1px solid var(--line); }
nav p { margin: 0; display: flex; flex: 1 1 0; min-width: 0; gap: 8px; }
nav p span { color: var(--soft); white-space: nowrap; }
nav b { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--strong-line); border-radius: 4px; cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--ink); }
button:disabled { color: var(--soft); border-color: var(--line); cursor: default; opacity: 0.7; }
.step { display: grid; place-items: center; width: 32px; height: 32px; padding: 0; flex: none; }
.step svg { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 1.25; stroke-linejoin: round; stroke-linecap: round; }
.images { display: flex; gap: 4px; margin: 0; padding: 0; list-style: none; overflow-x: auto; max-width: 60%; scrollbar-width: thin; }
.images button { display: block; width: 32px; height: 32px; padding: 0; border-color: var(--line); color: var(--soft); background: var(--well) center / cover; overflow: hidden; }
.images button[aria-current] { border-color: var(--signal); box-shadow: inset 0 0 0 1px var(--signal); color: var(--signal); }
.images canvas { display: block; width: 100%; height: 100%; }
.images button[aria-current] canvas { box-shadow: none; opacity: 1; }
.say { margin: 0; padding: 8px 16px; border-bottom: 1px solid var(--line); }
.models { display: grid; gap: 1px; background: var(--line); }
.models > div { min-width: 0; background: var(--paper); }
@container frame (min-width: 880px) { .models.two { grid-template-columns: 1fr 1fr; } }
@container frame (max-width: 560px) { .images { display: none; } }
`;

const ARROW = (/** @type {string} */ path) => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;

/**
 * @param {HTMLElement} root
 * @param {{models: number, images: string[], onImage: (index: number) => void}} given images: their titles
 */
export function createFrame(root, { models, images, onImage }) {
  const host = make('div');
  const inside = host.attachShadow({ mode: 'open' });
  inside.adoptedStyleSheets = [sheet(STYLES)];
  inside.innerHTML = `
    <nav aria-label="Images" hidden>
      <button type="button" class="step" aria-label="Previous image">${ARROW('M10 3.5L5.5 8l4.5 4.5')}</button>
      <p role="status"><span></span><b></b></p>
      <ol class="images"></ol>
      <button type="button" class="step" aria-label="Next image">${ARROW('M6 3.5L10.5 8 6 12.5')}</button>
    </nav>
    <p class="say" role="alert" hidden></p>
    <div class="models"></div>`;
  const nav = find(inside, 'nav');
  const [back, on] = /** @type {NodeListOf<HTMLButtonElement>} */ (inside.querySelectorAll('.step'));
  const say = find(inside, '.say');
  const list = find(inside, '.images');
  const columns = Array.from({ length: models }, () => make('div'));
  let at = 0;

  nav.hidden = images.length < 2;
  find(inside, '.models').append(...columns);
  find(inside, '.models').classList.toggle('two', models > 1);
  const marks = images.map((title, i) => {
    const button = make('button', { type: 'button', 'aria-label': `Image ${i + 1}: ${title}`, title }, [String(i + 1)]);
    button.addEventListener('click', () => onImage(i));
    list.append(make('li', {}, [button]));
    return button;
  });
  back.addEventListener('click', () => onImage(at - 1));
  on.addEventListener('click', () => onImage(at + 1));
  root.append(host);

  return {
    /** A place for each model's explorer. */
    columns,

    /** @param {number} index of the image that is shown */
    mark(index) {
      marks[at]?.removeAttribute('aria-current');
      at = index;
      marks[at].setAttribute('aria-current', 'true');
      back.disabled = at === 0;
      on.disabled = at === images.length - 1;
      find(nav, 'span').textContent = `${at + 1} / ${images.length}`;
      find(nav, 'b').textContent = images[at];
      const { offsetLeft, offsetWidth } = marks[at];
      list.scrollLeft = offsetLeft - list.offsetLeft - (list.clientWidth - offsetWidth) / 2;
    },

    /**
     * @param {number} index
     * @param {Blob} picture
     */
    async thumbnail(index, picture) {
      if (images.length < 2 || marks[index].firstElementChild) return;
      const bitmap = await createImageBitmap(picture);
      const edge = Math.min(bitmap.width, bitmap.height);
      const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
      canvas.getContext('2d')?.drawImage(bitmap, (bitmap.width - edge) / 2, (bitmap.height - edge) / 2, edge, edge, 0, 0, 64, 64);
      bitmap.close();
      marks[index].replaceChildren(canvas);
    },

    /** A sentence; none: nothing any more. @param {string} [sentence] */
    say(sentence = '') {
      say.textContent = sentence;
      say.hidden = !sentence;
    },

    /** @param {import('../../www/explorer/host.js').Theme} theme */
    paint: (theme) => setTheme(host, theme),

    remove: () => host.remove(),
  };
}
