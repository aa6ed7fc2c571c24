/** What the text says of the loaded model and the photo. */
import { classNames } from '../explorer/names.js';
import { scoreFormat } from '../explorer/scores.js';
import { isStaged, spread } from '../explorer/stages.js';

/** @typedef {import('./figure.js').Context} Context */

/** @type {Record<import('../../pkg/index.js').ModelConfig['pooling'], string>} */
const READS = {
  cls: 'the class token',
  mean: 'the mean of all patches',
  'cls-mean': 'the class token and the mean of all patches',
  'cls-distillation': 'the class token and the distillation token',
  attention: 'what one learned query gathers from all patches',
  map: 'each patch with those around it',
};

/** A whole number, its thousands apart. @param {number} value */
export const count = (value) => value.toLocaleString('en');

/**
 * @param {Pick<Context, 'vit' | 'trace' | 'title' | 'target'>} context
 * @returns {Record<string, string>}
 */
export function factsOf({ vit: { config }, trace, title, target }) {
  const [rows, cols] = trace.grid;
  const [height, width] = trace.patchSize;
  const [top] = trace.top;
  const patches = rows * cols;
  const { stages } = trace;
  const [tokens, widths] = [stages.map(({ grid }) => grid[0] * grid[1] + trace.prefixTokens), stages.map(({ hiddenSize }) => hiddenSize)];
  return {
    photo: title,
    family: config.family,
    image: `${cols * width} × ${rows * height}`,
    pixels: count(cols * width * rows * height),
    patch: `${width} × ${height}`,
    'patch-values': count(3 * width * height),
    grid: `${cols} × ${rows}`,
    patches: count(patches),
    prefix: count(trace.prefixTokens),
    tokens: spread(tokens),
    shape: `[1, ${count(tokens[0])}, ${count(widths[0])}]`,
    width: spread(widths),
    qkv: spread(widths.map((width) => 3 * width)),
    layers: count(trace.layers),
    heads: spread(stages.map(({ heads }) => heads)),
    'last-heads': count(trace.heads),
    'head-size': spread(stages.map(({ heads, hiddenSize }) => hiddenSize / heads)),
    mlp: count(config.mlpSize),
    classes: count(config.numClasses),
    features: count(config.numFeatures),
    parameters: config.parameters >= 1e6 ? `${(config.parameters / 1e6).toFixed(1)} million` : count(config.parameters),
    reads: READS[config.pooling],
    dtype: config.dtype,
    answer: top ? classNames(config.labels)[top.index] : 'no class',
    score: top ? scoreFormat(config.scores)(top.score) : '–',
    target: target?.name ?? 'no class',
  };
}

/**
 * What is true of the model, and what is not.
 * @param {Pick<Context, 'vit' | 'trace'>} context
 * @returns {Record<string, boolean>}
 */
export function conditionsOf({ vit: { config }, trace }) {
  const { positions } = config;
  return {
    class: config.prefix.includes('class'),
    distillation: config.prefix.includes('distillation'),
    registers: config.prefix.includes('register'),
    learned: positions.includes('learned'),
    relative: positions.includes('relative'),
    rotary: positions.includes('rotary'),
    sinusoidal: positions === 'sinusoidal',
    'reads-class': config.pooling.startsWith('cls'),
    mean: config.pooling === 'mean',
    'attention-pool': config.pooling === 'attention',
    classes: config.numClasses > 0,
    softmax: config.numClasses > 0 && config.scores === 'softmax',
    int8: config.dtype === 'int8',
    staged: isStaged(trace),
  };
}
