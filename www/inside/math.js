/** Formulas as MathML, which browsers typeset by themselves. A symbol has the tint that it has in the figures: `sym('q', 'q')` (styles.js has the tints). */

/** A symbol. @param {string} text @param {string} [tint] */
export const sym = (text, tint) => `<mi${tint ? ` class="${tint}"` : ''}>${text}</mi>`;

/** A number. @param {string | number} value */
export const num = (value) => `<mn>${value}</mn>`;

/** A number of the loaded model's. @param {string} name of a fact */
export const fact = (name) => `<mn data-fact="${name}"></mn>`;

/** An operator, or a bracket. @param {string} text */
export const op = (text) => `<mo>${text}</mo>`;

/** Words. @param {string} text */
export const words = (text) => `<mtext>${text}</mtext>`;

/** A function's name. @param {string} text */
export const fn = (text) => `<mi mathvariant="normal">${text}</mi>`;

/** Side by side. @param {string[]} parts */
export const row = (...parts) => `<mrow>${parts.join('')}</mrow>`;

/** @param {string} base @param {string} below */
export const sub = (base, below) => `<msub>${base}${below}</msub>`;

/** @param {string} base @param {string} above */
export const sup = (base, above) => `<msup>${base}${above}</msup>`;

/** @param {string} base @param {string} below @param {string} above */
export const subsup = (base, below, above) => `<msubsup>${base}${below}${above}</msubsup>`;

/** @param {string} above @param {string} below */
export const frac = (above, below) => `<mfrac>${above}${below}</mfrac>`;

/** @param {string} within */
export const root = (within) => `<msqrt>${within}</msqrt>`;

/** Σ over what is below. @param {string} below @param {string} [above] */
export const sum = (below, above) => (above ? `<munderover><mo>∑</mo>${below}${above}</munderover>` : `<munder><mo>∑</mo>${below}</munder>`);

/** In brackets. @param {string[]} parts */
export const brackets = (...parts) => row(op('('), ...parts, op(')'));

/** A formula in a line of text. @param {string[]} parts */
export const math = (...parts) => `<math>${row(...parts)}</math>`;

/** A formula by itself. @param {string[]} parts */
export const display = (...parts) => `<math display="block">${row(...parts)}</math>`;
