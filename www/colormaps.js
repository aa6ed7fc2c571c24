/**
 * Colour maps: a value from 0 to 1 becomes a colour. Each is 17 samples of the original at even steps, joined by straight
 * lines, which stays within 7/255 of it.
 *
 * viridis, magma: Nathaniel J. Smith and Stéfan van der Walt, https://bids.github.io/colormap/ (CC0).
 * turbo: Anton Mikhailov, Google, "Turbo, An Improved Rainbow Colormap for Visualization" (Apache-2.0).
 */
const SAMPLES = {
  viridis: '440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725',
  magma: '000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf',
  turbo: '30123b 4040a2 466be3 4294ff 28bceb 18ddc2 32f298 6dfe62 a4fc3c cdec34 eecf3a fdac34 fb7e21 eb500e d02f05 a91601 7a0403',
  grey: '000000 ffffff',
};

/** @typedef {keyof typeof SAMPLES} ColormapName */

const NAMES = /** @type {ColormapName[]} */ (Object.keys(SAMPLES));

/**
 * 256 packed RGBA colours, as a Uint32Array over an ImageData's bytes takes them on a little-endian machine (all that
 * browsers run on).
 * @type {Record<ColormapName, Uint32Array>}
 */
export const COLORMAPS = /** @type {any} */ (Object.fromEntries(NAMES.map((name) => [name, tabulate(SAMPLES[name])])));

/** @param {string} samples */
function tabulate(samples) {
  const stops = samples.split(' ').map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const lower = Math.min(Math.floor(at), stops.length - 2);
    const [r, g, b] = stops[lower].map((low, c) => Math.round(low + (at - lower) * (stops[lower + 1][c] - low)));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

/**
 * @param {ArrayLike<number>} values
 * @param {number} max the value that gets the last colour; 0 gets the first
 * @param {ColormapName} name
 * @param {number} width
 * @param {number} height
 * @returns {ImageData}
 */
export function paint(values, max, name, width, height) {
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const colours = COLORMAPS[name];
  const scale = max > 0 ? 255 / max : 0;
  for (let i = 0; i < out.length; i++) out[i] = colours[Math.min(255, Math.max(0, Math.round(values[i] * scale)))];
  return image;
}
