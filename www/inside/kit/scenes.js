/** A figure of several drawings, of which the step that is read shows one. */
import { make } from '../../explorer/dom.js';

/**
 * @typedef {import('../figure.js').Figure} Figure
 * @typedef {import('../figure.js').Hands} Hands
 * @typedef {import('../figure.js').Context} Context
 */

/**
 * @template {string} Name
 * @param {Hands} hands
 * @param {Record<Name, (hands: Hands) => Figure>} makers each is called when its drawing is first needed
 * @param {(context: Context) => Name} which
 * @returns {Figure}
 */
export function createScenes(hands, makers, which) {
  const element = make('div', { class: 'scenes' });
  /** @type {Partial<Record<Name, Figure>>} */
  const made = {};

  return {
    element,
    show(context) {
      const name = which(context);
      const scene = (made[name] ??= makers[name](hands));
      scene.element.classList.add('scene');
      if (element.firstChild !== scene.element) element.replaceChildren(scene.element);
      return scene.show(context);
    },
  };
}

/**
 * A control that goes back to what a step shows first, when that is another step.
 * @param {(context: Context) => void} reset
 */
export function onStep(reset) {
  /** @type {number | undefined} */
  let step;
  return (/** @type {Context} */ context) => {
    if (step === context.step) return;
    step = context.step;
    reset(context);
  };
}
