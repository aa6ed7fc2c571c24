/** From a record of large models to the table that people read. */

/**
 * @typedef {import('./stats.mjs').Series} Series
 * @typedef {{threads: number, size: number, tokens: number, loaded: number, first: number, series: Series, memory: {wasm: number, weights: number}, process: import('./report.mjs').Process}} Run
 *   milliseconds: from a server on the same machine to a model; the first pass; those after it. process: above an empty page's
 * @typedef {{model: string, parameters: number, file: number, runs: Run[]}} Large
 * @typedef {import('./record.mjs').Machine & {chromium: string, simd: string, large: Large[]}} Record
 */

const NAMES = /** @type {{[model: string]: string}} */ ({ 'vit-l': 'ViT-L/16', 'dinov2-g': 'DINOv2-g' });
/** Of the weights, that may be taken. */
const MEMORY = 1.25;
const HEADINGS = ['int8', 'threads', 'loaded', 'first pass', 'then', 'wasm memory', 'the process, settled', 'at its peak', `target: wasm ≤ ${MEMORY} × the weights`];

/**
 * @param {Record} record
 * @returns {string[][]}
 */
export function rows({ large }) {
  return large.flatMap(({ model, parameters, file, runs }) =>
    runs.map(({ threads, size, tokens, loaded, first, series, memory, process }) => {
      const share = (/** @type {number} */ bytes) => `${MB(bytes)}, ${(bytes / file).toFixed(2)} ×`;
      return [
        `${NAMES[model] ?? model}, ${Math.round(parameters / 1e6)} M, ${MB(file)}, at ${size} px (${tokens} tokens)`, `${threads}`, seconds(loaded), seconds(first), seconds(series.median),
        share(memory.wasm), share(process.settled), share(process.peak), memory.wasm / file <= MEMORY ? 'met' : 'missed',
      ];
    }),
  );
}

/**
 * What it was measured on, then the table.
 * @param {Record} record
 */
export function markdown(record) {
  const { date, cpu, cores, chromium, simd } = record;
  const lines = [HEADINGS, HEADINGS.map((_, i) => (i === 0 || i === HEADINGS.length - 1 ? '---' : '--:')), ...rows(record)];
  return `${date.slice(0, 10)}, ${cpu}, ${cores} cores, Chromium ${chromium}, vitscope's ${simd} build:\n\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`;
}

/** @param {number} ms */
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
/** @param {number} bytes */
const MB = (bytes) => `${Math.round(bytes / 1e6)} MB`;
