import { readBytes } from './safetensors.mjs';

/** The 24 pictures that vitscope-tiny's logits are compared on: six crops of each of the page's four sample photos. */
export function* samples() {
  const { shape, data } = readBytes(new URL('../fixtures/vitscope_tiny/expected.safetensors', import.meta.url)).images;
  const [count, height, width] = shape;
  for (let i = 0; i < count; i++) {
    const rgba = Uint8Array.from({ length: 4 * width * height }, (_, j) => (j % 4 === 3 ? 255 : data[3 * (i * width * height + Math.floor(j / 4)) + (j % 4)]));
    yield { data: rgba, width, height };
  }
}
