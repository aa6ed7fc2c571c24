// What a browser's renderers take.
import { existsSync, readFileSync } from 'node:fs';

/**
 * Bytes that they have of their own.
 * @param {import('playwright-core').CDPSession} session of the browser
 */
export async function renderersMemory(session) {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const ids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  return ids.reduce((sum, id) => sum + ownMemory(readFileSync(`/proc/${id}/status`, 'utf8')), 0);
}

/** @param {string} status */
function ownMemory(status) {
  return ['RssAnon', 'RssShmem'].reduce((sum, name) => sum + 1024 * Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]), 0);
}

/**
 * Resident memory of the largest. (The browser keeps a spare one, which is smaller.)
 * @param {import('playwright-core').Browser} browser
 */
export async function largestRenderer(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter(({ type }) => type === 'renderer').flatMap(({ id }) => residentOf(id) ?? []);
  return renderers.toSorted((a, b) => b.peak - a.peak).at(0);
}

/**
 * @param {number} pid
 * @returns {import('./report.mjs').Process | undefined} undefined where the system has no /proc
 */
function residentOf(pid) {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return undefined;
  const status = readFileSync(path, 'utf8');
  const bytes = (/** @type {string} */ name) => 1024 * Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]);
  return { peak: bytes('VmHWM'), settled: bytes('VmRSS') };
}
