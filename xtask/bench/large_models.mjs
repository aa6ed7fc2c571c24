/**
 * Writes a seeded network at full size straight in int8, as `vitscope quantize` would: in f32 DINOv2-g takes more than wasm can address.
 *
 *     node large_models.mjs vit-l|dinov2-g FOLDER
 *
 * FOLDER gets int8/ (config.json, model.safetensors) and pixels-SIZE.f32, an input for each size that is measured.
 */
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NETWORKS, linear } from './networks.mjs';

/**
 * @typedef {import('./networks.mjs').Tensor} Tensor
 * @typedef {import('./networks.mjs').Sizes} Sizes
 * @typedef {{name: string, dtype: 'F32' | 'I8', shape: readonly number[], centre: number, spread: number}} Stored
 */

/** Edges of the images that they are measured with: the first is what they take unless told. @type {{[model: string]: {network: {config: object, tensors: Tensor[]}, sizes: number[]}}} */
export const LARGE = {
  'vit-l': { network: NETWORKS['ViT-L/16'], sizes: [224] },
  'dinov2-g': { network: dinov2({ width: 1536, mlp: 4096, layers: 40, heads: 24, image: 518, patch: 14 }), sizes: [224, 518] },
};

/** Of normal values, of which a row's largest is some 3.3: what a row's scale and its 8 bits have of each. */
const STEPS = 38;

/** With a gated MLP, of mlp hidden values. @param {Sizes} sizes */
export function dinov2({ width, mlp, layers, heads, image, patch }) {
  const block = (/** @type {string} */ at) => [
    ...['norm1', 'norm2'].flatMap((name) => linear(at + name, width)), ...linear(`${at}mlp.weights_in`, 2 * mlp, width), ...linear(`${at}mlp.weights_out`, width, mlp),
    ...['attention.attention.query', 'attention.attention.key', 'attention.attention.value', 'attention.output.dense'].flatMap((name) => linear(at + name, width, width)),
    ...['layer_scale1', 'layer_scale2'].map((name) => /** @type {Tensor} */ ([`${at}${name}.lambda1`, [width]])),
  ];
  const sizes = { hidden_size: width, mlp_ratio: 4, use_swiglu_ffn: true, num_hidden_layers: layers, num_attention_heads: heads, image_size: image, patch_size: patch };
  return {
    config: { model_type: 'dinov2', architectures: ['Dinov2ForImageClassification'], ...sizes },
    tensors: /** @type {Tensor[]} */ ([
      ['dinov2.embeddings.cls_token', [1, 1, width]], ['dinov2.embeddings.position_embeddings', [1, 1 + (image / patch) ** 2, width]],
      ...linear('dinov2.embeddings.patch_embeddings.projection', width, 3, patch, patch), ...Array.from({ length: layers }, (_, i) => block(`dinov2.encoder.layer.${i}.`)).flat(),
      ...linear('dinov2.layernorm', width), ...linear('classifier', 1000, 2 * width),
    ]),
  };
}

/**
 * What is stored of a tensor, at the scale of trained ones: matrices in 8 bits with a scale a row, all else in f32.
 * @param {Tensor} tensor
 * @returns {Stored[]}
 */
export function stored([name, shape]) {
  const inputs = shape.slice(1).reduce((product, dim) => product * dim, 1);
  if (shape.length === 2) {
    const scale = inputs ** -0.5 / STEPS;
    return [{ name, dtype: 'I8', shape, centre: 0, spread: STEPS }, { name: `${name}_scale`, dtype: 'F32', shape: [shape[0]], centre: scale, spread: scale / 20 }];
  }
  const [centre, spread] = /norm\w*\.weight$/.test(name) ? [1, 0.1] : /lambda1$/.test(name) ? [0.5, 0.05] : /bias$/.test(name) ? [0, 0.05] : /projection/.test(name) ? [0, inputs ** -0.5] : [0, 0.3];
  return [{ name, dtype: 'F32', shape, centre, spread }];
}

/** @param {readonly number[]} shape */
const count = (shape) => shape.reduce((product, dim) => product * dim, 1);

/** Normal values, the same each time. @param {number} length */
function normal(length) {
  let state = 1;
  const uniform = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) + 1) / 2 ** 32;
  return Float32Array.from({ length }, () => Math.max(-3.3, Math.min(3.3, Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()))));
}

/**
 * @param {string} folder
 * @param {{config: object, tensors: Tensor[]}} network
 * @param {number} [length] of the noise that it is made of: drawn once and laid out again and again; odd, so that no two rows are the same
 */
export function write(folder, { config, tensors }, length = 2 ** 24 - 3) {
  // In the order in which safetensors writes: wider types first, then by name.
  const all = tensors.flatMap(stored).toSorted((a, b) => (a.dtype === b.dtype ? (a.name < b.name ? -1 : 1) : a.dtype === 'F32' ? -1 : 1));
  let at = 0;
  const entries = all.map(({ name, dtype, shape }) => [name, { dtype, shape, data_offsets: [at, (at += (dtype === 'F32' ? 4 : 1) * count(shape))] }]);
  const header = Buffer.from(JSON.stringify({ __metadata__: { format: 'vitscope-int8/1' }, ...Object.fromEntries(entries) }));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));

  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  const file = openSync(join(folder, 'being-made'), 'w');
  writeSync(file, prefix);
  writeSync(file, header);
  const noise = normal(length);
  const bytes = Int8Array.from(noise, (value) => Math.round(STEPS * value));
  let drawn = 0;
  for (const { dtype, shape, centre, spread } of all) {
    for (let left = count(shape); left > 0; ) {
      const part = Math.min(left, noise.length - drawn);
      writeSync(file, dtype === 'I8' ? bytes.subarray(drawn, drawn + part) : new Uint8Array(noise.slice(drawn, drawn + part).map((value) => centre + spread * value).buffer));
      drawn = (drawn + part) % noise.length;
      left -= part;
    }
  }
  closeSync(file);
  renameSync(join(folder, 'being-made'), join(folder, 'model.safetensors'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [model, folder] = process.argv.slice(2);
  const { network, sizes } = LARGE[model];
  write(join(folder, 'int8'), network);
  for (const size of sizes) writeFileSync(join(folder, `pixels-${size}.f32`), normal(3 * size * size));
}
