/** The engine that leads a load, without what the package puts around it. */
import { readFile } from 'node:fs/promises';
import init, { Engine, Views, Walk } from '../../pkg/wasm/simd128/vitscope.js';
import { Walker } from '../../pkg/lib/engine/walker.js';

const MODULE = new URL('../../pkg/wasm/simd128/vitscope_bg.wasm', import.meta.url);
const NAMES = new URL('../../pkg/imagenet-1k.txt', import.meta.url).href;
const { memory } = await init({ module_or_path: await readFile(MODULE) });

/** @param {import('../../pkg/lib/engine/walker.js').Form} [form] */
export const newWalker = (form = {}) => new Walker(/** @type {any} */ ({ Engine, Views, Walk, memory, names: NAMES, backend: { simd: 'simd128', threads: 1 }, bell: new Int32Array(1) }), form);
