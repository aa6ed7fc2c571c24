/** A model of timm's with any number of classes, none of which it names. */
export const TINY_TIMM = { architecture: 'vit_tiny_patch16_224', model_args: { img_size: 8, num_heads: 2 } };

/** Weights of one block, zeros but for the second class's bias. */
export function tinyTimm(/** @type {number} */ classes) {
  const d = 8;
  /** @type {Record<string, number[]>} */
  const shapes = { cls_token: [1, 1, d], pos_embed: [1, 5, d], 'patch_embed.proj.weight': [d, 3, 4, 4], 'patch_embed.proj.bias': [d], 'head.weight': [classes, d], 'head.bias': [classes] };
  for (const norm of ['norm', 'blocks.0.norm1', 'blocks.0.norm2']) for (const part of ['weight', 'bias']) shapes[`${norm}.${part}`] = [d];
  for (const [layer, outputs] of Object.entries({ 'attn.qkv': 3 * d, 'attn.proj': d, 'mlp.fc1': d, 'mlp.fc2': d })) {
    shapes[`blocks.0.${layer}.weight`] = [outputs, d];
    shapes[`blocks.0.${layer}.bias`] = [outputs];
  }
  let end = 0;
  const header = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { dtype: 'F32', shape, data_offsets: [end, (end += 4 * shape.reduce((a, b) => a * b))] }]));
  const json = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  new DataView(file.buffer).setFloat32(8 + json.length + header['head.bias'].data_offsets[0] + 4, 9, true);
  return file;
}
