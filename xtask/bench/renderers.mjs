// What a browser's renderers take.
import { readFileSync } from 'node:fs';

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
