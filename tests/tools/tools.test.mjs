/** The packed package in the bundlers and runtimes that people have, and in the hands of those who check packages. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { before, test } from 'node:test';
import { ISOLATED, PHOTO, askPage, install, packed, run, site } from '../examples/package.mjs';
import { ROOT } from '../page/browser.mjs';
import { finallyDo, startBrowser, temporaryFolder } from '../page/harness.mjs';

const TOOLS = join(ROOT, 'tests/tools');
const tool = (/** @type {string} */ path) => join(TOOLS, 'node_modules', path);
const bin = (/** @type {string} */ name) => tool(`.bin/${name}`);
/** @type {import('playwright-core').Browser} */
let browser;
let tarball = '';
before(async () => {
  tarball = packed();
  for (const folder of ['examples', 'examples/next']) install(tarball, join(ROOT, folder));
  run('tests/tools/node_modules/bun', process.execPath, 'install.js'); // installed without scripts, it lacks its program, which another package has
  browser = await startBrowser();
});

/** A folder beside the tools, with the package, a page and its script. @param {string} name @param {string} [load] options of the load */
const project = (name, load) => projectIn(join(TOOLS, 'apps', name), load);

/** @param {string} folder */
function projectIn(folder, load = '') {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private": true, "type": "module"}');
  writeFileSync(join(folder, 'main.js'), readFileSync(join(ROOT, 'examples/webpack/src/index.js'), 'utf8').replace("vitscope-tiny/'", `vitscope-tiny/'${load}`));
  writeFileSync(join(folder, 'index.html'), page('<script type="module" src="./main.js"></script>'));
  install(tarball, folder);
  return folder;
}
const page = (/** @type {string} */ script) => `<!doctype html><title>x</title><link rel="icon" href="data:,"><input type="file"><ol></ol>${script}`;
const address = (/** @type {string} */ folder) => folder.slice(ROOT.length - 1);
/** Where nothing is that a tool may have brought along. */
const elsewhere = () => relative(ROOT, projectIn(temporaryFolder()));

/**
 * Starts a server, and waits until it says where it is.
 * @param {string} cwd
 * @param {string[]} args of Node
 */
async function start(cwd, ...args) {
  const { FORCE_COLOR: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], env: { ...env, NO_COLOR: '1', NEXT_TELEMETRY_DISABLED: '1' } });
  const stop = () => void child.kill();
  finallyDo(stop);
  let text = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    text += chunk;
    const url = /http:\/\/localhost:\d+\/?\S*/.exec(text)?.[0];
    if (url && /ready/i.test(text)) {
      child.stdout.resume();
      return { url, stop };
    }
  }
  throw new Error(`${args.join(' ')} ended: ${text}`);
}

for (const major of ['5', '6', '7', '']) {
  const vite = major ? tool(`vite-${major}/bin/vite.js`) : join(ROOT, 'examples/node_modules/vite/bin/vite.js');

  test(`Vite ${major || 'as it is now'}: built under a base path, and in development`, async () => {
    const folder = project(`vite${major}`);
    cpSync(join(ROOT, 'models/vitscope-tiny'), join(folder, 'public/models/vitscope-tiny'), { recursive: true });
    writeFileSync(join(folder, 'vite.config.js'), `export default { server: { headers: ${JSON.stringify(ISOLATED)} }, optimizeDeps: { force: true }, cacheDir: '.vite' }`);
    run(address(folder), process.execPath, vite, 'build', '--base', `${address(folder)}/dist/`);
    await askPage(browser, `${await site(ISOLATED)}${address(folder)}/dist/index.html`);
    const { url, stop } = await start(folder, vite, '--port', '0');
    await askPage(browser, url);
    stop();
  });
}

test('what is built comes from another site', async () => {
  const folder = project('cdn');
  const cdn = await site({ 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' });
  run(address(folder), process.execPath, join(ROOT, 'examples/node_modules/vite/bin/vite.js'), 'build', '--base', `${cdn}${address(folder)}/dist/`);
  await askPage(browser, `${await site(ISOLATED)}${address(folder)}/dist/index.html`);
});

test('Rollup, with a plugin that finds files, and without one beside which they are put', async () => {
  const folder = project('rollup');
  writeFileSync(join(folder, 'rollup.config.js'), "import resolve from '@rollup/plugin-node-resolve'; import { importMetaAssets } from '@web/rollup-plugin-import-meta-assets'; export default { input: 'main.js', output: { dir: 'found' }, plugins: [resolve(), importMetaAssets()] };");
  run(address(folder), bin('rollup'), '--config');
  run(address(folder), bin('rollup'), 'main.js', '--plugin', 'node-resolve', '--dir', 'copied');
  cpSync(join(folder, 'node_modules/vitscope/dist/vitscope'), join(folder, 'copied/vitscope'), { recursive: true });
  for (const dir of ['found', 'copied']) {
    writeFileSync(join(folder, dir, 'index.html'), page('<script type="module" src="./main.js"></script>'));
    await askPage(browser, `${await site(ISOLATED)}${address(folder)}/${dir}/index.html`);
  }
});

test('esbuild: as a module, and as one script by `assets`', async () => {
  const esbuild = join(ROOT, 'node_modules/esbuild/bin/esbuild');
  for (const [format, load, script] of [['esm', '', '<script type="module" src="./main.js"></script>'], ['iife', ", { assets: { base: './vitscope' } }", '<script src="./main.js"></script>']]) {
    const folder = project(`esbuild-${format}`, load);
    run(address(folder), process.execPath, esbuild, 'main.js', '--bundle', `--format=${format}`, '--outdir=dist', '--log-level=error');
    cpSync(join(folder, 'node_modules/vitscope/dist/vitscope'), join(folder, 'dist/vitscope'), { recursive: true });
    writeFileSync(join(folder, 'dist/index.html'), page(script));
    await askPage(browser, `${await site(ISOLATED)}${address(folder)}/dist/index.html`);
  }
});

test('Parcel', async () => {
  const folder = project('parcel');
  run(address(folder), bin('parcel'), 'build', 'index.html', '--public-url', './', '--no-cache', '--no-autoinstall');
  await askPage(browser, `${await site(ISOLATED)}${address(folder)}/dist/index.html`);
});

for (const bundler of ['--turbopack', '--webpack']) {
  test(`Next.js ${bundler}`, async () => {
    const folder = 'examples/next';
    const next = join(ROOT, folder, 'node_modules/next/dist/bin/next');
    cpSync(join(ROOT, 'models/vitscope-tiny'), join(ROOT, folder, 'public/models/vitscope-tiny'), { recursive: true });
    run(folder, process.execPath, next, 'build', bundler);
    const { url, stop } = await start(join(ROOT, folder), next, 'start', '--port', '0');
    await askPage(browser, url);
    stop();
    const made = readdirSync(join(ROOT, folder, '.next/static'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
    for (const file of made) assert.ok(!readFileSync(join(ROOT, folder, '.next/static', file), 'utf8').includes(ROOT), file);
  });
}

/** The example under a base path, in a folder of its own below it: Next.js follows no links to what is elsewhere. */
function underBase() {
  const folder = join(ROOT, 'examples/next/based');
  const copy = (/** @type {string} */ file, from = '', to = '') => writeFileSync(join(folder, file), readFileSync(join(ROOT, 'examples/next', file), 'utf8').replace(from, to));
  cpSync(join(ROOT, 'examples/next/app'), join(folder, 'app'), { recursive: true });
  copy('app/page.jsx', '/models/', '/base/models/');
  copy('next.config.js', 'export default {', "export default {\n  basePath: '/base',");
  copy('package.json');
  cpSync(join(ROOT, 'models/vitscope-tiny'), join(folder, 'public/models/vitscope-tiny'), { recursive: true });
  return folder;
}

for (const bundler of ['--turbopack', '--webpack']) {
  test(`Next.js ${bundler}: in development, under a base path`, async () => {
    const { url, stop } = await start(underBase(), join(ROOT, 'examples/next/node_modules/next/dist/bin/next'), 'dev', bundler, '--port', '0');
    await askPage(browser, new URL('/base', url).href);
    stop();
  });
}

test('SvelteKit: built as files, beside which its pages are, and in development', async () => {
  const folder = project('sveltekit');
  cpSync(join(ROOT, 'models/vitscope-tiny'), join(folder, 'static/models/vitscope-tiny'), { recursive: true });
  mkdirSync(join(folder, 'src/routes'), { recursive: true });
  writeFileSync(join(folder, 'src/app.html'), '<!doctype html><head>%sveltekit.head%<link rel="icon" href="data:,"></head><body><div>%sveltekit.body%</div></body>');
  writeFileSync(join(folder, 'src/routes/+layout.js'), 'export const prerender = true;');
  writeFileSync(join(folder, 'src/routes/+page.svelte'), `
    <script>
      import { onMount } from 'svelte';
      import { Vitscope } from 'vitscope';
      let vit = $state.raw();
      let top = $state.raw([]);
      onMount(async () => void (vit = await Vitscope.load('/models/vitscope-tiny/')));
      const classify = async ({ target }) => void (top = (await vit.classify(target.files[0])).top);
    </script>
    <input type="file" disabled={!vit} onchange={classify}>
    <ol>{#each top as { label, score }}<li>{label}, {Math.round(100 * score)} %</li>{/each}</ol>`);
  writeFileSync(join(folder, 'vite.config.js'), `import { sveltekit } from '@sveltejs/kit/vite'; import adapter from '@sveltejs/adapter-static'; export default { plugins: [sveltekit({ adapter: adapter() })], server: { headers: ${JSON.stringify(ISOLATED)} } };`);
  run(address(folder), process.execPath, tool('vite/bin/vite.js'), 'build');
  await askPage(browser, `${await site(ISOLATED)}${address(folder)}/build/index.html`);
  const { url, stop } = await start(folder, tool('vite/bin/vite.js'), '--port', '0');
  await askPage(browser, url);
  stop();
});

test('Astro: built under a base path, and in development', async () => {
  const folder = project('astro');
  cpSync(join(ROOT, 'models/vitscope-tiny'), join(folder, 'public/models/vitscope-tiny'), { recursive: true });
  mkdirSync(join(folder, 'src/pages'), { recursive: true });
  writeFileSync(join(folder, 'src/pages/index.astro'), page("<script>import '../../main.js';</script>"));
  writeFileSync(join(folder, 'astro.config.mjs'), `export default { server: { headers: ${JSON.stringify(ISOLATED)} }, devToolbar: { enabled: false } };`);
  run(address(folder), process.execPath, tool('astro/astro.js'), 'build', '--base', `${address(folder)}/dist/`);
  await askPage(browser, `${await site(ISOLATED)}${address(folder)}/dist/index.html`);
  const { url, stop } = await start(folder, tool('astro/astro.js'), 'dev', '--port', '0');
  await askPage(browser, url);
  stop();
});

test('webpack-dev-server', async () => {
  const folder = project('webpack-dev-server');
  cpSync(join(ROOT, 'models/vitscope-tiny'), join(folder, 'models/vitscope-tiny'), { recursive: true });
  writeFileSync(join(folder, 'serve.js'), `
    import webpack from 'webpack';
    import Server from 'webpack-dev-server';
    const server = new Server({ port: 'auto', host: 'localhost', static: '.', headers: ${JSON.stringify(ISOLATED)} }, webpack({ mode: 'development', entry: './main.js', infrastructureLogging: { level: 'warn' } }));
    await server.start();
    console.log('Ready:', 'http://localhost:' + server.options.port);`);
  const { url, stop } = await start(folder, 'serve.js');
  await askPage(browser, url);
  stop();
});

for (const [runtime, args] of /** @type {[string, string[]][]} */ ([['bun', []], ['deno', ['run', '--allow-read', '--allow-env', '--allow-ffi', '--allow-sys']]])) {
  test(`${runtime} reads the photo`, () => {
    const output = run('examples', bin(runtime), ...args, 'node/classify.js', '../models/vitscope-tiny', PHOTO);
    assert.match(output, /coffee\.jpg espresso 9\d %, /);
  });
}

test('without anything that reads pictures a sentence says so', () => {
  const folder = elsewhere();
  writeFileSync(join(ROOT, folder, 'bare.js'), `import { Vitscope } from 'vitscope'; const vit = await Vitscope.load(${JSON.stringify(join(ROOT, 'models/vitscope-tiny'))}); await vit.classify(${JSON.stringify(PHOTO)}).catch(({ code, message }) => console.log(code, message)); vit.close();`);
  for (const program of [process.execPath, bin('bun')]) assert.match(run(folder, program, 'bare.js'), /^unsupported-environment .*coffee\.jpg can't be read here.*sharp or @napi-rs\/canvas/);
});

test('publint and attw find nothing', () => {
  run('tests/tools', bin('publint'), tarball, '--strict');
  run('tests/tools', bin('attw'), tarball, '--profile', 'esm-only', '--entrypoints', '.', './engine', './worker.js');
});

test('the oldest TypeScript that the README names reads the types', () => {
  const readme = readFileSync(join(ROOT, 'pkg/README.md'), 'utf8');
  const version = /TypeScript (\d\.\d)/.exec(readme)?.[1];
  const folder = elsewhere();
  writeFileSync(join(ROOT, folder, 'use.ts'), `
    import { Trace, Vitscope } from 'vitscope';
    import { Engine } from 'vitscope/engine';
    const vit = await Vitscope.load('x', { assets: { base: '/v/' }, decode: async () => ({ data: new Uint8Array(4), width: 1, height: 1 }) });
    const trace: Trace = await vit.trace({ data: new Uint8Array(4), width: 1, height: 1 });
    const attentions: Float32Array = trace.attentions;
    console.log(attentions, Engine);`);
  for (const [module, resolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    run(folder, process.execPath, tool(`typescript-${version}/bin/tsc`), '--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom', '--module', module, '--moduleResolution', resolution, 'use.ts');
  }
});
