/** How far one place is from another, in words: 2 rows down, 1 column right. @param {number} down @param {number} across */
export function distance(down, across) {
  const say = (/** @type {number} */ by, /** @type {string} */ unit, /** @type {string} */ after, /** @type {string} */ before) => (by ? [`${Math.abs(by)} ${unit}${Math.abs(by) === 1 ? '' : 's'} ${by > 0 ? after : before}`] : []);
  return [...say(down, 'row', 'down', 'up'), ...say(across, 'column', 'right', 'left')].join(', ') || 'the query itself';
}

/** A number so small that its power of ten is all of interest. @param {number} value */
export function tiny(value) {
  return value === 0 ? '0' : value.toExponential(0).replace('-', '−');
}
