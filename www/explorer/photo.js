/**
 * A photo: what is shown of it, and what the model is asked about, which may be another thing.
 *
 * @typedef {import('../../pkg/index.js').ImageSource} ImageSource
 * @typedef {{pixelValues: Float32Array, shape: number[]}} PixelValues  as a processor made them: the model gets exactly these, [3, height, width]
 * @typedef {ImageSource | PixelValues} Seen
 * @typedef {import('./panels/sources.js').Sample} Sample
 * @typedef {{shown: Blob, seen: Seen, title: string}} Pair  shown: of the same size as what is seen, or of the same shape
 * @typedef {{image: Blob | ImageBitmap, seen?: Seen, title: string, sample?: Sample, size?: import('./detail.js').Size, edge?: number | null}} Photo
 *   seen: the image itself unless told; edge: patches along it, where none are chosen
 */

/** Why pixel values are seen in one size alone. */
export const AS_THEY_ARE = 'The model gets these pixel values as they are: there is no other detail, and no other part of the picture.';

/**
 * What the model is asked about.
 * @param {{image: Blob | ImageBitmap, seen?: Seen}} photo
 * @returns {ImageSource}
 */
export function seenOf({ image, seen = image }) {
  return /** @type {ImageSource} */ (seen);
}

/**
 * The size of pixel values; of other pictures there are many.
 * @param {Seen} seen
 * @returns {[height: number, width: number] | undefined}
 */
export function fixedSize(seen) {
  if (typeof seen !== 'object' || !('pixelValues' in seen)) return undefined;
  const [height, width] = seen.shape.slice(-2);
  return [height, width];
}

/**
 * @param {Blob | Pair} image
 * @returns {Photo}
 */
export function photoOf(image) {
  if (image instanceof Blob) return { image, title: image instanceof File ? image.name : 'Photo' };
  return { image: image.shown, seen: image.seen, title: image.title };
}

/** What is shown of it, as a file. @param {Photo} photo */
export async function fileOf({ image, title }) {
  return new File([image instanceof Blob ? image : await toPicture(image)], title);
}

/** @param {ImageBitmap} bitmap @returns {Promise<Blob>} a PNG */
export function toPicture(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d')).drawImage(bitmap, 0, 0);
  return canvas.convertToBlob();
}
