// What the notebook's Python package carries: the script that a front end gets with each widget, and packed what that asks for. Into `notebook/vitscope/static/`.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';
import { makeExport } from './export.mjs';
import { scriptOf } from './page.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STATIC = `${ROOT}notebook/vitscope/static`;
const ENGINE = ['worker.js', 'imagenet-1k.txt', 'relaxed.wasm', 'simd128.wasm', 'relaxed-threads.wasm', 'simd128-threads.wasm'];
/** It is sent with every widget, and may be saved in the notebook. */
const MOST = 10_000; // bytes

/** @param {'widget' | 'app'} name */
export function widgetScript(name) {
  return scriptOf(`${ROOT}notebook/widget/${name}.js`, { define: { 'globalThis.process': 'undefined' } });
}

/** All files, the same for the same sources. @returns {Promise<Map<string, Buffer>>} */
export async function notebookFiles() {
  const widget = Buffer.from(await widgetScript('widget'));
  if (widget.length > MOST) throw new Error(`widget.js has ${widget.length} bytes and may have ${MOST}: what need not be in it belongs into app.js`);
  const packed = [
    /** @type {const} */ (['app.js', Buffer.from(await widgetScript('app'))]),
    ...ENGINE.map((name) => /** @type {const} */ ([name, readFileSync(`${ROOT}pkg/dist/vitscope/${name}`)])),
    /** @type {const} */ (['export.html', Buffer.from(await makeExport())]),
  ];
  return new Map([['widget.js', widget], ...packed.map(([name, bytes]) => /** @type {const} */ ([`${name}.gz`, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION })]))]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await notebookFiles();
  rmSync(STATIC, { recursive: true, force: true });
  mkdirSync(STATIC, { recursive: true });
  for (const [name, bytes] of files) {
    writeFileSync(`${STATIC}/${name}`, bytes);
    console.log(`${(bytes.length / 1000).toFixed(1).padStart(8)} kB  ${name}`);
  }
}
