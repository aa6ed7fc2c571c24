// From `pkg/lib/` and the engine's builds in `pkg/wasm/` to `pkg/dist/`: what npm users get.
// Each script is one file, which imports nothing: a browser learns of an import only when it has read the importer, and some tools don't follow those of workers.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

const PACKAGE = fileURLToPath(new URL('../pkg/', import.meta.url));
const BUILDS = ['relaxed-threads', 'simd128-threads', 'relaxed', 'simd128'];
/** The oldest browsers that have what the engine needs; package.json's `browserslist` says them too. */
export const TARGET = ['chrome100', 'firefox114', 'safari16.4'];

/**
 * Bundles some scripts of `pkg/lib/`.
 * @param {'worker' | 'entries'} what
 * @param {{node?: boolean, of?: string, outdir?: string, code?: string}} [options] node: for Node.js and its like, not for browsers; of: the build whose glue it is; outdir: none, for the text alone; code: more of the glue's, for tests
 */
export async function bundle(what, { node = false, of = fitting(present())[0], outdir, code = '' } = {}) {
  const { outputFiles } = await build({
    ...(what === 'worker'
      ? { entryPoints: [`${PACKAGE}lib/worker.js`], format: 'iife' }
      : { entryPoints: [`${PACKAGE}lib/index.js`, `${PACKAGE}lib/engine.js`], format: 'esm', sourcemap: true }),
    ...(node ? { outExtension: { '.js': '.node.js' } } : { define: { 'globalThis.process': 'undefined' } }),
    bundle: true,
    minify: true,
    target: TARGET,
    logLevel: 'warning',
    outdir: outdir ?? PACKAGE,
    write: false,
    plugins: [glue(what, of, code)],
  });
  const scripts = outputFiles.filter(({ path }) => path.endsWith('.js'));
  const files = (await Promise.all(scripts.map(({ path, text }) => smaller(path, text, outputFiles.find((map) => map.path === `${path}.map`)?.text)))).flat();
  if (outdir) for (const { path, text } of files) writeFileSync(path, text);
  return files;
}

/**
 * A script that esbuild has made, as terser makes it, by which it takes a twentieth less to send.
 * @param {string} path
 * @param {string} script
 * @param {string} [map] from it to its sources
 */
export async function smaller(path, script, map) {
  const { code = '', map: further } = await minify(script, {
    module: true,
    ecma: 2020,
    compress: { passes: 3, pure_getters: true, hoist_funs: true, pure_funcs: ['FinalizationRegistry'] }, // the registries are of classes that were left out
    sourceMap: map !== undefined && { content: map, includeSources: true, url: `${basename(path)}.map` },
  });
  return [{ path, text: code }, ...(map === undefined ? [] : [{ path: `${path}.map`, text: String(further) }])];
}

/**
 * What wasm-bindgen generated, as a function: of one script there may be several instances. What nobody asks for is left out, and what would keep it in.
 * @param {'worker' | 'entries'} what
 * @param {string} name the build that it is of
 * @param {string} code
 * @returns {import('esbuild').Plugin}
 */
function glue(what, name, code) {
  const file = `${PACKAGE}wasm/${name}/vitscope.js`;
  const script = `${readFileSync(file, 'utf8')}\n${START}\n${code}`;
  const exported = new Set([...script.matchAll(/^export (?:async )?(?:class|function) (\w+)/gm)].map(([, name]) => name));
  const parts = /** @type {Record<string, string[]>} */ ({
    engine: ['instantiate', 'Engine', 'Walk', 'build_pool', 'threads', what === 'worker' ? 'run_thread' : 'Views'],
    views: ['instantiate', 'Views'],
  });
  /** @type {import('esbuild').Plugin} */
  const added = { name: 'added', setup: ({ onLoad }) => onLoad({ filter: /vitscope\.js$/ }, () => ({ contents: script })) };
  return {
    name: 'glue',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^glue:/ }, ({ path }) => ({ path: path.slice(5), namespace: 'glue' }));
      onLoad({ filter: /./, namespace: 'glue' }, async ({ path }) => {
        const names = parts[path].filter((name) => exported.has(name)).join(', ');
        const { outputFiles } = await build({
          stdin: { contents: `import { ${names} } from '${file}'; made = { ${names} };`, resolveDir: PACKAGE },
          bundle: true,
          minify: true,
          target: TARGET,
          format: 'esm',
          define: { 'Symbol.dispose': 'undefined' }, // of what is used here `free` is
          banner: { js: 'export default function () { let made;' },
          footer: { js: 'return made; }' },
          write: false,
          plugins: [added],
        });
        return { contents: outputFiles[0].text };
      });
    },
  };
}

/** In place of wasm-bindgen's own, which also fetches: here the module is always there. */
const START = `export async function instantiate(module, memory, thread_stack_size) {
  return __wbg_finalize_init(await WebAssembly.instantiate(module, __wbg_get_imports(memory)), module, thread_stack_size);
}`;

/** The builds that are there. */
const present = () => BUILDS.filter((name) => existsSync(module(name)));
const module = (/** @type {string} */ name) => `${PACKAGE}wasm/${name}/vitscope_bg.wasm`;

/**
 * The builds that can do with the glue of one of them, that one first: that of a build with threads serves those without, which lack its pool.
 * Of builds that are older than the code some don't fit.
 * @param {string[]} fresh builds that must be among them
 */
function fitting(fresh) {
  const builds = present().map((name) => {
    /** What module and glue call each other by, and what they do with threads alone; see `xtask/bindgen/src/names.rs`. @type {[string[], string[]]} */
    const [shared, pool] = JSON.parse(readFileSync(`${PACKAGE}wasm/${name}/vitscope.names.json`, 'utf8'));
    return { name, shared: shared.join(), pool };
  });
  for (const { name: first, shared, pool } of builds) {
    const fits = builds.filter((build) => build.shared === shared && (!build.pool.length || build.pool.join() === pool.join()));
    const names = fits.map(({ name }) => name);
    if (fresh.every((name) => names.includes(name))) return [first, ...names.filter((name) => name !== first)];
  }
  throw new Error(`pkg/wasm/ has no build of the engine that goes with ${fresh.join(', ') || 'these scripts'}`);
}

/**
 * Makes `pkg/dist/` anew. A reader finds the old one or the new one.
 * @param {string[]} fresh builds just made, where not all are
 */
async function assemble(fresh) {
  const builds = fitting(fresh.length ? fresh : present());
  const [dist, staged, aside] = ['dist', '.dist-new', '.dist-old'].map((name) => `${PACKAGE}${name}`);
  rmSync(staged, { recursive: true, force: true });
  const assets = `${staged}/vitscope`;
  mkdirSync(assets, { recursive: true });
  const bundles = [false, true].flatMap((node) => [bundle('entries', { node, of: builds[0], outdir: staged }), bundle('worker', { node, of: builds[0], outdir: assets })]);
  await Promise.all(bundles);
  copyFileSync(`${PACKAGE}imagenet-1k.txt`, `${assets}/imagenet-1k.txt`);
  for (const name of builds) copyFileSync(module(name), `${assets}/${name}.wasm`);
  // Types are written by hand, beside `dist/`.
  for (const name of ['index', 'engine']) for (const kind of ['', '.node']) writeFileSync(`${staged}/${name}${kind}.d.ts`, `export * from '../${name}.js';\n`);
  rmSync(aside, { recursive: true, force: true });
  if (existsSync(dist)) renameSync(dist, aside);
  renameSync(staged, dist);
  rmSync(aside, { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await assemble(process.argv.slice(2));
