/** How numbers are written in tables. */

/** @param {import('./stats.mjs').Series} series */
export const ms = ({ median }) => `${median < 100 ? median.toFixed(1) : Math.round(median)} ms`;
/** @param {number} value */
export const signed = (value) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
