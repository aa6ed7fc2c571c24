/** `vitscope/worker.js` is the script that `Vitscope` and the engine start as a worker, exported with the rest of `dist/vitscope/` for bundlers and servers that need their addresses. */
export {};
