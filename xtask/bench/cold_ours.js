/** A page that nobody has visited: what passes until the first answer, as a site would use vitscope. */
import { Vitscope } from '../../pkg/dist/index.js';

const { model, threads, simd } = /** @type {Record<string, string>} */ (Object.fromEntries(new URLSearchParams(location.search)));
const options = { threads: Number(threads), simd: /** @type {'relaxed' | 'simd128' | undefined} */ (simd) };
const vit = await Vitscope.load(`${model}/int8/`, options);
await vit.classify(new ImageData(224, 224));
// Counted by the page's own clock, which starts with the navigation.
console.debug(performance.now(), vit.backend.threads);
