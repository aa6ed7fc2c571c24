/**
 * Loads seeded f32 checkpoints over HTTP in Node, each time in a process of its own: how many bytes are asked for, how much memory is held at most, and how
 * long model and first answer take after the last byte. With `--record` it is kept in benches/record.
 */
import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Engine } from '../../pkg/dist/engine.node.js';
import { serve } from '../server.mjs';
import { NETWORKS, write } from './networks.mjs';

const FOLDER = new URL('../../target/bench/loading/', import.meta.url);
const RECORDS = new URL('../../benches/record/', import.meta.url);
const RUNS = 3;

const [first, ...rest] = process.argv.slice(2);
if (first?.startsWith('http')) console.log(JSON.stringify(await measure(first, /** @type {'f32' | 'int8'} */ (rest[0]), rest[1] === 'collects')));
else await main(first === '--record');

/** @param {boolean} record */
async function main(record) {
  const server = await serve({ folders: ['target/bench/loading'] });
  const results = [];
  for (const [name, network] of Object.entries(NETWORKS)) {
    const folder = name.replaceAll(/\W+/g, '-');
    write(new URL(`${folder}/`, FOLDER), network);
    const file = statSync(new URL(`${folder}/model.safetensors`, FOLDER)).size;
    for (const dtype of ['int8', 'f32']) {
      const address = `${server.url}target/bench/loading/${folder}/`;
      const load = async (/** @type {string[]} */ ...how) => JSON.parse((await promisify(execFile)(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), address, dtype, ...how])).stdout);
      const { held, wire } = await load('collects');
      /** @type {Record<string, number>[]} */
      const runs = [];
      for (let i = 0; i < RUNS; i++) runs.push(await load());
      const least = (/** @type {string} */ what) => Math.min(...runs.map((run) => run[what]));
      const result = { name, dtype, file, wire, weights: runs[0].weights, held, resident: least('resident'), seconds: least('seconds'), loaded: least('loaded'), answered: least('answered') };
      results.push(result);
      const megabytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1e6)} MB`;
      console.log(`${name} as ${dtype}: ${megabytes(wire)} of the file's ${megabytes(file)} asked for; weights ${megabytes(result.weights)}, at most ${megabytes(held)} held, ${(held / result.weights).toFixed(2)} of them (resident ${megabytes(result.resident)}, garbage among it); ${result.seconds.toFixed(1)} s; after the last byte ${Math.round(result.loaded)} ms to the model, ${Math.round(result.answered)} ms to the first answer, on one thread`);
    }
  }
  await server.close();
  if (!record) return;
  const date = new Date().toISOString().slice(0, 16);
  writeFileSync(new URL(`loading-${date.replace(':', '-')}.json`, RECORDS), `${JSON.stringify({ date, cpu: cpus()[0].model, node: process.version, loading: results }, null, 1)}\n`);
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
  let wire = 0;
  let next = 0;
  const start = performance.now();
  let last = start;
  const engine = await Engine.load(source, {
    dtype,
    async fetch(...request) {
      const response = await fetch(...request);
      wire += Number(response.headers.get('content-length'));
      return response;
    },
    onProgress({ phase, loaded, total }) {
      if (phase !== 'weights') return;
      if (collects && loaded >= next) {
        next = loaded + 1e6;
        held = Math.max(held, look().held - before.held);
      }
      if (loaded === total) last = performance.now();
    },
  });
  const loaded = performance.now();
  await engine.classify({ data: new Uint8ClampedArray(4 * 224 * 224).fill(128), width: 224, height: 224 });
  const answered = performance.now();
  return { wire, weights: engine.memory.weights, held, resident: process.resourceUsage().maxRSS * 1024 - before.rss, seconds: (loaded - start) / 1000, loaded: loaded - last, answered: answered - last };
}

/** What is there when all garbage is gone. */
function look() {
  globalThis.gc?.();
  const { rss, external, heapUsed } = process.memoryUsage();
  return { rss, held: external + heapUsed };
}
