/** What every part of the benchmark has in common: the machine, the browser, and where a record is kept. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, type } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { FLAGS } from '../../tests/page/browser.mjs';
import { replaceBetweenMarkers } from './report.mjs';

/** @typedef {{date: string, commit: string, cpu: string, cores: number, busy: number, system: string}} Machine busy: the part of the cores that other programs took just before */

const ROOT = new URL('../../', import.meta.url);
/** Parts with records of their own. */
const APART = ['stages', 'large', 'engines'];
/** More than this of the cores in use by others is worth a warning. */
const BUSY = 0.1;

/** @param {string} text */
export function say(text) {
  console.error(text);
}

/** @returns {Promise<Machine>} */
export async function describeMachine() {
  const busy = await otherLoad();
  if (busy > BUSY) say(`Other programs take ${Math.round(100 * busy)} % of this machine: expect wrong times, of two threads above all`);
  return {
    date: new Date().toISOString(),
    commit: execFileSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT, encoding: 'utf8' }).trim(),
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    busy,
    system: `${type()} ${arch()}`,
  };
}

/** The part of the cores that is in use while this program waits. */
async function otherLoad() {
  const idle = () => cpus().reduce((sum, { times }) => sum + times.idle, 0);
  const [start, before] = [performance.now(), idle()];
  await sleep(2000);
  return Math.max(0, 1 - (idle() - before) / (performance.now() - start) / cpus().length);
}

/** @param {string[]} [flags] */
export function launch(flags = []) {
  return chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: [...FLAGS, ...flags] });
}

/** @param {string} name of an installed package */
export function packageVersion(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, ROOT), 'utf8')).version;
}

/**
 * Writes a record, and its tables into the README where it is one to keep.
 * @param {{parts: string[], record: boolean}} choices
 * @param {Machine} record
 * @param {{name: string, content: string}[]} tables each between its markers
 */
export function keep({ parts, record: kept }, record, tables) {
  const folder = new URL(kept ? 'benches/record/' : 'target/bench/record/', ROOT);
  mkdirSync(folder, { recursive: true });
  const part = APART.find((part) => parts.includes(part));
  const file = new URL(`${part ? `${part}-` : ''}${record.date.slice(0, 16).replace(':', '-')}.json`, folder);
  // A series of numbers on one line.
  const json = JSON.stringify(record, null, 2).replace(/\[[\d\s.,e-]+\]/g, (numbers) => numbers.replace(/\s+/g, ' '));
  writeFileSync(file, `${json}\n`);
  say(`Written: ${fileURLToPath(file)}`);
  if (!kept) return;
  const readme = new URL('README.md', ROOT);
  const text = readFileSync(readme, 'utf8');
  writeFileSync(readme, tables.reduce((text, { name, content }) => replaceBetweenMarkers(text, name, content), text));
  say('README.md has what was measured');
}
