/** A line between browser and server: as slow as a test wants it, and it counts what the server sent. */
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { finallyDo } from './harness.mjs';

/**
 * @typedef {{path: string, status: number, bytes: number}} Answer  bytes: of its body, as far as they were sent
 */

/**
 * All connections share it, as they share a real one.
 * @param {string} origin of the server behind it
 * @param {(path: string) => number} rate bytes a second for a path; Infinity: as they come; 0: nothing ever; NaN: the line breaks
 */
export async function openLine(origin, rate) {
  /** @type {Answer[]} */
  const answers = [];
  let free = 0; // when the line is done with what was given to it
  const server = createServer((asked, response) => {
    const path = asked.url ?? '/';
    const upstream = request(origin + path, { method: asked.method, headers: { ...asked.headers, host: new URL(origin).host } }, async (answer) => {
      const entry = { path, status: answer.statusCode ?? 0, bytes: 0 };
      answers.push(entry);
      response.writeHead(entry.status, answer.headers);
      response.flushHeaders();
      try {
        for await (const chunk of answer) {
          // In small parts, so that connections take turns.
          for (let at = 0; at < chunk.length; at += 8192) {
            const part = chunk.subarray(at, at + 8192);
            const pace = rate(path);
            if (Number.isNaN(pace)) response.destroy();
            else if (!pace) await once(response, 'close');
            if (response.destroyed) return;
            free = Math.max(free, performance.now()) + (1000 * part.length) / pace;
            if (Number.isFinite(pace)) await new Promise((resolve) => setTimeout(resolve, free - performance.now()));
            if (response.destroyed) return;
            entry.bytes += part.length;
            response.write(part);
          }
        }
      } catch (error) {
        if (!response.destroyed) throw error; // else the browser has given up, and so the answer breaks off
      } finally {
        response.end();
      }
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    upstream.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  finallyDo(() => server.close().closeAllConnections());
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { origin: `http://127.0.0.1:${port}`, answers };
}
