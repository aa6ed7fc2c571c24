/** Seeded checkpoints of known networks at full size, f32, as transformers writes them: for what of a model counts is how many bytes lie where. */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';

/** @typedef {readonly [name: string, shape: readonly number[]]} Tensor */
/** @typedef {{width: number, mlp: number, layers: number, heads: number, image: number, patch: number}} Sizes */

const CLASSES = 1000;

/** @type {Record<string, {config: object, tensors: Tensor[]}>} */
export const NETWORKS = {
  'ViT-B/16': vit({ width: 768, mlp: 3072, layers: 12, heads: 12, image: 224, patch: 16 }),
  'ViT-L/16': vit({ width: 1024, mlp: 4096, layers: 24, heads: 16, image: 224, patch: 16 }),
  'CLIP ViT-B/32': clip({ width: 768, mlp: 3072, layers: 12, heads: 12, image: 224, patch: 32 }, { width: 512, mlp: 2048, layers: 12, words: 49408, context: 77 }),
};

/** @param {string} name @param {number} outputs @param {number[]} inputs @returns {Tensor[]} */
export function linear(name, outputs, ...inputs) {
  return [[`${name}.weight`, [outputs, ...inputs]], [`${name}.bias`, [outputs]]];
}

/** @param {Sizes} sizes */
function vit({ width, mlp, layers, heads, image, patch }) {
  const block = (/** @type {string} */ at) => [
    ...linear(`${at}layernorm_before`, width), ...linear(`${at}layernorm_after`, width), ...linear(`${at}intermediate.dense`, mlp, width), ...linear(`${at}output.dense`, width, mlp),
    ...['attention.attention.query', 'attention.attention.key', 'attention.attention.value', 'attention.output.dense'].flatMap((name) => linear(at + name, width, width)),
  ];
  const sizes = { hidden_size: width, intermediate_size: mlp, num_hidden_layers: layers, num_attention_heads: heads, image_size: image, patch_size: patch };
  const id2label = Object.fromEntries(Array.from({ length: CLASSES }, (_, i) => [i, `class ${i}`]));
  return {
    config: { model_type: 'vit', architectures: ['ViTForImageClassification'], ...sizes, id2label },
    tensors: /** @type {Tensor[]} */ ([
      ['vit.embeddings.cls_token', [1, 1, width]], ['vit.embeddings.position_embeddings', [1, 1 + (image / patch) ** 2, width]],
      ...linear('vit.embeddings.patch_embeddings.projection', width, 3, patch, patch), ...Array.from({ length: layers }, (_, i) => block(`vit.encoder.layer.${i}.`)).flat(),
      ...linear('vit.layernorm', width), ...linear('classifier', CLASSES, width),
    ]),
  };
}

/** Both towers, as they are published. @param {Sizes} vision @param {{width: number, mlp: number, layers: number, words: number, context: number}} text */
function clip({ width, mlp, layers, heads, image, patch }, text) {
  const tower = (/** @type {string} */ at, /** @type {{width: number, mlp: number, layers: number}} */ { width, mlp, layers }) =>
    Array.from({ length: layers }, (_, i) => `${at}.encoder.layers.${i}.`).flatMap((at) => [
      ...['layer_norm1', 'layer_norm2'].flatMap((name) => linear(at + name, width)), ...linear(`${at}mlp.fc1`, mlp, width), ...linear(`${at}mlp.fc2`, width, mlp),
      ...['q_proj', 'k_proj', 'v_proj', 'out_proj'].flatMap((name) => linear(`${at}self_attn.${name}`, width, width)),
    ]);
  return {
    config: {
      model_type: 'clip', architectures: ['CLIPModel'], projection_dim: text.width,
      vision_config: { hidden_size: width, intermediate_size: mlp, num_hidden_layers: layers, num_attention_heads: heads, image_size: image, patch_size: patch },
    },
    tensors: /** @type {Tensor[]} */ ([
      ['logit_scale', []], ['visual_projection.weight', [text.width, width]], ['text_projection.weight', [text.width, text.width]],
      ['vision_model.embeddings.class_embedding', [width]], ['vision_model.embeddings.patch_embedding.weight', [width, 3, patch, patch]], ['vision_model.embeddings.position_embedding.weight', [1 + (image / patch) ** 2, width]],
      ...linear('vision_model.pre_layrnorm', width), ...linear('vision_model.post_layernorm', width), ...tower('vision_model', { width, mlp, layers }),
      ['text_model.embeddings.token_embedding.weight', [text.words, text.width]], ['text_model.embeddings.position_embedding.weight', [text.context, text.width]],
      ...linear('text_model.final_layer_norm', text.width), ...tower('text_model', text),
    ]),
  };
}

/**
 * Writes config.json and model.safetensors, tensors in the order in which safetensors writes them. What is there is kept.
 * @param {URL} folder
 * @param {{config: object, tensors: Tensor[]}} network
 */
export function write(folder, { config, tensors }) {
  const weights = new URL('model.safetensors', folder);
  if (existsSync(weights)) return;
  const count = (/** @type {readonly number[]} */ shape) => shape.reduce((product, dim) => product * dim, 1);
  const sorted = tensors.toSorted(([a], [b]) => (a < b ? -1 : 1));
  let at = 0;
  const header = Buffer.from(JSON.stringify(Object.fromEntries(sorted.map(([name, shape]) => [name, { dtype: 'F32', shape, data_offsets: [at, (at += 4 * count(shape))] }]))));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));

  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('config.json', folder), JSON.stringify(config));
  const made = new URL('being-made', folder);
  const file = openSync(made, 'w');
  writeSync(file, length);
  writeSync(file, header);
  let state = 1;
  const noise = Float32Array.from({ length: 1 << 20 }, () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5) / 16);
  let drawn = 0;
  for (const [name, shape] of sorted) {
    const centre = /norm/.test(name) && name.endsWith('weight') ? 1 : 0;
    writeSync(file, new Uint8Array(Float32Array.from({ length: count(shape) }, () => centre + noise[(drawn += 7) % noise.length]).buffer));
  }
  closeSync(file);
  renameSync(made, weights);
}
