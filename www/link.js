/**
 * What is shown, as the fragment of an address and back: `#model=vitscope-tiny&view=heads&layer=3&head=2`. Fragments are never sent to a server. What is as it would be anyway is left out, and
 * what can't be read is passed over, each by itself: links get cut off, and pages change.
 *
 * @typedef {import('./explorer/choice.js').Wish} Shown
 * @typedef {{pattern: RegExp, of: (text: string) => unknown, text?: (value: any) => string}} Kind
 */

/** @type {Kind} */
const NAME = { pattern: /^[\w.-]{1,80}$/, of: String };
/** One of the page's by its name, `org/name` on the Hub, or a folder. @type {Kind} */
const MODEL = { pattern: /^(?!\.{1,2}$)[\w./@:%~+-]{1,300}$/, of: String };
/** @type {Kind} */
const INDEX = { pattern: /^\d{1,6}$/, of: Number };
/** @type {Kind} */
const PER_CENT = { pattern: /^(100|\d\d?)$/, of: (text) => Number(text) / 100, text: (value) => String(Math.round(100 * value)) };
/** @type {Kind} */
const SWITCH = { pattern: /^(yes|no)$/, of: (text) => text === 'yes', text: (value) => (value ? 'yes' : 'no') };
/** A spotlight, or a map's colours. @type {Kind} */
const COLOURS = {
  ...NAME,
  of: (text) => (text === 'spotlight' ? { style: text } : { style: 'colours', colormap: text }),
  text: ({ style, colormap = '' }) => (style === 'spotlight' ? style : colormap),
};
/** @type {Kind} */
const STOP = { pattern: /^(photo|patches)$/, of: String };

/** What each is called in a link, where it is in a state, and how it is written. @type {[name: string, path: string[], kind: Kind][]} */
const KEYS = [
  ['model', ['model'], MODEL],
  ['sample', ['sample'], NAME],
  ['chapter', ['chapter'], NAME],
  ['view', ['view'], NAME],
  ['stop', ['stop'], STOP],
  ['layer', ['layer'], INDEX],
  ['head', ['head'], INDEX],
  ['patch', ['patch'], INDEX],
  ['class', ['target'], INDEX],
  ['detail', ['detail'], INDEX],
  ['whole', ['whole'], SWITCH],
  ['colours', ['look'], COLOURS],
  ['opacity', ['look', 'opacity'], PER_CENT],
  ['smooth', ['look', 'smooth'], SWITCH],
];

/**
 * @param {string} fragment with its # or without
 * @returns {Shown}
 */
export function read(fragment) {
  const found = new URLSearchParams(fragment.replace(/^#/, ''));
  /** @type {any} */
  const shown = {};
  for (const [name, path, { pattern, of }] of KEYS) {
    const text = found.get(name) ?? '';
    if (!pattern.test(text)) continue;
    const last = path.length - 1;
    const within = path.slice(0, last).reduce((object, key) => (object[key] ??= {}), shown);
    within[path[last]] = of(text);
  }
  return shown;
}

/**
 * @param {Shown} shown
 * @param {Shown} [usual] what is left out
 * @returns {string} without the #, and empty where all is as usual
 */
export function write(shown, usual = {}) {
  return KEYS.flatMap(([name, path, { text = String, pattern }]) => {
    const value = at(shown, path);
    if (value === undefined || value === null) return [];
    const written = text(value);
    const usually = at(usual, path);
    if ((usually !== undefined && usually !== null && written === text(usually)) || !pattern.test(written)) return [];
    return [`${name}=${encodeURIComponent(written).replace(/%(2F|3A|40)/g, decodeURIComponent)}`];
  }).join('&');
}

/**
 * @param {any} object
 * @param {string[]} path
 */
function at(object, path) {
  return path.reduce((within, key) => within?.[key], object);
}
