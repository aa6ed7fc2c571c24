// The document into which the notebook's `to_html` puts a model, a photo and a view: the engine and the component, with places for the rest.
//
// In place of `<!-- parts -->` go elements as `block` in parts.mjs makes them: config.json, model.safetensors and, where there are such, preprocessor_config.json,
// processor_config.json and text_embeddings.safetensors, of a second model by the same names after `second/`; photo, and pixels where the model is asked about
// pixel values (f32, little-endian); state.json, which `www/export/within.js` reads. `VITSCOPE-TITLE` is its title. The policy holds for whatever is put in: parts are data.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPage } from './page.mjs';
import { block, enclose, engineFiles } from './parts.mjs';

/** @returns {Promise<string>} HTML */
export async function makeExport() {
  return enclose(await readPage({ page: 'export/' }), engineFiles().map(block));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [target] = process.argv.slice(2);
  const html = await makeExport();
  mkdirSync(dirname(resolve(target)), { recursive: true });
  writeFileSync(target, html);
  console.log(`${(Buffer.byteLength(html) / 1000).toFixed(1).padStart(8)} kB  ${target}`);
}
