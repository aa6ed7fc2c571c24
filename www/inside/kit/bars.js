import { make } from '../../explorer/dom.js';
import { classNames } from '../../explorer/names.js';
import { scoreFormat } from '../../explorer/scores.js';

/**
 * Answers of the model as bars; where something was changed, what they were before as a mark on each.
 * @param {string} label
 */
export function createBars(label) {
  const element = make('ul', { class: 'bars', 'aria-label': label });

  return {
    element,

    /**
     * @param {{top: {index: number, score: number}[], scores: import('../../explorer/scores.js').Scores}} answer
     * @param {string[]} labels of all classes
     * @param {(index: number) => number | undefined} [before] the score that a class had
     */
    show({ top, scores }, labels, before = () => undefined) {
      const names = classNames(labels);
      const say = scoreFormat(scores);
      element.replaceChildren(...top.map(({ index, score }) => {
        const was = before(index);
        const bar = make('span', { class: 'bar', 'aria-hidden': 'true' }, [Object.assign(make('i'), { style: `--share: ${scores === 'none' ? 0 : score}` })]);
        if (was !== undefined && scores !== 'none') bar.append(Object.assign(make('u'), { style: `--share: ${was}` }));
        return make('li', {}, [
          make('span', { class: 'label', title: labels[index] }, [names[index]]), bar,
          make('span', { class: 'score' }, [say(score), ...(was === undefined ? [] : [make('span', { class: 'was' }, [` was ${say(was)}`])])]),
        ]);
      }));
    },
  };
}
