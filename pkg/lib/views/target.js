/** Which class a caller means. */
import { checkWhole } from '../common/checks.js';
import { invalid } from '../common/errors.js';

/** Indices that an error lists. */
const LISTED = 20;

/**
 * @param {number | string | undefined} target an index, or a name
 * @param {string[]} labels
 * @returns {number | undefined}
 */
export function targetIndex(target, labels) {
  if (target === undefined) return undefined;
  if (typeof target !== 'string') return checkWhole('target', target);
  const index = classNamed(target, labels);
  if (index !== undefined) return index;
  const wanted = fold(target.trim());
  const near = labels.filter((label) => alike(wanted, fold(label))).slice(0, 3);
  const remedy = near.length ? `Near it there ${near.length > 1 ? 'are' : 'is'} ${near.join('; ')}.` : labels.length ? `There are ${labels.length} classes; config.labels has their names.` : 'This model has no classes.';
  throw invalid(`There is no class '${target}'. ${remedy}`);
}

/**
 * The first of these steps that fits a label: the label as it is written, whatever the case, a part of it between commas as it is written,
 * whatever the case; its index. The command line has the same rule (`src/model/labels.rs`), and `tests/class_names.json` holds both to the
 * same answers.
 * @param {string} name
 * @param {string[]} labels
 */
export function classNamed(name, labels) {
  const part = name.trim();
  const steps = [
    (/** @type {string} */ label) => label === name,
    (/** @type {string} */ label) => fold(label) === fold(name),
    (/** @type {string} */ label) => parts(label).includes(part),
    (/** @type {string} */ label) => parts(fold(label)).includes(fold(part)),
  ];
  for (const fits of steps) {
    const found = labels.flatMap((label, index) => (fits(label) ? [index] : []));
    if (found.length === 1) return found[0];
    const more = found.length - LISTED;
    const list = [...found.slice(0, LISTED), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
    if (found.length) throw invalid(`'${name}' fits several classes: ${list}. Give the index of the one that is meant.`);
  }
  return /^\d+$/.test(part) && Number(part) < labels.length ? Number(part) : undefined;
}

/**
 * Between commas, without the space around; what is empty is no name.
 * @param {string} label
 */
function parts(label) {
  return label.split(',').map((part) => part.trim()).filter(Boolean);
}

/**
 * Each character in lower case by itself, so that no neighbour decides, and a final sigma as any other.
 * @param {string} text
 */
function fold(text) {
  return Array.from(text, (character) => character.toLowerCase()).join('').replaceAll('ς', 'σ');
}

/**
 * @param {string} wanted
 * @param {string} name
 */
function alike(wanted, name) {
  return wanted.length > 2 && (name.includes(wanted) || name.split(/[ ,]+/).some((word) => word.length > 2 && wanted.includes(word)) || name.startsWith(wanted.slice(0, 4)));
}
