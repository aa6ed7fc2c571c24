/** One's own classes: what there is of each, and whether it is enough. */

/**
 * @typedef {import('./example.js').Example} Example
 * @typedef {import('./store.js').OwnClass} OwnClass
 */

/** Photos of one class: a few more would change nothing, and each is read again by another model. */
export const MOST = 60;

/** The next class's name until it has one. @param {OwnClass[]} classes */
export function freshName(classes) {
  let n = classes.length + 1;
  while (classes.some(({ label }) => label === `Class ${n}`)) n++;
  return `Class ${n}`;
}

/**
 * Why a class can't be called so.
 * @param {OwnClass[]} classes
 * @param {OwnClass} own
 * @param {string} label
 */
export function refusal(classes, own, label) {
  if (!label) return 'A class needs a name.';
  return classes.some((other) => other !== own && other.label === label) ? `There is a class called ${label} already.` : undefined;
}

/** Those that can be answered. @param {OwnClass[]} classes */
export function ready(classes) {
  const filled = classes.filter(({ examples }) => examples.length);
  return filled.length > 1 ? filled : [];
}

/** What is still missing, or would help. @param {OwnClass[]} classes */
export function advice(classes) {
  if (classes.length < 2) return 'Add a second class: it answers among two or more.';
  const empty = classes.filter(({ examples }) => !examples.length);
  if (empty.length === classes.length) return 'Give each class at least one photo.';
  if (empty.length) return `Give ${empty[0].label} at least one photo.`;
  if (classes.every(({ examples }) => examples.length === 1)) return 'With one photo each it cannot tell how sure to be. Add a second.';
  return '';
}
