/** The tarball that `npm pack` makes, installed in a fresh project and used from a plain page and from Node. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { before, test } from 'node:test';
import { CONFIG, FOLDER, ROOT, finallyDo, firstAnswer, openTab, shortName, startBrowser, temporaryFolder } from './harness.mjs';

const PAGE = `<!doctype html>
<title>A fresh project</title>
<link rel="icon" href="data:,">
<script type="importmap">{"imports": {"vitscope": "./node_modules/vitscope/dist/index.js"}}</script>
<script type="module">
  import { Vitscope } from 'vitscope';
  const vit = await Vitscope.load('./model/');
  const { top } = await vit.classify('./photo.jpg');
  document.title = top[0].label;
</script>`;

const TYPES = /** @type {Record<string, string>} */ ({ '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json', '.wasm': 'application/wasm', '.jpg': 'image/jpeg' });
const npm = (/** @type {string} */ cwd, /** @type {string[]} */ ...args) =>
  execFileSync(process.platform === 'win32' ? 'npm.cmd' : 'npm', [...args, '--loglevel=error'], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

let project = '';
/** @type {string[]} */
let packed = [];
before(() => {
  project = temporaryFolder();
  const [{ filename, files }] = JSON.parse(npm(join(ROOT, 'pkg'), 'pack', '--json', '--pack-destination', project));
  packed = files.map((/** @type {{path: string}} */ file) => file.path);
  writeFileSync(join(project, 'package.json'), '{"private": true, "type": "module"}');
  npm(project, 'install', '--offline', '--no-audit', '--no-fund', join(project, filename));
  mkdirSync(join(project, 'model'));
  cpSync(join(ROOT, FOLDER), join(project, 'model'), { recursive: true });
  cpSync(join(ROOT, 'www/samples/coffee.jpg'), join(project, 'photo.jpg'));
  writeFileSync(join(project, 'index.html'), PAGE);
});

test('the tarball holds what is imported, and nothing else', () => {
  const builds = ['simd128', 'relaxed', 'simd128-threads', 'relaxed-threads'].map((build) => `dist/vitscope/${build}.wasm`);
  const entries = ['index', 'engine'].flatMap((entry) => [`${entry}.d.ts`, ...[entry, `${entry}.node`].flatMap((built) => [`dist/${built}.js`, `dist/${built}.js.map`, `dist/${built}.d.ts`])]);
  assert.deepEqual(packed.toSorted(), ['package.json', 'README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'worker.d.ts', 'dist/vitscope/worker.js', 'dist/vitscope/worker.node.js', 'dist/vitscope/imagenet-1k.txt', ...entries, ...builds].sort());
});

test("its licences are the repository's", () => {
  for (const file of ['LICENSE-MIT', 'LICENSE-APACHE']) assert.equal(readFileSync(join(ROOT, 'pkg', file), 'utf8'), readFileSync(join(ROOT, file), 'utf8'));
});

test('a plain page of a plain server uses it', async () => {
  // No isolation headers: an ordinary static server.
  const server = createServer((request, response) => {
    const path = join(project, new URL(request.url ?? '/', 'http://x').pathname.replace(/\/$/, '/index.html'));
    try {
      const file = readFileSync(path);
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  finallyDo(() => server.close().closeAllConnections());
  const { page, errors } = await openTab(await startBrowser());
  await page.goto(`http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`);
  await page.waitForFunction(() => document.title !== 'A fresh project');
  assert.equal(shortName(await page.title()), await firstAnswer());
  assert.deepEqual(errors, []);
});

test('Node uses its engine', () => {
  const script = `
    import { Engine, VitscopeError } from 'vitscope/engine';
    const engine = await Engine.load(new URL('./model/', import.meta.url));
    const { top, crop } = engine.classify({ width: 2, height: 2, data: new Uint8Array(16) }, { topK: 3 });
    console.log(JSON.stringify([top.length, crop.width, engine.config.dtype, new VitscopeError('closed', 'x').code]));`;
  writeFileSync(join(project, 'use.js'), script);
  const output = execFileSync(process.execPath, ['use.js'], { cwd: project, encoding: 'utf8' });
  assert.deepEqual(JSON.parse(output), [3, 2, CONFIG.dtype, 'closed']);
});

test('TypeScript finds its types', () => {
  const code = `
    import { Trace, Vitscope, VitscopeError, toNpy, type ImageSource, type ViewMap } from 'vitscope';
    import { Engine } from 'vitscope/engine';
    import * as worker from 'vitscope/worker.js';
    const vit: Vitscope = await Vitscope.load('/m/', { dtype: 'int8', signal: new AbortController().signal, onProgress: ({ phase, loaded, total }) => console.log(phase, loaded / total) });
    const trace: Trace = await vit.trace(new Blob([]), { topK: 3 });
    console.log(trace instanceof Trace, worker);
    const [rows, cols]: [number, number] = trace.grid;
    const score: number = trace.top[0].score + trace.attentions[rows * cols] + trace.crop.width + trace.timing.forward;
    const engine = await Engine.load({ config: {}, weights: new ArrayBuffer(8) });
    const map: ViewMap = trace.headMap({ layer: 0, head: 'max', query: [0, 1], mass: 0.6 });
    const lens: ViewMap = engine.trace({ data: new Uint8ClampedArray(4), width: 1, height: 1 }).logitLens();
    const { target } = await vit.attribute(new Blob([]), { method: 'occlusion', target: 'cat', onProgress: ({ done, total }) => console.log(done / total) });
    console.log(target.label, (await vit.curves(new Blob([]), map)).deletion.area, (await trace.patchLens()).text, lens.rows, toNpy(map).length);
    // @ts-expect-error there is no such token
    trace.rollout({ query: 'class' });
    engine.classify({ data: new Uint8ClampedArray(4), width: 1, height: 1 }).crop.x;
    const { simd, threads } = (await Vitscope.load('/m/', { simd: 'relaxed', threads: 4 })).backend;
    console.log(simd === 'simd128', threads + vit.memory.wasm + engine.memory.weights);
    // @ts-expect-error there is no such type
    await Vitscope.load('/m/', { dtype: 'f16' });
    // @ts-expect-error pixel values have no crop
    engine.classify(new Float32Array(3)).crop;
    const values: ImageSource = { pixelValues: new Float32Array(3), shape: [3, 1, 1] };
    const weights: Blob = await Vitscope.quantize('/m/', { signal: new AbortController().signal });
    console.log((await vit.classify(values)).crop.width, engine.classify({ pixelValues: new Float32Array(3), shape: [3, 1, 1] }).crop.x, weights.size);
    // @ts-expect-error one image at a time, channels first
    await vit.classify({ pixelValues: new Float32Array(3), shape: [1, 3, 1, 1] });
    // @ts-expect-error it is int8 that it makes
    await Vitscope.quantize('/m/', { dtype: 'f32' });
    if (new VitscopeError('network', String(score)).code === 'network') vit.close();
    export {};`;
  writeFileSync(join(project, 'use.ts'), code);
  for (const resolution of ['nodenext', 'bundler']) {
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,dom', '--module', resolution === 'nodenext' ? 'nodenext' : 'esnext', '--moduleResolution', resolution, '--types', '', 'use.ts'];
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options], { cwd: project, stdio: 'inherit' });
  }
});
