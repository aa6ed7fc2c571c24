export {};

declare global {
  /** What cell.html puts on its window. */
  var Kernel: typeof import('./cell.js').Kernel;
  var show: typeof import('./cell.js').show;
}
