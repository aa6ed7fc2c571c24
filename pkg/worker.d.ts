/** `vitscope/worker` and `vitscope/thread` are scripts that `Vitscope` and the engine start as workers, exported for bundlers and servers that need their addresses. */
export {};
