/** From a record of browsers to the table that people read. */
import { quantile } from './stats.mjs';

/**
 * @typedef {import('./report.mjs').Kernel} Kernel
 * @typedef {{simd: 'relaxed' | 'simd128', kernels: Kernel[], passes: {[dtype: string]: number[]}}} Build  passes: ViT-Ti's, one thread, in milliseconds
 * @typedef {{browser: string, version: string, builds: Build[]}} Engine
 * @typedef {import('./record.mjs').Machine & {engines: Engine[]}} Record  the first is what the others are held against
 */

/** What a user agent says of the browser's version. */
const VERSIONS = [/Firefox\/[\d.]+/, /Chrome\/[\d.]+/, /Version\/[\d.]+/];

/** @param {string} agent */
export const versionOf = (agent) => VERSIONS.map((pattern) => pattern.exec(agent)?.[0]).find(Boolean)?.replace(/.*\//, '') ?? '';

/**
 * Of each build and kernel what every browser makes of it, and which part of the first's that is.
 * @param {Record} record
 * @returns {string[][]}
 */
export function rows({ engines }) {
  const [first] = engines;
  return first.builds.flatMap(({ simd, kernels, passes }) => {
    const builds = engines.map(({ builds }) => builds.find((build) => build.simd === simd));
    const row = (/** @type {string} */ what, /** @type {(build: Build) => number | undefined} */ value, /** @type {(value: number) => string} */ cell, /** @type {(own: number, first: number) => number} */ ratio) => {
      const values = builds.map((build) => build && value(build));
      return [`${simd}: ${what}`, ...values.flatMap((own, i) => {
        const cells = own === undefined ? ['', ''] : [cell(own), `${ratio(own, /** @type {number} */ (values[0])).toFixed(2)} ×`];
        return i === 0 ? cells.slice(0, 1) : cells;
      })];
    };
    return [
      ...kernels.map(({ name }) => row(name, ({ kernels }) => kernels.find((kernel) => kernel.name === name)?.gmacs, (gmacs) => `${gmacs.toFixed(1)} GMAC/s`, (own, first) => own / first)),
      ...Object.keys(passes).map((dtype) => row(`ViT-Ti ${dtype}, one pass`, ({ passes }) => quantile(passes[dtype], 0.5), (ms) => `${ms.toFixed(1)} ms`, (own, first) => first / own)),
    ];
  });
}

/**
 * What it was measured on, then the table.
 * @param {Record} record
 */
export function markdown(record) {
  const { date, cpu, cores, engines } = record;
  const [first, ...others] = engines.map(({ browser }) => browser);
  const headings = ['one thread', first, ...others.flatMap((name) => [name, `of ${first}'s speed`])];
  const lines = [headings, headings.map((_, i) => (i === 0 ? '---' : '--:')), ...rows(record)];
  const versions = engines.map(({ browser, version }) => `${browser} ${version}`).join(', ');
  return `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${versions}:\n\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`;
}
