// Asks the npm package what models make of pixel values: a line of JSON in, `{folder, pixels}`, and one out, `{logits}`, `{features}` or `{error}`.
import { createInterface } from 'node:readline';
import { readFile } from 'node:fs/promises';
import { Engine } from '../../pkg/dist/engine.node.js';

/** @param {{folder: string, pixels: string}} question */
async function answer({ folder, pixels }) {
  const bytes = await readFile(pixels);
  const engine = await Engine.load(folder, { threads: 1 });
  try {
    const result = engine.classify(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4));
    return { logits: result.logits && [...result.logits], features: result.features && [...result.features], labels: engine.config.labels };
  } finally {
    engine.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).catch((error) => ({ error: String(error.message) }));
  console.log(JSON.stringify(reply));
}
