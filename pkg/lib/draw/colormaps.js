/**
 * Colour maps: a value from 0 to 1 becomes a colour. Each is 17 samples of the original at even steps, joined by straight
 * lines, which stays within 7/255 of it.
 *
 * viridis, magma: Nathaniel J. Smith and Stéfan van der Walt, https://bids.github.io/colormap/ (CC0).
 * turbo: Anton Mikhailov, Google, "Turbo, An Improved Rainbow Colormap for Visualization" (Apache-2.0).
 * diverging (“coolwarm”): after Kenneth Moreland, "Diverging Color Maps for Scientific Visualization"; its middle, grey, belongs to 0.
 */
const SAMPLES = {
  viridis: '440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725',
  magma: '000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf',
  turbo: '30123b 4040a2 466be3 4294ff 28bceb 18ddc2 32f298 6dfe62 a4fc3c cdec34 eecf3a fdac34 fb7e21 eb500e d02f05 a91601 7a0403',
  grey: '000000 ffffff',
  diverging: '3b4cc0 4e68d7 6282ea 779af7 8db0fe a3c2ff b8d0f9 ccd9ee dddddd ecd3c6 f5c4ad f7b194 f49a7b ec7f63 de614c cb3e38 b40426',
};

/** @typedef {import('../../index.js').Colormap} Colormap */

export const COLORMAPS = /** @type {Colormap[]} */ (Object.keys(SAMPLES));

/** @type {Map<Colormap, Uint8Array>} */
const tables = new Map();

/**
 * 256 colours of three bytes, made when they are first asked for.
 * @param {Colormap} name
 * @returns {Uint8Array}
 */
export function colourTable(name) {
  const known = tables.get(name);
  if (known) return known;
  const stops = SAMPLES[name].split(' ').map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const table = Uint8Array.from({ length: 3 * 256 }, (_, i) => {
    const at = (Math.floor(i / 3) / 255) * (stops.length - 1);
    const lower = Math.min(Math.floor(at), stops.length - 2);
    const low = stops[lower][i % 3];
    return Math.round(low + (at - lower) * (stops[lower + 1][i % 3] - low));
  });
  tables.set(name, table);
  return table;
}
