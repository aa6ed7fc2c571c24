import { make } from '../../explorer/dom.js';
import { classNames } from '../../explorer/names.js';
import { scoreFormat, scoresOf } from '../../explorer/scores.js';

/** @typedef {import('../figure.js').Context} Context */

/** How many of the highest are offered. */
const OFFERED = 5;

/**
 * The classes with the highest logits, the highest first.
 * @param {ArrayLike<number>} logits
 * @param {number} count
 */
export function highest(logits, count) {
  return Array.from(logits, (_, index) => index).sort((a, b) => logits[b] - logits[a]).slice(0, count);
}

/**
 * The highest, and the one that is asked about.
 * @param {Context} context with a target
 * @param {number} count
 */
export function asked({ trace, target }, count) {
  const top = highest(trace.logits, count);
  return !target || top.includes(target.index) ? top : [...top.slice(0, -1), target.index];
}

/**
 * Other children in place of those that are there; the class that had the focus keeps it.
 * @param {HTMLElement} parent
 * @param {Node[]} children in which a class is told by `data-class`
 */
export function refill(parent, children) {
  const active = /** @type {ShadowRoot | Document} */ (parent.getRootNode()).activeElement;
  const held = active instanceof HTMLElement && parent.contains(active) ? active.dataset.class : undefined;
  parent.replaceChildren(...children);
  if (held !== undefined) /** @type {HTMLElement | null} */ (parent.querySelector(`[data-class="${held}"]`))?.focus({ preventScroll: true });
}

/**
 * The model's answers as buttons: which class is asked about.
 * @param {(index: number) => void} onChoose
 */
export function createClasses(onChoose) {
  const element = make('div', { class: 'classes', role: 'group', 'aria-label': 'Class that is asked about' });
  let shown = '';

  return {
    element,

    /** @param {Context} context */
    show(context) {
      const { trace, vit: { config }, target } = context;
      element.hidden = !target;
      const classes = target ? asked(context, OFFERED) : [];
      const scores = scoresOf({ rows: 1, cols: trace.logits.length, channels: 1, data: trace.logits, signed: false, text: '' }, config.scores);
      const key = classes.map((index) => `${index} ${scores[index]}`).join();
      if (key !== shown) {
        shown = key;
        const [names, say] = [classNames(config.labels), scoreFormat(config.scores)];
        refill(element, classes.map((index) => {
          const button = make('button', { type: 'button', class: 'button', title: config.labels[index], 'data-class': String(index) }, [names[index], ' ', make('span', {}, [say(scores[index])])]);
          button.addEventListener('click', () => onChoose(index));
          return button;
        }));
      }
      for (const button of element.querySelectorAll('button')) {
        const chosen = button.dataset.class === String(target?.index);
        button.classList.toggle('on', chosen);
        button.setAttribute('aria-pressed', String(chosen));
      }
    },
  };
}

/** @param {string} chapter its id */
export const classesStyles = (chapter) => /* css */ `
#${chapter} .classes { display: flex; flex: none; gap: 6px; padding: 3px; margin: -3px; overflow-x: auto; scrollbar-width: none; }
#${chapter} .classes .button { flex: none; }
#${chapter} .classes .button span { color: var(--soft); }
@container drawing (520px < width < 820px) { #${chapter} .classes .button:nth-child(5):not(.on) { display: none; } }
`;
