/** A chapter on the page: its text with the model's numbers, and its figure, which is drawn when it is near. */
import { find, make } from '../explorer/dom.js';
import { isStaged } from '../explorer/stages.js';
import { conditionsOf, factsOf } from './facts.js';

/**
 * @typedef {import('./figure.js').Chapter} Chapter
 * @typedef {import('./figure.js').Context} Context
 */

/** What is said while a figure computes. */
const MOMENT = 'One moment.';
const NO_FACT = '…';
/** Where a figure is of other models. */
const UNFIT = 'This figure is of a plain Vision Transformer, where in every layer all tokens meet. The loaded model has stages or windows: the last chapter shows what these do.';

/**
 * @param {Chapter} chapter
 * @param {number} number from 1
 * @param {{choose: import('./figure.js').Hands['choose'], fail: (error: unknown) => void}} hands
 */
export function createChapter({ id, title, steps, figure: create, facts: own, staged = [] }, number, { choose, fail }) {
  const figure = create({ choose, change: () => void draw() });
  const drawing = make('div', { class: 'drawing' }, [figure.element]);
  const caption = make('figcaption', {}, [MOMENT]);
  const section = make('section', { class: 'chapter', id, 'aria-labelledby': `${id}-title` }, [
    make('h2', { id: `${id}-title`, tabindex: '-1' }, [make('span', { class: 'number' }, [String(number)]), title]),
    make('figure', {}, [drawing, caption]),
    make('div', { class: 'prose' }, steps.map((html) => Object.assign(make('div', { class: 'step' }), { innerHTML: html }))),
  ]);
  const places = [...section.querySelectorAll('[data-fact]')];
  places.forEach((place) => (place.textContent ||= NO_FACT));
  const conditional = /** @type {HTMLElement[]} */ ([...section.querySelectorAll('[data-when]')]);
  let step = 0;
  let near = false;
  /** @type {Omit<Context, 'step' | 'signal'> | undefined} */
  let shown;
  /** Whether what is drawn is of what is shown. */
  let drawn = false;
  let work = new AbortController();

  async function draw() {
    work.abort();
    drawn = Boolean(shown && near);
    if (!shown || !near) return;
    work = new AbortController();
    const { signal } = work;
    const unfit = isStaged(shown.trace) && !staged.includes(step);
    section.classList.toggle('unfit', unfit);
    if (unfit) return void (caption.textContent = UNFIT);
    const context = { ...shown, step, signal };
    const slow = setTimeout(() => (section.dataset.busy = 'yes'), 200);
    try {
      const [text] = await Promise.all([figure.show(context), own && fill(context)]);
      if (signal.aborted) return;
      caption.textContent = text;
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = /** @type {Error & {code?: string}} */ (error);
      caption.textContent = message;
      if (code !== 'invalid-argument' && code !== 'unsupported-view') fail(error);
    } finally {
      clearTimeout(slow);
      if (work.signal === signal) delete section.dataset.busy;
    }
  }

  /** @param {Context} context */
  async function fill(context) {
    const facts = { ...factsOf(context), ...(await own?.(context)) };
    if (context.signal.aborted) return;
    for (const place of places) place.textContent = facts[place.getAttribute('data-fact') ?? ''] ?? NO_FACT;
  }

  return {
    id,
    title,
    section,

    /** @param {Omit<Context, 'step' | 'signal'> | undefined} next undefined: there is no answer yet */
    show(next) {
      shown = next;
      if (next) {
        const [facts, holds] = [factsOf(next), conditionsOf(next)];
        for (const place of places) {
          const fact = facts[place.getAttribute('data-fact') ?? ''];
          if (fact !== undefined) place.textContent = fact;
        }
        for (const part of conditional) {
          const [, not, name] = /** @type {RegExpExecArray} */ (/^(!?)(.*)$/.exec(part.dataset.when ?? ''));
          part.hidden = holds[name] === Boolean(not);
        }
      }
      return draw();
    },

    /** @param {number} next */
    read(next) {
      section.querySelectorAll('.step').forEach((element, i) => element.classList.toggle('read', i === next));
      if (step === next) return;
      step = next;
      draw();
    },

    /** @param {boolean} is */
    approach(is) {
      near = is;
      if (is && drawn) return;
      draw();
    },

    /** Goes there. */
    open() {
      section.scrollIntoView();
      find(section, 'h2').focus({ preventScroll: true });
    },
  };
}
