/** Rollout as it is asked for. */
import { checkChoice, checkNumber, checkOptions } from '../common/checks.js';

/** How heads become one. */
export const FUSIONS = ['mean', 'max', 'min'];

/**
 * @param {Partial<import('../../index.js').Rolled>} options
 * @returns {import('../../index.js').Rolled}
 */
export function checkRollout(options) {
  const { fusion = 'mean', discard = 0 } = checkOptions(options, ['fusion', 'discard']);
  checkChoice('fusion', fusion, FUSIONS);
  return { fusion, discard: checkNumber('discard', discard) };
}
