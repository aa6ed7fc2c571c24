// The page's server, for `cargo xtask serve` and for the tests. It serves a few folders of the repository on this machine alone.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sirv from 'sirv';
import { Builds } from './builds.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The page and the lesson. */
const PAGE = /^\/www\/(?:inside\/)?(?:index\.html)?$/;
const FOLDERS = ['www', 'pkg', 'models'];
const HOST = '127.0.0.1';
const DEFAULT_PORT = 8080;

// Cross-origin isolation, which shared memory needs.
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
// Browsers keep every file and ask each time whether it is still the same: no stale copy of one just rebuilt.
const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
};

/**
 * Starts the server: `/www/`, `/pkg/` and `/models/`, with `/` leading to `/www/`.
 *
 * @param {object} [options]
 * @param {number} [options.port] 0 for any free port
 * @param {boolean} [options.orNext] where the port is taken, try the ones after it
 * @param {boolean} [options.isolated] false: as an ordinary static server, so that pages have no threads
 * @param {string[]} [options.folders] more folders of the repository to serve, such as 'tests/page'
 * @param {Builds} [options.builds] the engine's, where some are still to be made; none: what is there is served
 * @param {(path: string) => void} [options.onFile] told of every file asked for that is under a served folder
 * @returns {Promise<{url: string, port: number, close: () => Promise<void>}>}
 */
export async function serve({ port = 0, orNext = false, isolated = true, folders = [], builds, onFile = () => {} } = {}) {
  const headers = isolated ? { ...ISOLATION, ...HEADERS } : HEADERS;
  const server = createServer(handler([...FOLDERS, ...folders], headers, builds, onFile));
  const taken = await listen(server, port, orNext ? 100 : 1);
  return {
    url: `http://${HOST}:${taken}/`,
    port: taken,
    close() {
      server.closeAllConnections();
      return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
    },
  };
}

/**
 * @param {string[]} folders
 * @param {Record<string, string>} headers
 * @param {Builds | undefined} builds
 * @param {(path: string) => void} onFile
 * @returns {import('node:http').RequestListener}
 */
function handler(folders, headers, builds, onFile) {
  const served = folders.map((folder) => ({
    prefix: `/${folder}`,
    // dev: look at the disk on every request; a list of files made at the start misses the next build's.
    files: sirv(`${ROOT}${folder}`, { dev: true, etag: true, setHeaders: validate }),
  }));

  return async (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405);

    const url = request.url ?? '/';
    const path = url.replace(/[?#].*$/s, '');
    const query = url.slice(path.length); // the page's address may name a model
    if (path === '/') return redirect(response, `/www/${query}`);
    const found = served.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
    if (!found) return refuse(response, 404);
    // Without the slash, relative addresses in the page would miss.
    if (path === found.prefix || path === '/www/inside') return redirect(response, `${path}/${query}`);

    onFile(path);
    if (builds && PAGE.test(path)) return send(response, builds.page(readFileSync(`${ROOT}${path.slice(1).replace(/\/$/, '/index.html')}`, 'utf8'), request.headers.cookie));
    try {
      await builds?.provide(/^\/pkg\/dist\/vitscope\/([^/]+)\.wasm$/.exec(path)?.[1] ?? '');
    } catch {
      return refuse(response, 500);
    }
    request.url = url.slice(found.prefix.length);
    const known = request.headers['if-none-match'];
    if (known) request.headers['if-none-match'] = known.replace(/^"/, 'W/"'); // as sirv compares it
    found.files(request, response, () => refuse(response, 404));
  };
}

/**
 * Before a file is sent. A browser keeps what came of a broken download, and asks for the rest alone, only where the file's name is a strong one; sirv's
 * is weak. And sirv knows no If-Range, and takes some ranges amiss.
 *
 * @param {import('node:http').ServerResponse} response
 * @param {string} _path
 * @param {import('node:fs').Stats} stats
 */
function validate(response, _path, { size, mtime }) {
  const etag = `"${size}-${mtime.getTime()}"`;
  response.setHeader('ETag', etag);
  response.setHeader('Accept-Ranges', 'bytes');
  const { headers } = response.req;
  headers.range = (headers['if-range'] ?? etag) === etag ? understood(headers.range, size) : undefined;
}

/**
 * A range as sirv understands it; none where the whole file is a valid answer, and the only one that sirv has.
 *
 * @param {string | undefined} range
 * @param {number} size
 */
function understood(range, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  const end = last ? Number(last) : Infinity;
  if (first) return end >= Number(first) && end > 0 ? `bytes=${first}-${Math.min(end, size - 1)}` : undefined;
  return last ? `bytes=${size - Math.min(Number(last), size)}-` : undefined; // the last so many
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} status
 */
function refuse(response, status) {
  response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${status}\n`);
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {string} html
 */
function send(response, html) {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html);
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {string} to
 */
function redirect(response, to) {
  response.writeHead(302, { Location: to }).end();
}

/**
 * Listens on `port`, or on the first free one of the `tries` from it.
 *
 * @param {import('node:http').Server} server
 * @param {number} port
 * @param {number} tries
 * @returns {Promise<number>}
 */
async function listen(server, port, tries) {
  for (let candidate = port; ; candidate++) {
    try {
      return await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(candidate, HOST, () => {
          server.off('error', reject);
          resolve(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
        });
      });
    } catch (error) {
      const isTaken = /** @type {NodeJS.ErrnoException} */ (error).code === 'EADDRINUSE';
      if (!isTaken) throw error;
      if (candidate + 1 >= port + tries || candidate === 65535) {
        throw new Error(`Port ${candidate} is taken; name another with --port.`, { cause: error });
      }
    }
  }
}

/**
 * @param {string} xtask the program that builds
 * @param {string} name
 */
function compile(xtask, name) {
  console.log(`A browser asks for the engine's build ${name}`);
  return new Promise((resolve, reject) => {
    const child = spawn(xtask, ['build', name], { cwd: ROOT, stdio: 'inherit' });
    child.once('error', reject).once('exit', (code) => (code === 0 ? resolve(code) : reject(new Error(`${name} could not be built`))));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { positionals: [asked], values: { xtask } } = parseArgs({ allowPositionals: true, options: { xtask: { type: 'string' } } });
  try {
    const builds = xtask ? new Builds(`${ROOT}pkg/dist/vitscope`, (name) => compile(xtask, name)) : undefined;
    const { url } = await serve({ port: asked ? Number(asked) : DEFAULT_PORT, orNext: !asked, builds });
    console.log(`Serving the page at ${url} (Ctrl-C stops it)`);
  } catch (error) {
    console.error(`error: ${/** @type {Error} */ (error).message}`);
    process.exitCode = 1;
  }
}
