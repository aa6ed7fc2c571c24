/** JupyterLab as its users have it, in Chromium: a server of its own, whose settings and files lie in a folder that is gone afterwards. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { ROOT, finallyDo, openTab, temporaryFolder } from '../page/harness.mjs';

const TOKEN = 'vitscope';
const run = promisify(execFile);

/** Python with JupyterLab and ipykernel 7, and one with ipykernel 6; both have the wheel. The step `notebook` makes them. */
export const PYTHON = process.env.VITSCOPE_JUPYTER ?? '';
export const KERNEL6 = process.env.VITSCOPE_KERNEL6 ?? '';

/** Python with torch, timm and transformers beside what a kernel needs. */
export const TORCH = process.env.VITSCOPE_TORCH ?? '';

/** Where kernels have the package from: the wheel, unpacked, or the folder with what `xtask/notebook.mjs` writes there. */
const PACKAGE = process.env.VITSCOPE_WHEEL ?? join(ROOT, 'notebook');

/** Whether a Python has these modules. @param {string} python @param {string[]} modules */
export async function has(python, ...modules) {
  return !!python && run(python, ['-c', `import ${modules.join(', ')}`]).then(() => true, () => false);
}

/** @typedef {Awaited<ReturnType<typeof startJupyter>>} Jupyter */

/**
 * A server with a kernel for each of `kernels`, name to Python. `env` is the kernels' too.
 * @param {Record<string, string>} kernels
 * @param {{app?: 'lab' | 'notebook', env?: Record<string, string>}} [options]
 */
export async function startJupyter(kernels, { app = 'lab', env = {} } = {}) {
  const home = temporaryFolder();
  const root = join(home, 'files');
  mkdirSync(root);
  /** @param {string} path @param {unknown} json */
  const write = (path, json) => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), JSON.stringify(json));
  };
  for (const [name, python] of Object.entries(kernels)) {
    write(`data/kernels/${name}/kernel.json`, { argv: [python, '-m', 'ipykernel_launcher', '-f', '{connection_file}'], display_name: name, language: 'python' });
  }
  // Nothing is asked of the network, and no question is asked of the reader.
  write('config/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings', { fetchNews: 'false', checkForUpdates: false });
  const server = spawn(PYTHON, ['-m', 'jupyter', app, '--no-browser', '--allow-root', '--ServerApp.port=0', '--ServerApp.ip=127.0.0.1', `--ServerApp.root_dir=${root}`, `--IdentityProvider.token=${TOKEN}`, '--KernelSpecManager.ensure_native_kernel=False', '--LabApp.expose_app_in_browser=True', '--JupyterNotebookApp.expose_app_in_browser=True'], {
    env: { ...process.env, HOME: home, JUPYTER_CONFIG_DIR: join(home, 'config'), JUPYTER_DATA_DIR: join(home, 'data'), JUPYTER_RUNTIME_DIR: join(home, 'runtime'), JUPYTER_PREFER_ENV_PATH: '0', IPYTHONDIR: join(home, 'ipython'), PYTHONPATH: PACKAGE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (data) => (log += data));
  const ended = new Promise((resolve) => server.on('exit', resolve));
  finallyDo(async () => {
    server.kill('SIGTERM'); // it ends its kernels
    await ended;
  });
  const origin = await address(join(home, 'runtime'), ended, () => log);
  return { origin, app, root, home, log: () => log };
}

/** Where a server says that it listens. @param {string} runtime @param {Promise<unknown>} ended @param {() => string} log */
async function address(runtime, ended, log) {
  let alive = true;
  ended.then(() => (alive = false));
  while (alive) {
    try {
      const file = readdirSync(runtime).find((name) => /^jpserver-\d+\.json$/.test(name));
      const { port } = file ? JSON.parse(readFileSync(join(runtime, file), 'utf8')) : { port: 0 };
      if (port && (await fetch(`http://127.0.0.1:${port}/api`)).ok) return `http://127.0.0.1:${port}`;
    } catch {} // not yet written as a whole, or not yet listening
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`Jupyter did not start:\n${log()}`);
}

/**
 * A notebook without cells, open with a kernel that is idle.
 * @param {import('playwright-core').Browser} browser
 * @param {Jupyter} jupyter
 * @param {string} kernel
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openNotebook(browser, jupyter, kernel, options) {
  const name = `${kernel}-${Math.random().toString(36).slice(2)}.ipynb`;
  const metadata = { kernelspec: { name: kernel, display_name: kernel, language: 'python' } };
  const path = join(jupyter.root, name);
  writeFileSync(path, JSON.stringify({ cells: [], metadata, nbformat: 4, nbformat_minor: 5 }));
  return openFile(browser, jupyter, path, options);
}

/**
 * A notebook that lies in the server's folder, open with its kernel idle.
 * @param {import('playwright-core').Browser} browser
 * @param {Jupyter} jupyter
 * @param {string} path
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openFile(browser, jupyter, path, options) {
  const tab = await openTab(browser, { viewport: { width: 1280, height: 1000 }, ...options });
  const { page } = tab;
  page.setDefaultTimeout(30_000);
  const name = relative(jupyter.root, path);
  // A workspace of its own, or notebooks that were open before would be so again.
  const place = jupyter.app === 'lab' ? `lab/workspaces/${basename(name, '.ipynb')}/tree` : 'notebooks';
  await page.goto(`${jupyter.origin}/${place}/${name}?token=${TOKEN}`);
  const notebook = new Notebook(tab, path, name);
  await notebook.ready();
  return notebook;
}

/** @typedef {{output_type: string, text?: string, ename?: string, evalue?: string, data?: Record<string, any>}} Output */

/** An open notebook: cells are added below, run, and read. */
class Notebook {
  /** @param {Awaited<ReturnType<typeof openTab>>} tab @param {string} path @param {string} name the server's */
  constructor(tab, path, name) {
    this.tab = tab;
    this.page = tab.page;
    this.path = path;
    this.name = name;
  }

  /** Waits until it is open, and its kernel idle. */
  async ready() {
    await this.page.waitForFunction((name) => {
      const { context, sessionContext } = /** @type {any} */ (globalThis).jupyterapp?.shell.currentWidget ?? {};
      return context?.path === name && sessionContext?.session?.kernel?.status === 'idle';
    }, this.name);
  }

  /** Loads the page anew; the kernel goes on. */
  async reload() {
    await this.page.reload();
    await this.ready();
  }

  /** Adds a cell, runs it, and waits until the kernel has done so. @param {string} source */
  async run(source) {
    const index = await this.page.evaluate((source) => {
      const { content } = /** @type {any} */ (globalThis).jupyterapp.shell.currentWidget;
      content.model.sharedModel.addCell({ cell_type: 'code', source });
      return content.widgets.length - 1;
    }, source);
    return this.runCell(index);
  }

  /** Runs the cell with this index, once more perhaps. @param {number} index */
  async runCell(index) {
    const outputs = /** @type {Output[]} */ (
      await this.page.evaluate(async (index) => {
        const { commands, shell } = /** @type {any} */ (globalThis).jupyterapp;
        shell.currentWidget.content.activeCellIndex = index;
        await commands.execute('notebook:run-cell');
        return shell.currentWidget.content.widgets[index].outputArea.model.toJSON();
      }, index)
    );
    return { index, outputs, text: outputs.map(textOf).join(''), at: this.below(index) };
  }

  /** Runs all cells as its menu does, one right after the other, and says what came of each. */
  async runAll() {
    await this.command('notebook:run-all-cells');
    const count = await this.page.evaluate(() => /** @type {any} */ (globalThis).jupyterapp.shell.currentWidget.content.widgets.length);
    return Promise.all(Array.from({ length: count }, async (_, index) => {
      const outputs = await this.outputs(index);
      return { index, outputs: outputs ?? [], text: (outputs ?? []).map(textOf).join(''), at: this.below(index) };
    }));
  }

  /** What a cell prints, where it must not fail. @param {string} source */
  async print(source) {
    const { outputs, text } = await this.run(source);
    assert.ok(outputs.every(({ output_type: type }) => type !== 'error'), text);
    return text.trim();
  }

  /** A value of Python's that JSON can say. @param {string} expression */
  async value(expression) {
    return JSON.parse(await this.print(`import json; print(json.dumps(${expression}))`));
  }

  /** Asks until an expression has this value: what a front end does comes to the kernel a little later. @param {string} expression @param {unknown} expected */
  async becomes(expression, expected) {
    const { index, ...first } = await this.run(`import json; print(json.dumps(${expression}))`);
    let { text } = first;
    for (let tries = 0; text.trim() !== python(expected) && tries < 50; tries++) {
      await this.page.waitForTimeout(200);
      ({ text } = await this.runCell(index));
    }
    assert.equal(text.trim(), python(expected), expression);
  }

  /** Where the outputs of a cell are. @param {number} index */
  below(index) {
    return this.page.locator('.jp-Notebook .jp-Cell').nth(index).locator('.jp-Cell-outputWrapper');
  }

  /** What the outputs of a cell are by now. @param {number} index */
  outputs(index) {
    return /** @type {Promise<Output[]>} */ (
      this.page.evaluate((index) => /** @type {any} */ (globalThis).jupyterapp.shell.currentWidget.content.widgets[index].outputArea?.model.toJSON(), index)
    );
  }

  /** A command of the front end, as its menus give it, of the cell with this index. @param {string} id @param {number} [index] @param {object} [args] */
  async command(id, index, args = {}) {
    await this.page.evaluate(
      async ([id, index, args]) => {
        const { commands, shell } = /** @type {any} */ (globalThis).jupyterapp;
        if (index !== undefined) shell.currentWidget.content.activeCellIndex = index;
        await commands.execute(id, args);
      },
      /** @type {[string, number | undefined, object]} */ ([id, index, args]),
    );
  }

  /** The notebook as it is saved. */
  async saved() {
    await this.command('docmanager:save');
    return JSON.parse(readFileSync(this.path, 'utf8'));
  }

  /** No error of a script of ours was left uncaught: those of the widget are blobs. */
  async close() {
    assert.deepEqual(this.tab.errors.filter((error) => error.includes('blob:') || !error.includes('/static/')), []);
    await this.tab.close();
  }
}

/** As Python's json writes it. @param {unknown} value */
function python(value) {
  return JSON.stringify(value).replace(/,/g, ', ');
}

/** @param {Output} output */
function textOf({ output_type: type, text, ename, evalue, data }) {
  if (type === 'stream') return text ?? '';
  if (type === 'error') return `${ename}: ${evalue}`;
  return data?.['text/plain'] ?? '';
}
