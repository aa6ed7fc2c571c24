/** What is said of one's own classes. */
import { advice, ready } from './classes.js';

const MOST = 6; // names in a sentence

/**
 * @param {import('./store.js').Kept} kept
 * @param {{taught: boolean, reading: boolean}} state taught: other classes than the model's own answer
 */
export function sentence({ classes, file, use }, { taught, reading }) {
  if (reading) return 'The model looks at your photos.';
  const among = ready(classes);
  if (taught && use === 'file' && file) return `It answers among the ${file.labels.length} classes of ${file.name}: ${list(file.labels)}.`;
  if (taught && use === 'photos' && among.length) return [`It answers among ${list(among.map(({ label }) => label))}.`, advice(classes)].filter(Boolean).join(' ');
  if (use === 'model' && among.length) return "It answers among the model's own classes. Yours are kept.";
  return advice(classes);
}

/** @param {number} count */
export function photos(count) {
  return count === 1 ? '1 photo' : `${count} photos`;
}

/** @param {string[]} names */
function list(names) {
  if (names.length > MOST) return `${names.slice(0, MOST).join(', ')} and ${names.length - MOST} more`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
