/** What the kernel gives a widget: which models and images, and the files that they are of. */

/** @typedef {import('./pages.js').FileName} FileName */
/**
 * @typedef {{
 *   title: string, hub: string | null, config: string | null, preprocessor: string | null, processor: string | null, text_embeddings: string | null,
 *   weights: string[], sizes: Record<string, number>, dtype: 'f32' | 'int8' | null,
 * }} GivenModel  files by their SHA-256
 * @typedef {Blob | import('../../www/explorer/photo.js').Pair} Picture  of a pair one is shown, and the model is asked about the other
 * @typedef {{title: string, kind: 'file' | 'pixels', name: string, size: number, type: string, shape?: [number, number, number], shown?: FileName}} GivenImage
 */

/** @param {GivenModel} model @returns {FileName[]} */
export function modelFiles({ hub, config, preprocessor, processor, text_embeddings: texts, weights, sizes }) {
  if (hub) return [];
  return [config, preprocessor, processor, texts, ...weights].flatMap((name) => (name ? [{ name, size: sizes[name] }] : []));
}

/** @param {GivenImage} image @returns {FileName[]} */
export function imageFiles({ name, size, shown }) {
  return [{ name, size }, ...(shown ? [shown] : [])];
}

/**
 * @param {GivenModel} model
 * @param {Map<string, Blob>} blobs
 * @returns {import('../../pkg/index.js').ModelSource}
 */
export function sourceOf({ hub, config, preprocessor, processor, text_embeddings: texts, weights }, blobs) {
  if (hub) return hub;
  const file = (/** @type {string | null} */ name) => (name ? blobs.get(name) : undefined);
  return {
    config: /** @type {Blob} */ (file(config)),
    preprocessor: file(preprocessor),
    processor: file(processor),
    textEmbeddings: file(texts),
    weights: weights.map((name) => /** @type {Blob} */ (file(name))),
  };
}

/**
 * @param {GivenImage} image
 * @param {Map<string, Blob>} blobs
 * @returns {Promise<Picture>}
 */
export async function imageOf({ title, kind, name, type, shape, shown }, blobs) {
  const blob = /** @type {Blob} */ (blobs.get(name));
  if (kind === 'file') return new File([blob], title, { type });
  const pixelValues = new Float32Array(await blob.arrayBuffer());
  return { shown: /** @type {Blob} */ (blobs.get(shown?.name ?? '')), seen: { pixelValues, shape: shape ?? [] }, title };
}
