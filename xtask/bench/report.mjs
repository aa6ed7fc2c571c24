/** From a record of measurements to the table that people read, with the project's targets beside what was measured. */

import { ms, signed } from './cells.mjs';
import { TWO_THREADS, instanceRows } from './instance_rows.mjs';
import { times } from './stats.mjs';

/**
 * @typedef {import('./stats.mjs').Series} Series
 * @typedef {'ti' | 'b' | 'default' | 'swin-t' | 'mobilevit-s' | 'sam-b'} Model
 * @typedef {'f32' | 'int8'} Dtype
 * @typedef {{model: Model, dtype: Dtype, series: {[runner: string]: Series}, loaded?: {[engine: string]: number}, failed?: {[runner: string]: string}}} Forward
 *   milliseconds; runners: ours-1, theirs-1, ours-2, theirs-2 by threads, and ours with all recorded, one layer or one query: trace-1, layer-1, query-1; loaded: from a server on the same
 *   machine, once; failed: what was said
 * @typedef {{
 *   model: Model, dtype: Dtype, threads: number, forward: Series, attribute: Series, views: {[view: string]: Series}, occlusion?: {ms: number, passes: number},
 * }} Explain milliseconds; attribute: a class's relevance by gradients, forward pass included; views: each after a trace
 * @typedef {{model: Model, what: string, cosine: number}} Agreement
 * @typedef {{model: Model, threads: number, ours?: Series, theirs: Series}} Cold milliseconds from navigation to first answer
 * @typedef {{path: string, bytes: number, brotli: number}} File
 * @typedef {{model: Model, first: Series, own: Series, code: File[], data: {path: string, bytes: number}[]}} PageVisits
 *   milliseconds from navigation to the first answer, by whichever model, and to the model's own; what was asked for
 * @typedef {{model: Model, threads: number, ours: File[], theirs: File[]}} Wire
 * @typedef {{peak: number, settled: number}} Process bytes of the renderer above an empty page's
 * @typedef {{model: Model, dtype: Dtype, file: number, memory?: {wasm: number, weights: number}, ours?: Process, theirs?: Process}} Memory
 *   file: of our weights; memory: of our engine
 * @typedef {{name: string, gmacs: number, peak?: string, target?: number}} Kernel
 *   peak: the name of the row that this one can't exceed; target: the part of it to reach
 * @typedef {{
 *   date: string, commit: string, cpu: string, cores: number, busy: number, system: string, chromium: string, onnxruntimeWeb: string, simd?: string,
 *   defaultModel: string, forward: Forward[], explain: Explain[], agreement: Agreement[], cold: Cold[], page: PageVisits[], wire: Wire[], memory: Memory[], threads: import('./instances.mjs').Instances[], kernels: Kernel[],
 * }} Record busy: the part of the cores that other programs took just before
 * @typedef {{what: string, ours: string, theirs: string, ratio: string, target: string, met?: boolean}} Row
 */

const NAMES = { ti: 'ViT-Ti/16', b: 'ViT-B/16', default: 'default model', 'swin-t': 'Swin-T', 'mobilevit-s': 'MobileViT-S', 'sam-b': 'SAM-B at 1024' };
// What was aimed at, of the models that it was said of.
const FASTER = /** @type {Partial<{[model in Model]: {[dtype in Dtype]: number}}>} */ ({ ti: { int8: 1.5, f32: 1.6 }, b: { int8: 1.5, f32: 1.6 }, 'swin-t': { int8: 1.3 } });
/** Models with stages or windows, which are measured apart. @type {Model[]} */
const STAGED = ['swin-t', 'mobilevit-s', 'sam-b'];
const SOONER = /** @type {Partial<{[model in Model]: number}>} */ ({ ti: 4, b: 4 });
/** What is recorded, and what that may cost. @type {{runner: string, what: string, targets: Partial<{[model in Model]: number}>}[]} */
const RECORDINGS = [
  { runner: 'trace-1', what: 'attention recorded', targets: {} },
  { runner: 'layer-1', what: 'one layer recorded', targets: { ti: 0.03, b: 0.01 } },
  { runner: 'query-1', what: 'one query recorded', targets: { ti: 0.03, b: 0.01 } },
];
const ATTRIBUTION = 4;
const VIEW_MS = 10;
/** What a model learned is shown once, not after each trace. */
const OF_THE_MODEL = ['position similarity', 'patch filters'];
const WIRE = 185_000;
const MEMORY = 1.25;

/**
 * @param {Record} record
 * @returns {Row[]}
 */
export function rows(record) {
  return [
    ...record.forward.flatMap(speed),
    ...record.forward.flatMap(scaling),
    ...record.forward.flatMap(recording),
    ...record.forward.flatMap(loading),
    ...record.explain.map(attribution),
    ...record.explain.flatMap(views),
    ...record.explain.flatMap(occlusion),
    ...record.cold.map(cold),
    ...record.page.flatMap(page),
    ...record.wire.map(wire),
    ...record.memory.flatMap(memory),
    ...record.threads.flatMap((instances) => instanceRows(NAMES[instances.model], instances)),
    ...record.kernels.map((kernel) => share(kernel, record.kernels)),
    ...record.agreement.map(({ model, what, cosine }) => row(`${NAMES[model]} ${what}`, { ratio: `cosine ${cosine.toFixed(5)}` })),
  ];
}

/** @param {Forward} forward */
function speed({ model, dtype, series, failed }) {
  const target = FASTER[model]?.[dtype];
  return [1, 2].flatMap((threads) => {
    const [ours, theirs] = [series[`ours-${threads}`], series[`theirs-${threads}`]];
    const what = `${NAMES[model]} ${dtype}, ${count(threads)}`;
    if (!theirs) return failed && ours ? [row(what, { ours: ms(ours), theirs: 'fails' })] : [];
    return [compare(what, ours, theirs, target, 'faster')];
  });
}

/** @param {Forward} forward */
function loading({ model, dtype, loaded }) {
  if (!loaded || !STAGED.includes(model)) return []; // (of others the cold start tells more)
  const cell = (/** @type {number | undefined} */ ms) => (ms === undefined ? '' : `${Math.round(ms)} ms`);
  return [row(`${NAMES[model]} ${dtype}, loaded`, { ours: cell(loaded['ours-1']), theirs: cell(loaded['theirs-1']) })];
}

/** @param {Forward} forward */
function scaling({ model, dtype, series }) {
  const [one, two] = [series['ours-1'], series['ours-2']];
  if (!one || !two) return [];
  const [ours, theirs] = [times(one, two), series['theirs-2'] && times(series['theirs-1'], series['theirs-2'])];
  const cells = { ours: format(ours, '×'), theirs: theirs ? format(theirs, '×') : '' };
  const what = `${NAMES[model]} ${dtype}, 2 threads against 1`;
  return [model === 'b' ? row(what, { ...cells, target: `≥ ${TWO_THREADS} ×`, met: ours >= TWO_THREADS }) : row(what, cells)];
}

/** @param {Forward} forward */
function recording({ model, dtype, series }) {
  return RECORDINGS.flatMap(({ runner, what, targets }) => {
    const [without, traced, target] = [series['ours-1'], series[runner], targets[model]];
    if (!without || !traced) return [];
    const [q1, ratio, q3] = [0.25, 0.5, 0.75].map((part) => times(traced, without, part) - 1);
    const cells = { ours: ms(traced), ratio: `${signed(100 * ratio)} % (${signed(100 * q1)} to ${signed(100 * q3)})` };
    return [row(`${NAMES[model]} ${dtype}, ${what}`, target ? { ...cells, target: `≤ ${100 * target} %`, met: ratio <= target } : cells)];
  });
}

/** @param {Explain} explain */
function attribution({ model, dtype, threads, forward, attribute }) {
  const ratio = times(attribute, forward);
  // The backward pass is in f32, whatever the model's precision.
  const target = model === 'b' && dtype === 'f32' ? { target: `≤ ${ATTRIBUTION} ×`, met: ratio <= ATTRIBUTION } : {};
  return row(`${NAMES[model]} ${dtype}, relevance of a class, ${count(threads)}`, { ours: ms(attribute), ratio: `${format(ratio, '×')} a forward pass`, ...target });
}

/** @param {Explain} explain */
function views({ model, dtype, threads, views }) {
  if (model === 'ti' || threads !== 1) return [];
  const slowest = Object.entries(views).filter(([view]) => !OF_THE_MODEL.includes(view)).toSorted(([, a], [, b]) => b.median - a.median);
  if (slowest.length === 0) return [];
  const [view, series] = slowest[0];
  const target = model === 'b' ? { target: `≤ ${VIEW_MS} ms`, met: series.median <= VIEW_MS } : {};
  return [row(`${NAMES[model]} ${dtype}, slowest view of a trace (${view})`, { ours: ms(series), ...target })];
}

/** @param {Explain} explain */
function occlusion({ model, dtype, threads, occlusion }) {
  if (!occlusion) return [];
  const { passes, ms } = occlusion;
  return [row(`${NAMES[model]} ${dtype}, occlusion in ${passes} passes, ${count(threads)}`, { ours: `${(ms / 1000).toFixed(1)} s`, ratio: `${(ms / passes).toFixed(1)} ms a pass` })];
}

/** @param {Cold} cold */
function cold({ model, threads, ours, theirs }) {
  return compare(`${NAMES[model]} int8, page open to first answer, ${count(threads)}`, ours, theirs, SOONER[model], 'sooner');
}

/** @param {Wire} wire */
function wire({ threads, ours, theirs }) {
  const total = (/** @type {File[]} */ files) => files.reduce((sum, { brotli }) => sum + brotli, 0);
  const [our, their] = [total(ours), total(theirs)];
  const cells = { ours: kB(our), theirs: kB(their), ratio: `${format(their / our, '×')} less`, target: `≤ ${kB(WIRE)}`, met: our <= WIRE };
  return row(`wasm + JS over the wire (brotli), ${count(threads)}`, cells);
}

/** @param {PageVisits} page */
function page({ model, first, own, code, data }) {
  const MBs = MB(data.reduce((sum, { bytes }) => sum + bytes, 0));
  return [
    row('the project page, open to first answer', { ours: ms(first) }),
    // Another model may answer until this one is there.
    ...(own.median > first.median ? [row(`the project page, open to the ${NAMES[model]}'s answer`, { ours: ms(own) })] : []),
    row('the project page over the wire (brotli)', { ours: kB(code.reduce((sum, { brotli }) => sum + brotli, 0)) }),
    row('models and photos beside it', { ours: MBs }),
  ];
}

/** @param {Memory} memory */
function memory({ model, dtype, file, memory, ours, theirs }) {
  const name = `${NAMES[model]} ${dtype}`;
  const result = [];
  if (memory) {
    const { wasm } = memory;
    const target = model === 'b' ? { target: `≤ ${MEMORY} ×`, met: wasm / file <= MEMORY } : {};
    result.push(row(`${name}, wasm memory against the file's ${MB(file)}`, { ours: MB(wasm), ratio: format(wasm / file, '×'), ...target }));
  }
  if (ours && theirs) {
    result.push(row(`${name}, the process after it ran`, { ours: MB(ours.settled), theirs: MB(theirs.settled) }));
    result.push(row(`${name}, the process at its peak`, { ours: MB(ours.peak), theirs: MB(theirs.peak) }));
  }
  return result;
}

/**
 * @param {Kernel} kernel
 * @param {Kernel[]} all
 */
function share({ name, gmacs, peak, target }, all) {
  const most = all.find((other) => other.name === peak)?.gmacs;
  const ours = `${gmacs.toFixed(1)} GMAC/s`;
  if (!most) return row(name, { ours });
  const cells = { ours, ratio: `${Math.round((100 * gmacs) / most)} % of ${most.toFixed(1)}` };
  return row(name, target ? { ...cells, target: `≥ ${Math.round(100 * target)} %`, met: gmacs / most >= target } : cells);
}

/**
 * @param {string} what
 * @param {Series | undefined} ours absent where this build could not do it
 * @param {Series} theirs
 * @param {number | undefined} target
 * @param {string} word
 */
function compare(what, ours, theirs, target, word) {
  const cells = { theirs: ms(theirs), target: target ? `≥ ${target} × ${word}` : '' };
  if (!ours) return row(what, cells);
  const ratio = times(theirs, ours);
  return row(what, { ...cells, ours: ms(ours), ratio: format(ratio, '×'), met: target ? ratio >= target : undefined });
}

/**
 * @param {string} what
 * @param {Partial<Row>} cells
 * @returns {Row}
 */
function row(what, cells) {
  return { what, ours: '', theirs: '', ratio: '', target: '', ...cells };
}

/** @param {number} threads */
const count = (threads) => `${threads} thread${threads === 1 ? '' : 's'}`;
/** @param {number} bytes */
const MB = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
/** @param {number} bytes */
const kB = (bytes) => `${Math.round(bytes / 1000)} kB`;
/** @param {number} value @param {string} unit */
const format = (value, unit) => `${value.toFixed(2)} ${unit}`;

const HEADINGS = { what: '', ours: 'vitscope', theirs: 'onnxruntime-web', ratio: '', target: 'target', verdict: '' };

/** @param {Row} row */
function cellsOf({ what, ours, theirs, ratio, target, met }) {
  const verdict = target === '' ? '' : met === undefined ? 'not measured' : met ? 'met' : 'missed';
  return [what, ours, theirs, ratio, target, verdict];
}

/**
 * For a terminal: the first column to the left, numbers to the right.
 * @param {Row[]} rows
 */
export function terminalTable(rows) {
  const lines = [Object.values(HEADINGS), ...rows.map(cellsOf)];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((cells) => cells[i].length)));
  const pad = (/** @type {string} */ cell, /** @type {number} */ i) => (i === 0 || i > 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]));
  return lines.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n');
}

/** What stands in the README: each table of one run, those apart that can be measured alone. */
const TABLES = /** @type {{name: string, models: Model[]}[]} */ ([
  { name: 'bench', models: ['ti', 'b'] }, { name: 'bench default', models: ['default'] }, { name: 'bench stages', models: STAGED },
]);

/**
 * For the README: a table of what was measured of its models, under the name of its place.
 * @param {Record} record
 * @returns {{name: string, content: string}[]} without those of which nothing was
 */
export function tables(record) {
  return TABLES.map(({ name, models }) => ({ name, part: of(record, models) }))
    .filter(({ part }) => rows(part).length > 0)
    .map(({ name, part }) => ({ name, content: markdown(part) }));
}

/**
 * @param {Record} record
 * @param {Model[]} models
 * @returns {Record} of these models alone; kernels have the shapes of the seeded ones
 */
function of(record, models) {
  /** @template {{model: Model}} T @param {T[]} all */
  const theirs = (all) => all.filter(({ model }) => models.includes(model));
  const { forward, explain, agreement, cold, page, wire, memory, threads, kernels } = record;
  return {
    ...record,
    forward: theirs(forward), explain: theirs(explain), agreement: theirs(agreement), cold: theirs(cold), page: theirs(page),
    wire: theirs(wire), memory: theirs(memory), threads: theirs(threads), kernels: models.includes('ti') ? kernels : [],
  };
}

/**
 * What it was measured on, then the table.
 * @param {Record} record
 */
function markdown(record) {
  const { date, cpu, cores, chromium, onnxruntimeWeb, simd, defaultModel } = record;
  const lines = [Object.values(HEADINGS), ['---', '--:', '--:', '--:', '---', '---'], ...rows(record).map(cellsOf)];
  const table = lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const which = record.forward.some(({ model }) => model === 'default') ? `${defaultModel}, ` : '';
  return `${date.slice(0, 10)}, ${which}${cpu}, ${cores} cores, Chromium ${chromium}, onnxruntime-web ${onnxruntimeWeb}, vitscope's ${simd ?? 'simd128'} build:\n\n${table}`;
}

/**
 * @param {string} text
 * @param {string} name of the markers
 * @param {string} content what will stand between them
 */
export function replaceBetweenMarkers(text, name, content) {
  const markers = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [begin, end] = markers.map((marker) => text.indexOf(marker));
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${markers.join(' … ')} for the table to go between`);
  return `${text.slice(0, begin)}${markers[0]}\n\n${content}\n\n${text.slice(end)}`;
}
