import { find, make, percent } from '../dom.js';

const ROWS = 5;

/**
 * The likeliest classes with their probabilities.
 * @param {HTMLElement} root
 */
export function createAnswers(root) {
  const list = find(root, 'ol');
  const rows = Array.from({ length: ROWS }, () => {
    const label = make('span', { class: 'label' }, ['–']);
    const fill = make('i');
    const score = make('span', { class: 'score' });
    fill.style.transform = 'scaleX(0)';
    list.append(make('li', {}, [label, make('span', { class: 'bar', 'aria-hidden': 'true' }, [fill]), score]));
    return { label, fill, score };
  });

  return {
    rows: ROWS,

    /** @param {{label: string, score: number}[]} top */
    show(top) {
      rows.forEach(({ label, fill, score }, i) => {
        const entry = top[i];
        label.textContent = entry?.label ?? (i === 0 ? 'This model has no classes' : ' ');
        label.title = entry?.label ?? '';
        fill.style.transform = `scaleX(${entry?.score ?? 0})`;
        score.textContent = entry ? percent(entry.score) : '';
      });
    },

    /**
     * While an answer is awaited the old one is dimmed; while frames follow each other, nothing is read aloud.
     * @param {{busy?: boolean, live?: boolean}} state
     */
    mark({ busy = false, live = false }) {
      list.setAttribute('aria-busy', String(busy));
      list.setAttribute('aria-live', live ? 'off' : 'polite');
    },
  };
}
