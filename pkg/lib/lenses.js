/** The model's head on what comes before the end: what it is asked, and the map that its answer is. */
import { targetIndex } from './choices.js';
import { viewMap } from './map.js';

/**
 * @typedef {import('../index.js').ModelConfig} ModelConfig
 * @typedef {import('../index.js').Recording} Recording
 */

/**
 * @param {ModelConfig} config
 * @param {Recording} trace
 * @returns {{args: [Float32Array], read: (logits: Float32Array) => import('../index.js').ViewMap}}
 */
export function logitLens({ layers, numClasses }, { hiddenStates }) {
  return {
    args: [hiddenStates],
    read: (logits) => viewMap(layers + 1, numClasses, logits, 'The logits (columns) that the head reads in the embeddings and after each layer (rows)', { signed: true }),
  };
}

/**
 * @param {ModelConfig} config
 * @param {Recording} trace
 * @param {{layer: number, target?: number | string}} choice left out, the likeliest class
 * @returns {{args: [Float32Array, number], read: (logits: Float32Array) => import('../index.js').ViewMap}}
 */
export function patchLens({ labels, grid: [rows, cols] }, { hiddenStates, tokens, hiddenSize, top, crop }, { layer, target }) {
  const index = targetIndex(target, labels) ?? top[0]?.index ?? 0;
  const size = tokens * hiddenSize;
  return {
    args: [hiddenStates.slice((layer + 1) * size, (layer + 2) * size), index],
    read: (logits) => viewMap(rows, cols, logits, `Layer ${layer}: the logit of ${labels[index]} that the head reads in each patch`, { signed: true, crop }),
  };
}
