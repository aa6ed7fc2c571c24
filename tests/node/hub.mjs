/**
 * A stand-in of the Hub: its API, its files by way of another origin that holds signed addresses for a while, plain folders beside them, and all that may go
 * wrong with these. It writes down what it was asked for and how much it sent.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';

/**
 * @typedef {{files: Record<string, Buffer>, revisions?: Record<string, string>, gated?: false | 'auto' | 'manual', private?: boolean, card?: object}} Repository
 *   revisions: commits by branch and tag; `main` has one unless told
 * @typedef {{origin: 'hub' | 'cdn', method: string, path: string, headers: import('node:http').IncomingHttpHeaders, range?: string, status: number, sent: number}} Asked
 * @typedef {object} Quirks
 * @property {boolean} ranges whether they are understood
 * @property {boolean} exposed whether pages of other sites see ETag, Content-Range and the like
 * @property {boolean} lengths whether Content-Length and, of an API answer, sizes are told
 * @property {boolean} gzip whole answers are compressed
 * @property {'etag' | 'modified' | 'none'} validator
 * @property {((path: string, begin: number, end: number) => number | undefined)} breakAt where in the file the connection breaks, if it does
 * @property {number} holds how much of an answer is sent; for the rest its reader waits, until it gives up
 * @property {number | undefined} flip a byte of large files that is another one
 * @property {RegExp | undefined} html files in whose place there is a page
 * @property {[path: RegExp, status: number, headers?: Record<string, string>][]} refuse answers for the next requests that fit, each once
 * @property {number} uses of a signed address
 * @property {boolean} blobs whether the API tells sizes and sums
 * @property {boolean} down whether nobody is there
 */

export const TOKEN = 'hf_secret';
const EXPOSED = 'ETag, Content-Range, Content-Length, X-Error-Code, X-Linked-Etag, X-Linked-Size, Retry-After';

/** @type {WeakMap<Buffer, string>} */
const sums = new WeakMap();
function sha256(/** @type {Buffer} */ bytes) {
  const sum = sums.get(bytes) ?? createHash('sha256').update(bytes).digest('hex');
  sums.set(bytes, sum);
  return sum;
}

/** The files of a folder that a model is made of. @param {string | URL} folder */
export function filesOf(folder) {
  const own = (/** @type {string} */ name) => /\.(json|safetensors)$/.test(name) && !/^(expected|explain|inside|interventions|pixels)\./.test(name);
  return Object.fromEntries(readdirSync(folder).filter(own).map((name) => [name, readFileSync(new URL(name, folder))]));
}

/**
 * A model's weights in many files, each of them with something at its end that is not read.
 * @param {Record<string, Buffer>} model
 * @param {number} count
 * @param {number} unread how many bytes at the end of each
 */
export function split({ 'model.safetensors': whole, ...files }, count, unread) {
  const start = 8 + whole.readUInt32LE(0);
  const { __metadata__, ...entries } = JSON.parse(whole.toString('utf8', 8, start));
  const tensors = Object.entries(entries).map(([name, { data_offsets: [begin, end], ...entry }]) => ({ name, entry, bytes: whole.subarray(start + begin, start + end) }));
  const each = Math.ceil(tensors.length / count);
  /** @type {Record<string, string>} */
  const weight_map = {};
  for (let i = 0; i < count; i++) {
    const file = `model-${i}.safetensors`;
    const own = [...tensors.slice(i * each, (i + 1) * each), { name: `decoder.${i}`, entry: { dtype: 'U8', shape: [unread] }, bytes: Buffer.alloc(unread) }];
    let at = 0;
    const header = Buffer.from(JSON.stringify(Object.fromEntries(own.map(({ name, entry, bytes }) => [name, { ...entry, data_offsets: [at, (at += bytes.length)] }]))));
    const length = Buffer.alloc(8);
    length.writeUInt32LE(header.length);
    files[file] = Buffer.concat([length, header, ...own.map(({ bytes }) => bytes)]);
    for (const { name } of own) weight_map[name] = file;
  }
  return { ...files, 'model.safetensors.index.json': Buffer.from(JSON.stringify({ weight_map })) };
}

/** @param {string} name of a seeded model in tests/fixtures */
export const seeded = (name) => filesOf(new URL(`../fixtures/${name}/`, import.meta.url));

export class Hub {
  /** @type {Asked[]} */
  log = [];
  /** @type {Quirks} */
  quirks = { ranges: true, exposed: true, lengths: true, gzip: false, validator: 'etag', breakAt: () => undefined, holds: Infinity, flip: undefined, html: undefined, refuse: [], uses: Infinity, blobs: true, down: false };
  /** Answers that are under way. */
  open = 0;
  /** Signed addresses, with how often they have been used. @type {Map<string, number>} */
  #signed = new Map();
  #servers = [createServer((request, response) => this.#answer(request, response, 'hub')), createServer((request, response) => this.#answer(request, response, 'cdn'))];
  url = '';
  cdn = '';

  /** @param {Record<string, Repository>} repositories folders of plain files too, at `/folders/…/` */
  constructor(repositories) {
    this.repositories = repositories;
  }

  async start() {
    for (const server of this.#servers) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    [this.url, this.cdn] = this.#servers.map((server) => `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}/`);
    return this;
  }

  close() {
    for (const server of this.#servers) server.close().closeAllConnections();
  }

  /** As if it had never been asked, and behaved. */
  reset() {
    this.log = [];
    this.quirks = new Hub({}).quirks;
    this.#signed.clear();
  }

  /** The commit of a branch. @param {string} repository */
  commit(repository, branch = 'main') {
    const { files, revisions } = this.repositories[repository];
    return revisions?.[branch] ?? (branch === 'main' ? sha256(Buffer.from(Object.values(files).map(sha256).join())).slice(0, 40) : undefined);
  }

  /** Bytes sent of a file. @param {RegExp} path */
  sent(path) {
    return this.log.filter((asked) => path.test(asked.path)).reduce((sum, { sent }) => sum + sent, 0);
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   * @param {'hub' | 'cdn'} origin
   */
  #answer(request, response, origin) {
    if (this.quirks.down) return void request.socket.destroy();
    const { pathname: path } = new URL(request.url ?? '', this.url);
    const asked = { origin, method: request.method ?? '', path: decodeURIComponent(path), headers: request.headers, range: request.headers.range, status: 0, sent: 0 };
    this.log.push(asked);
    this.open++;
    response.on('close', () => {
      this.open--;
      asked.status = response.statusCode;
    });
    if (request.method === 'OPTIONS') return this.#preflight(request, response, origin);
    response.setHeader('access-control-allow-origin', '*');
    if (this.quirks.exposed) response.setHeader('access-control-expose-headers', EXPOSED);
    if (request.method !== 'GET') return void response.writeHead(405).end();
    const refused = this.quirks.refuse.findIndex(([own]) => own.test(asked.path));
    if (refused >= 0) {
      const [[, status, headers]] = this.quirks.refuse.splice(refused, 1);
      return void response.writeHead(status, headers).end();
    }
    if (origin === 'cdn') return this.#fromCdn(request, response, asked);
    const [, plain, name] = /^\/folders\/(.+)\/([^/]+)$/.exec(asked.path) ?? [];
    if (plain) return this.#send(request, response, asked, this.repositories[plain]?.files[name]);
    return this.#fromHub(request, response, asked);
  }

  /**
   * The Hub lets a token through; its CDN refuses whoever asks (huggingface/datasets#7931).
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   * @param {'hub' | 'cdn'} origin
   */
  #preflight(request, response, origin) {
    const allowed = origin === 'hub' && request.headers['access-control-request-headers'] === 'authorization';
    response.writeHead(allowed ? 204 : 403, allowed ? { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization' } : {}).end();
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   * @param {Asked} asked
   */
  #fromHub(request, response, asked) {
    // As the path was written: a branch may have a slash, which is `%2F` in it.
    const [, api, repository, rest, named, path = ''] = /^\/(api\/models\/)?([^/]+\/[^/]+)\/(revision|resolve)\/([^/]+)\/?(.*)$/.exec(new URL(request.url ?? '', this.url).pathname) ?? [];
    const fail = (/** @type {number} */ status, /** @type {string} */ code, /** @type {string} */ error) => void response.writeHead(status, { 'x-error-code': code, 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    const found = this.repositories[repository];
    const knows = request.headers.authorization === `Bearer ${TOKEN}`;
    if (!found || (found.private && !knows)) return knows ? fail(404, 'RepoNotFound', 'Repository not found') : fail(401, 'RepoNotFound', 'Invalid username or password.');
    const revision = decodeURIComponent(named);
    const commits = [this.commit(repository), ...Object.values(found.revisions ?? {})];
    const sha = commits.includes(revision) ? revision : this.commit(repository, revision);
    if (!sha) return fail(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    if (api) {
      const siblings = Object.entries(found.files).map(([rfilename, bytes]) => ({ rfilename, ...(this.quirks.blobs && { size: bytes.length, ...(isLarge(rfilename) && { lfs: { sha256: sha256(bytes), size: bytes.length } }) }) }));
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: repository, sha, gated: found.gated ?? false, private: found.private ?? false, cardData: found.card, siblings }));
    }
    if (rest !== 'resolve') return fail(404, '', 'Not found');
    if (found.gated && !knows) return fail(request.headers.authorization ? 403 : 401, 'GatedRepo', 'Access to this model is restricted.');
    const bytes = found.files[decodeURIComponent(path)];
    if (!bytes) return fail(404, 'EntryNotFound', 'Entry not found');
    response.setHeader('x-repo-commit', sha);
    if (!isLarge(path)) return this.#send(request, response, asked, bytes);
    const address = new URL(`/${repository}/${path}?signature=${this.#signed.size}`, this.cdn).href;
    this.#signed.set(address, 0);
    response.writeHead(302, { location: address, 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': bytes.length }).end();
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   * @param {Asked} asked
   */
  #fromCdn(request, response, asked) {
    const address = new URL(request.url ?? '', this.cdn).href;
    const used = this.#signed.get(address);
    if (used === undefined || used >= this.quirks.uses) return void response.writeHead(403).end();
    this.#signed.set(address, used + 1);
    const [, repository, name] = /^\/([^/]+\/[^/]+)\/(.+)$/.exec(asked.path) ?? [];
    this.#send(request, response, asked, this.repositories[repository].files[name]);
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   * @param {Asked} asked
   * @param {Buffer | undefined} bytes
   */
  #send(request, response, asked, bytes) {
    const { ranges, lengths, gzip, validator, breakAt, holds, flip, html } = this.quirks;
    if (html?.test(asked.path)) return void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>App</title>');
    if (!bytes) return void response.writeHead(404).end();
    if (flip !== undefined && isLarge(asked.path)) {
      bytes = Buffer.from(bytes);
      bytes[flip] ^= 1;
    }
    if (validator === 'etag') response.setHeader('etag', `"${sha256(bytes)}"`);
    if (validator === 'modified') response.setHeader('last-modified', new Date(1e12 + 1000 * bytes.readUInt16LE(bytes.length - 2)).toUTCString());
    const [, from, until] = (ranges && /^bytes=(\d+)-(\d*)$/.exec(asked.range ?? '')) || [];
    const begin = Number(from ?? 0);
    const end = until ? Math.min(Number(until) + 1, bytes.length) : bytes.length;
    if (begin >= bytes.length && from) return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    let body = bytes.subarray(begin, end);
    response.statusCode = from ? 206 : 200;
    if (from) response.setHeader('content-range', `bytes ${begin}-${end - 1}/${bytes.length}`);
    if (gzip && !from) {
      body = gzipSync(body);
      response.setHeader('content-encoding', 'gzip');
    }
    if (lengths) response.setHeader('content-length', body.length);
    const broken = breakAt(asked.path, begin, end);
    const whole = broken === undefined || broken < begin || broken >= end;
    if (!whole) body = body.subarray(0, broken - begin);
    asked.sent = body.length;
    if (body.length > holds) response.write(body.subarray(0, holds));
    else if (whole) response.end(body);
    else response.write(body, () => setTimeout(() => response.destroy(), 5));
    if (!whole && !body.length) response.flushHeaders();
  }
}

/** What the Hub keeps elsewhere. @param {string} name */
const isLarge = (name) => name.endsWith('.safetensors');
