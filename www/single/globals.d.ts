export {};

declare global {
  /** A file within, by its name: what `unpack.js` puts there for the page's modules. */
  var vitscopePart: (name: string) => Promise<Blob>;
}
