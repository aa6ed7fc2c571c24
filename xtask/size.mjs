// What a visitor's download is made of, and whether it keeps to `xtask/size.json`: `cargo xtask size`, see `xtask/src/size.rs`.
// Sizes are those of the module as it ships; wasm-opt writes down its functions' names beside it.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

const BUDGETS = new URL('size.json', import.meta.url);
/** What toolchains differ by, and what no part is too small for. */
const [TOLERANCE, LEAST] = [0.02, 250];

/** Families' files and what only models of stages have: by name, since their folders hold other things too. */
const FAMILY = 'hf_\\w+|timm(_\\w+)?|open_clip|swin|sam|convolutions';
const STAGES = 'stages|windows|window_attention|transition|relative_bias|decomposed|mobile|maps|convolution|neck|shape';
/**
 * Parts by the beginning of their functions' paths, the first that fits.
 * @type {[string, RegExp][]}
 */
const PARTS = [
  ['kernels', /^vitscope::(kernels|simd)\b/],
  ['backward pass', /^vitscope::model::gradient\b/],
  ['models of stages', new RegExp(`^vitscope::(model|explain)::(${STAGES})\\b`)],
  ['models', /^vitscope::(model|parallel|alloc)\b/],
  ['checkpoints: families', new RegExp(`^vitscope::checkpoint::(${FAMILY})\\b`)],
  ['checkpoints: files, configs, processors', /^vitscope::(checkpoint|quant)\b/],
  ['explanations', /^vitscope::explain\b/],
  ['pictures', /^vitscope::(preprocess|resample|classifier)\b/],
  ['serde and JSON', /^(serde\w*|safetensors|itoa|zmij|ryu|memchr)\b/],
  ['ndarray', /^(ndarray|num_\w+|matrixmultiply|rawpointer)\b/],
  ['values that are dropped', /^core::ptr::drop_in_place/],
  ['boundary to JavaScript', /^vitscope::wasm\b|^(js_sys|web_sys|wasm_bindgen|console_error_panic_hook)\b|^[_a-z]+[A-Za-z]*_\w*$/],
  ['std', /^(str\b|char\b|std|core|alloc|dlmalloc|hashbrown|compiler_builtins|rustc_demangle|mem\w+)\b/],
  ['other functions', /^/],
];

/**
 * The sections of a module, and its functions' bodies, as places in it.
 * @param {Buffer} module
 */
export function read(module) {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  /** @type {{id: number, start: number, end: number}[]} */
  const sections = [];
  /** @type {{start: number, end: number}[]} */
  const bodies = [];
  while (at < module.length) {
    const start = at;
    const id = module[at++];
    const size = number();
    const end = at + size;
    sections.push({ id, start, end });
    if (id === 10) {
      for (let left = number(); left > 0; left--) {
        const from = at;
        at = number() + at;
        bodies.push({ start: from, end: at });
      }
    }
    at = end;
  }
  return { sections, bodies };
}

/**
 * Where a function stands: the first path in its name, without the crate's hash. What JavaScript calls has a name without.
 * @param {string} name
 */
export function path(name) {
  const [, crate, rest] = /(\w+)\[[0-9a-f]+\]((?:>*::\w+)*)/.exec(name) ?? ['', name, ''];
  return `${crate}${rest.replaceAll('>', '')}`;
}

/** @param {string} name */
const partOf = (name) => PARTS.find(([, prefix]) => prefix.test(path(name)))?.[0] ?? '';
const brotli = (/** @type {Buffer} */ content) => brotliCompressSync(content).length;

/**
 * The bytes of each part, in order, and with `shares` what the module would be smaller by as brotli, were the part not there.
 * @param {Buffer} module
 * @param {string} functions  wasm-opt's map: a line a function, imported ones first
 * @param {boolean} shares
 */
function parts(module, functions, shares) {
  const names = functions.split('\n').filter((line) => line !== '').map((line) => line.slice(line.indexOf(':') + 1));
  const { sections, bodies } = read(module);
  const imported = names.length - bodies.length;
  /** @type {Map<string, {start: number, end: number}[]>} */
  const places = new Map(PARTS.map(([part]) => [part, []]));
  bodies.forEach((body, i) => places.get(partOf(names[imported + i]))?.push(body));
  places.set('texts and tables', sections.filter(({ id }) => id === 11));
  places.set('types, imports, table of functions', sections.filter(({ id }) => id !== 10 && id !== 11));
  const whole = shares ? brotli(module) : 0;
  return [...places].map(([part, ranges]) => {
    const bytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    return { part, bytes, brotli: shares ? whole - brotli(without(module, ranges)) : 0 };
  });
}

/**
 * @param {Buffer} content
 * @param {{start: number, end: number}[]} ranges
 */
function without(content, ranges) {
  const ends = [0, ...ranges.map(({ end }) => end)];
  return Buffer.concat([...ranges.map(({ start }) => start), content.length].map((start, i) => content.subarray(ends[i], start)));
}

/**
 * What is above its budget, in words.
 * @param {Record<string, number>} sizes
 * @param {Record<string, number>} budgets
 */
export function above(sizes, budgets) {
  const fails = Object.entries(sizes).filter(([part, size]) => size > (budgets[part] ?? 0) * (1 + TOLERANCE) + LEAST);
  return fails.map(([part, size]) => `${part}: ${size} bytes, and the budget is ${budgets[part] ?? 'none'}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [how, moduleFile, functionsFile, ...scripts] = process.argv.slice(2);
  const module = readFileSync(moduleFile);
  const rows = parts(module, readFileSync(functionsFile, 'utf8'), how !== 'check');
  const files = Object.fromEntries([moduleFile, ...scripts].map((file) => [file.replace(/^.*\//, '').replace('_bg', ''), brotli(readFileSync(file))]));
  const sizes = {
    'parts of the module, bytes': Object.fromEntries(rows.map(({ part, bytes }) => [part, bytes])),
    'download, bytes as brotli': { ...files, 'in all': Object.values(files).reduce((sum, size) => sum + size) },
  };
  if (how === 'record') writeFileSync(BUDGETS, `${JSON.stringify(sizes, null, 2)}\n`);
  const budgets = JSON.parse(readFileSync(BUDGETS, 'utf8'));
  if (how !== 'check') {
    const kB = (/** @type {number} */ bytes) => (bytes / 1000).toFixed(1).padStart(7);
    console.log('     kB  less as brotli without it, of the relaxed build');
    for (const { part, bytes, brotli } of rows) console.log(`${kB(bytes)} ${kB(brotli)}  ${part}`);
    console.log(`\n${kB(module.length)} ${kB(files['vitscope.wasm'])}  the module`);
    for (const [file, size] of Object.entries(sizes['download, bytes as brotli'])) console.log(`${' '.repeat(7)} ${kB(size)}  ${file}`);
  }
  const fails = Object.entries(sizes).flatMap(([table, sizes]) => above(sizes, budgets[table] ?? {}));
  if (fails.length > 0) {
    console.error(`The download is above its budgets (xtask/size.json):\n  ${fails.join('\n  ')}\nWhat it should cost is recorded by \`cargo xtask size --record\`; the change says what for.`);
    process.exitCode = 1;
  }
}
