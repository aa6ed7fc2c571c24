import { slider } from '../../explorer/controls.js';

/**
 * Which layer a figure shows: as chosen in any figure, else one of its own.
 * @param {(layer: number) => void} onChange
 */
export function createLayerChoice(onChange) {
  const control = slider('Layer', { min: 0, max: 0, value: 0 }, String, () => onChange(control.value));
  control.element.classList.add('layer');

  return {
    element: control.element,

    /** @param {number} layers @param {number} layer */
    show(layers, layer) {
      control.extend(layers - 1, layer);
    },
  };
}
