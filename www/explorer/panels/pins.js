import { make } from '../dom.js';
import { drawRamp } from '../maps.js';
import { SIZE, drawCard, scaleColours, scaleWords } from '../pins/card.js';
import { MOST } from '../pins/pins.js';

/**
 * @typedef {import('../pins/card.js').Card} Card
 * @typedef {{onPin: () => void, onRemove: (card: Card) => void, onCommon: (common: boolean) => void, onExport: () => void}} PinHandlers
 */

const CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3.5 3.5l9 9M12.5 3.5l-9 9"/></svg>';

/**
 * Pinned views side by side, and the present one as the last of them.
 * @param {HTMLElement} root
 * @param {HTMLElement} pin the button
 * @param {PinHandlers} handlers
 */
export function createPins(root, pin, { onPin, onRemove, onCommon, onExport }) {
  const button = /** @type {HTMLButtonElement} */ (pin);
  const common = make('input', { type: 'checkbox', name: 'common' });
  const picture = make('button', { type: 'button', class: 'button' }, ['Export as one picture']);
  const list = make('ul', { class: 'cards' });
  const scale = make('label', { class: 'field check', title: 'Equal colours for equal values, where they are of one kind' }, [common, ' Common scale']);
  root.append(make('div', { class: 'heading' }, [make('h2', {}, ['Side by side']), scale, picture]), list);
  button.addEventListener('click', onPin);
  common.addEventListener('change', () => onCommon(common.checked));
  picture.addEventListener('click', onExport);
  /** @type {Map<Card, ReturnType<typeof createCard>>} */
  const rows = new Map();
  const present = createCard(undefined);

  return {
    /** @param {import('../pins/pins.js').Pins} pins */
    show({ present: card, pinned, full, drawn }) {
      button.disabled = !card || full;
      button.title = full ? `${MOST} are pinned. Remove one to pin another.` : 'Keeps this view, to put another beside it';
      const before = rows.size;
      for (const [old, { element }] of rows) {
        if (pinned.includes(old)) continue;
        const next = /** @type {HTMLElement | null} */ ((element.nextElementSibling ?? element.previousElementSibling)?.querySelector('button'));
        if (element.matches(':focus-within')) (next ?? button).focus();
        element.remove();
        rows.delete(old);
      }
      root.hidden = !pinned.length;
      if (!pinned.length) return present.element.remove();
      for (const { card, range } of drawn) {
        const known = pinned.includes(card) ? (rows.get(card) ?? createCard(() => onRemove(card))) : present;
        if (known !== present) rows.set(card, known);
        known.show(card, range);
        if (known.element.parentElement !== list) list.insertBefore(known.element, known === present ? null : present.element.parentElement && present.element);
      }
      present.element.classList.toggle('stale', !card); // while the next is awaited: nothing moves
      if (!before) root.scrollIntoView({ block: 'nearest' });
    },
  };
}

/** @param {(() => void) | undefined} onRemove none for the present view */
function createCard(onRemove) {
  const canvas = make('canvas', { width: String(SIZE.width), height: String(SIZE.height), role: 'img' });
  const title = make('p', { class: 'title' });
  const about = make('p', { class: 'hint' });
  const ramp = make('canvas', { width: '256', height: '1', 'aria-hidden': 'true' });
  const [low, high] = [make('span'), make('span')];
  const legend = make('div', { class: 'legend' }, [ramp, make('p', {}, [low, high])]);
  const element = make('li', onRemove ? {} : { class: 'now' }, [canvas, title, about, legend]);
  const remove = make('button', { type: 'button', class: 'button quiet' });
  remove.innerHTML = CROSS;
  if (onRemove) {
    remove.addEventListener('click', onRemove);
    element.append(remove);
  } else element.append(make('span', { class: 'tag' }, ['Now']));
  /** @type {Card | undefined} */
  let shown;
  let scale = '';

  return {
    element,

    /**
     * @param {Card} card
     * @param {import('../pins/card.js').Range | undefined} range
     */
    show(card, range) {
      if (shown === card && scale === String(range)) return;
      [shown, scale] = [card, String(range)];
      drawCard(canvas, card, range);
      title.textContent = title.title = card.title;
      about.textContent = about.title = card.about;
      canvas.setAttribute('aria-label', `${card.title}. ${card.about}`);
      remove.setAttribute('aria-label', `Remove pin: ${card.title}, ${card.about}`);
      legend.classList.toggle('empty', !range);
      if (!range) return;
      [low.textContent, high.textContent] = scaleWords(card, range);
      drawRamp(ramp, scaleColours(card));
    },
  };
}
