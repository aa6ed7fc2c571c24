/** What Python asks of an explorer's model. */
import { Vitscope } from '../../pkg/dist/index.js';

/** @typedef {import('./answering.js').Answer} Answer */
/** @typedef {ReturnType<typeof import('../../www/explorer/mount.js').mount>} Explorer */

/**
 * @param {import('./transport.js').Question} question
 * @param {{explorer: Explorer, source: import('../../pkg/index.js').ModelSource, assets: import('../../pkg/index.js').AssetOptions}} side
 * @returns {Promise<Answer>}
 */
export async function answerTo({ method, options }, { explorer, source, assets }) {
  if (method === 'quantize') return { bytes: await Vitscope.quantize(source, { assets }) };
  await explorer.ready;
  if (method === 'snapshot') return { bytes: await explorer.snapshot() };
  const { vit, image } = known(explorer);
  const asked = ASKED[method];
  if (!asked) throw Object.assign(new Error(`The widget has no method ${method}.`), { code: 'invalid-argument' });
  return asked(vit, image, options ?? {});
}

/** What answers, and what it is asked about, where it could be had. @param {Explorer} explorer */
export function known({ vit, image }) {
  if (!vit || !image) throw Object.assign(new Error(`There is no ${vit ? 'image' : 'model'} in the widget to ask: see what it says below its cell.`), { code: 'closed' });
  return { vit, image: /** @type {import('../../pkg/index.js').ImageSource} */ (image) };
}

/** @type {Record<string, (vit: Vitscope, image: import('../../pkg/index.js').ImageSource, options: any) => Promise<Answer>>} */
const ASKED = {
  async trace(vit, image, options) {
    return { bytes: (await vit.trace(image, options)).toSafetensors() };
  },

  async attribute(vit, image, options) {
    const { data, rows, cols, channels, signed, text, target } = await vit.attribute(image, options);
    return { meta: { rows, cols, channels, signed, text, target }, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  },

  async curves(vit, image, { map: { rows, cols, data }, ...options }) {
    const map = { rows, cols, channels: /** @type {const} */ (1), data: Float32Array.from(data), signed: false, text: '' };
    const { deletion, insertion, target } = await vit.curves(image, map, options);
    const plain = (/** @type {import('../../pkg/index.js').Curve} */ { fractions, probabilities, area }) => ({ fractions: [...fractions], probabilities: [...probabilities], area });
    return { meta: { deletion: plain(deletion), insertion: plain(insertion), target } };
  },
};
