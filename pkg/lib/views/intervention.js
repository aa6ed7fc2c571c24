/** What a forward pass is told besides its image: what it does without, and in which order its patches lie. */
import { checkChoice, checkNames, checkWhole, mustBe } from '../common/checks.js';
import { invalid } from '../common/errors.js';
import { checkLayer, isStaged } from './recorded.js';

/** @typedef {Pick<import('../../index.js').Recording, 'without' | 'order'>} Intervention */

const SWITCH = [true, false];

/**
 * What of it depends on the model's size is the engine's to check.
 * @param {import('../../index.js').ModelConfig} config
 * @param {import('../../index.js').InterventionOptions} options
 * @returns {Intervention} empty where nothing is changed
 */
export function checkIntervention(config, { without, order }) {
  const left = without === undefined ? { heads: [], positions: false } : checkWithout(config, without);
  return { ...((left.heads.length || left.positions) && { without: left }), ...(order !== undefined && { order: checkOrder(order) }) };
}

/**
 * @param {import('../../index.js').ModelConfig} config
 * @param {Partial<import('../../index.js').Without>} without
 * @returns {import('../../index.js').Without}
 */
function checkWithout({ layers, stages }, without) {
  if (typeof without !== 'object' || without === null || Array.isArray(without)) throw mustBe('without', 'an object with heads, positions or both, or left out', without);
  checkNames(without, ['heads', 'positions'], 'part to leave out by the name of');
  const { heads = [], positions = false } = without;
  checkChoice('positions', positions, SWITCH);
  if (!Array.isArray(heads)) throw mustBe('heads', 'an array of [layer, head], or left out', heads);
  const pairs = heads.map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw mustBe('Each of heads', 'a [layer, head]', pair);
    const layer = checkLayer(pair[0], layers);
    const head = checkWhole('head', pair[1]);
    const { heads: count } = stages[layer];
    if (head >= count) throw invalid(`There is no head ${head}: ${isStaged({ stages }) ? `layer ${layer}` : 'each layer of the model'} has ${count}, and they count from 0.`);
    return /** @type {[number, number]} */ ([layer, head]);
  });
  return { heads: [...new Map(pairs.map((pair) => [String(pair), pair])).values()], positions };
}

/** @param {unknown} order */
function checkOrder(order) {
  if (!Array.isArray(order)) throw mustBe('order', 'an array with the number of a patch for each place, or left out', order);
  return Array.from(order, (patch) => checkWhole('Each patch of order', patch));
}
