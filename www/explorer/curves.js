/** How deletion and insertion are drawn and told. */
import { scoreName } from './scores.js';
import { number } from './words.js';

/** @typedef {import('../../pkg/index.js').Curve} Curve */

/**
 * @param {{curve: Curve, kind: string}[]} lines the last one on top
 * @param {{name: string, scores: import('./scores.js').Scores, label: string, most?: number, mark?: number}} words name: of the class; most: where the scale of probabilities ends; mark: the step that is chosen
 * @returns {import('./chart.js').Chart}
 */
export function curvesChart(lines, { name, scores, label, most = 1, mark }) {
  const all = lines.flatMap(({ curve }) => [...curve.probabilities]);
  const scale = scores === 'none'
    ? { min: Math.min(...all), max: Math.max(...all), format: number }
    : { max: most, format: (/** @type {number} */ value) => `${Math.round(100 * value)} %` };
  return {
    x: 'share of patches', y: `${scoreName(scores)} of ${name}`, ...scale, mark, label,
    steps: Array.from(lines[0].curve.fractions, (share) => `${Math.round(100 * share)} %`),
    lines: lines.map(({ curve, kind }) => ({ values: curve.probabilities, kind })),
  };
}

/** A curve's area, after what it is an area of; values of a regression have none. @param {Curve} curve */
export function areaWords({ area }) {
  return area === undefined ? '' : `, area ${area.toFixed(3)}`;
}
