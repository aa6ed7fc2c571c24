import { find, make } from '../dom.js';
import { classNames } from '../names.js';
import { isSure, scoreFormat } from '../scores.js';

const ROWS = 5;

/**
 * The classes with the highest scores, one of which can be asked about.
 * @param {HTMLElement} root
 * @param {(index: number) => void} onChoose
 */
export function createAnswers(root, onChoose) {
  const list = find(root, 'ol');
  const unsure = find(root, '.unsure');
  const rows = Array.from({ length: ROWS }, () => {
    const label = make('span', { class: 'label' }, ['–']);
    const fill = make('i');
    const score = make('span', { class: 'score' });
    fill.style.transform = 'scaleX(0)';
    const button = make('button', { type: 'button', 'aria-pressed': 'false' }, [label, make('span', { class: 'bar', 'aria-hidden': 'true' }, [fill]), score]);
    button.disabled = true;
    list.append(make('li', {}, [button]));
    return { button, label, fill, score };
  });
  /** @type {{index: number}[]} */
  let shown = [];
  /** @type {number | undefined} */
  let chosen;
  const mark = () => rows.forEach(({ button }, i) => button.setAttribute('aria-pressed', String(shown[i] !== undefined && shown[i].index === chosen)));
  rows.forEach(({ button }, i) => button.addEventListener('click', () => shown[i] && onChoose(shown[i].index)));

  return {
    rows: ROWS,

    /**
     * @param {{top: {index: number, label: string, score: number}[], scores: import('../scores.js').Scores}} answer
     * @param {string[]} labels of all classes
     */
    show(answer, labels) {
      const { top, scores } = answer;
      shown = top;
      unsure.textContent = isSure(answer) ? '\u00a0' : 'Not sure: no class reaches 50 %.';
      list.classList.toggle('values', scores === 'none'); // of which no bar shows how large they are
      rows.forEach(({ button, label, fill, score }, i) => {
        const entry = top[i];
        button.disabled = !entry;
        button.style.visibility = entry || i === 0 ? '' : 'hidden'; // where there are fewer classes; the row keeps its place
        label.textContent = entry ? classNames(labels)[entry.index] : i === 0 ? 'This model has no classes' : ' ';
        label.title = entry?.label ?? '';
        fill.style.transform = `scaleX(${scores === 'none' ? 0 : entry?.score ?? 0})`;
        score.textContent = entry ? scoreFormat(scores)(entry.score) : '';
      });
      mark();
    },

    /** @param {number | undefined} index of the class that a view is about */
    choose(index) {
      chosen = index;
      mark();
    },

    /**
     * While an answer is awaited the old one is dimmed; while frames follow each other, nothing is read aloud.
     * @param {{busy?: boolean, live?: boolean}} state
     */
    mark({ busy = false, live = false }) {
      list.setAttribute('aria-busy', String(busy));
      for (const element of [list, unsure]) element.setAttribute('aria-live', live ? 'off' : 'polite');
    },
  };
}
