export {};

declare global {
  /** What api.html puts on its window. */
  var vitscope: typeof import('../../pkg/index.js') & { Engine: typeof import('../../pkg/engine.js').Engine };
  /** A place for a test's own values between two evaluations. */
  var kept: any;
}
