/** What a class is called where there is little room. */

/** @type {WeakMap<string[], string[]>} */
const known = new WeakMap();

/**
 * The first name of each synset, "tabby" of "tabby, tabby cat"; the whole label where that is another class's first name too.
 * @param {string[]} labels of one model
 */
export function classNames(labels) {
  let names = known.get(labels);
  if (!names) {
    const firsts = labels.map((label) => label.split(',')[0].trim());
    const times = new Map();
    for (const first of firsts) times.set(first.toLowerCase(), (times.get(first.toLowerCase()) ?? 0) + 1);
    names = firsts.map((first, i) => (first && times.get(first.toLowerCase()) === 1 ? first : labels[i]));
    known.set(labels, names);
  }
  return names;
}
