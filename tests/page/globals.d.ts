export {};

declare global {
  /** What api.html puts on its window. */
  var vitscope: typeof import('../../pkg/index.js') & { Engine: typeof import('../../pkg/engine.js').Engine };
  /** The page's explorer, in its shadow root; see `openTab`. */
  var explorer: () => ShadowRoot;
  /** A place for a test's own values between two evaluations. */
  var kept: any;
}
