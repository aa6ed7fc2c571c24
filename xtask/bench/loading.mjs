/**
 * Loads a seeded ViT-B/16 (346 MB of f32) over HTTP in Node, each time in a process of its own: how much memory is held at most, and how long the answer
 * takes after the last byte.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, createReadStream, existsSync, mkdirSync, openSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Engine } from '../../pkg/dist/engine.node.js';

const FOLDER = new URL('../../target/bench/loading/', import.meta.url);
const SIZES = { hidden_size: 768, intermediate_size: 3072, num_hidden_layers: 12, num_attention_heads: 12, image_size: 224, patch_size: 16 };
const CLASSES = 1000;

if (process.argv[2]) console.log(JSON.stringify(await measure(process.argv[2], /** @type {'f32' | 'int8'} */ (process.argv[3]), process.argv[4] === 'collects')));
else await main();

async function main() {
  if (!existsSync(new URL('model.safetensors', FOLDER))) makeModel();
  const server = createServer((request, response) => {
    const file = new URL(`.${request.url}`, FOLDER);
    if (!existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': statSync(file).size });
    createReadStream(file).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`;
  for (const dtype of ['int8', 'f32']) {
    const load = async (/** @type {string[]} */ ...how) => JSON.parse((await promisify(execFile)(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), address, dtype, ...how])).stdout);
    const { weights, resident, seconds, after } = await load();
    const { held } = await load('collects');
    const megabytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1e6)} MB`;
    console.log(`ViT-B/16 f32 as ${dtype}: weights ${megabytes(weights)}, at most ${megabytes(held)} held, ${(held / weights).toFixed(2)} of them (resident ${megabytes(resident)}, garbage among it); ${seconds.toFixed(1)} s, ${Math.round(after)} ms after the last byte`);
  }
  server.close();
}

/**
 * @param {string} source
 * @param {'f32' | 'int8'} dtype
 * @param {boolean} collects  garbage again and again, so that what is held shows
 */
async function measure(source, dtype, collects) {
  // The module, and what else belongs to no model, is there before.
  (await Engine.load(new URL('../../tests/fixtures/hf_vit/', import.meta.url))).close();
  const before = look();
  let held = 0;
  let next = 0;
  const start = performance.now();
  let last = start;
  const engine = await Engine.load(source, {
    dtype,
    onProgress({ phase, loaded, total }) {
      if (phase !== 'weights') return;
      if (collects && loaded >= next) {
        next = loaded + 1e6;
        held = Math.max(held, look().held - before.held);
      }
      if (loaded === total) last = performance.now();
    },
  });
  const end = performance.now();
  return { weights: engine.memory.weights, held, resident: process.resourceUsage().maxRSS * 1024 - before.rss, seconds: (end - start) / 1000, after: end - last };
}

/** What is there when all garbage is gone. */
function look() {
  globalThis.gc?.();
  const { rss, external, heapUsed } = process.memoryUsage();
  return { rss, held: external + heapUsed };
}

/** Names as transformers has them, in the order in which safetensors writes them. */
function makeModel() {
  const { hidden_size: width, intermediate_size: mlp, num_hidden_layers: layers, image_size: image, patch_size: patch } = SIZES;
  const linear = (/** @type {string} */ name, /** @type {number} */ outputs, /** @type {number[]} */ ...inputs) => /** @type {const} */ ([[`${name}.weight`, [outputs, ...inputs]], [`${name}.bias`, [outputs]]]);
  const block = (/** @type {string} */ at) => [
    ...linear(`${at}layernorm_before`, width), ...linear(`${at}layernorm_after`, width), ...linear(`${at}intermediate.dense`, mlp, width), ...linear(`${at}output.dense`, width, mlp),
    ...['attention.attention.query', 'attention.attention.key', 'attention.attention.value', 'attention.output.dense'].flatMap((name) => linear(at + name, width, width)),
  ];
  /** @type {(readonly [string, readonly number[]])[]} */
  const tensors = [
    ['vit.embeddings.cls_token', [1, 1, width]], ['vit.embeddings.position_embeddings', [1, 1 + (image / patch) ** 2, width]],
    ...linear('vit.embeddings.patch_embeddings.projection', width, 3, patch, patch), ...Array.from({ length: layers }, (_, i) => block(`vit.encoder.layer.${i}.`)).flat(),
    ...linear('vit.layernorm', width), ...linear('classifier', CLASSES, width),
  ];
  tensors.sort(([a], [b]) => (a < b ? -1 : 1));
  let at = 0;
  const count = (/** @type {readonly number[]} */ shape) => shape.reduce((product, dim) => product * dim, 1);
  const header = Buffer.from(JSON.stringify(Object.fromEntries(tensors.map(([name, shape]) => [name, { dtype: 'F32', shape, data_offsets: [at, (at += 4 * count(shape))] }]))));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));

  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(new URL('config.json', FOLDER), JSON.stringify({ model_type: 'vit', architectures: ['ViTForImageClassification'], ...SIZES, id2label: Object.fromEntries(Array.from({ length: CLASSES }, (_, i) => [i, `class ${i}`])) }));
  const made = new URL('being-made', FOLDER);
  const file = openSync(made, 'w');
  writeSync(file, length);
  writeSync(file, header);
  let state = 1;
  const noise = Float32Array.from({ length: 1 << 20 }, () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5) / 16);
  let drawn = 0;
  for (const [name, shape] of tensors) {
    const centre = name.includes('layernorm') && name.endsWith('weight') ? 1 : 0;
    writeSync(file, new Uint8Array(Float32Array.from({ length: count(shape) }, () => centre + noise[(drawn += 7) % noise.length]).buffer));
  }
  closeSync(file);
  renameSync(made, new URL('model.safetensors', FOLDER));
}
