/** Pictures where there is no browser to read them. */
import { builtin, documentBase } from '../common/environment.js';
import { VitscopeError } from '../common/errors.js';

/** What reads pictures in Node, Deno and Bun, if the program has it. @type {[name: string, read: (library: any, bytes: Uint8Array) => Promise<import('../../engine.js').ImageLike>][]} */
const DECODERS = [
  ['sharp', async (sharp, bytes) => {
    const { data, info } = await sharp(bytes).rotate().toColourspace('srgb').ensureAlpha().raw().toBuffer({ resolveWithObject: true }); // upright, as its EXIF data says
    return { data, width: info.width, height: info.height };
  }],
  ['@napi-rs/canvas', async ({ createCanvas, loadImage }, bytes) => {
    const image = await loadImage(bytes);
    const context = createCanvas(image.width, image.height).getContext('2d');
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  }],
];

/**
 * @param {{blob: Blob, name: string}} file
 * @param {import('../../index.js').Decode} [decode] the caller's
 * @returns {Promise<any>} RGBA
 */
export async function decodePicture({ blob, name }, decode = globalThis.process && installed()) {
  if (!decode) throw new VitscopeError('unsupported-environment', `${name} can't be read here, where no browser decodes pictures. Install sharp or @napi-rs/canvas, give load() a function decode, or hand over {data, width, height} with RGBA.`);
  try {
    return await decode(blob);
  } catch (cause) {
    throw new VitscopeError('decode-image', `${name} could not be decoded as an image (${cause instanceof Error ? cause.message : cause}). Try a JPEG, PNG or WebP file.`, { cause });
  }
}

/** By way of Node's own module loader, from where the program runs: bundlers never look for them. @returns {import('../../index.js').Decode | undefined} */
function installed() {
  const require = builtin('module')?.createRequire(documentBase());
  for (const [name, read] of require ? DECODERS : []) {
    let library;
    try {
      library = require(name);
    } catch {
      continue; // it is not there, or not for this machine
    }
    return async (/** @type {Blob} */ blob) => read(library, new Uint8Array(await blob.arrayBuffer()));
  }
  return undefined;
}
