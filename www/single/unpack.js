/** The single file's own script, not one of its modules: it reads what is packed in the elements around it, and starts the page's script, which is one of them. */
globalThis.vitscopePart = async (name) => {
  const { textContent, dataset } = /** @type {HTMLElement} */ (document.getElementById(`part:${name}`));
  const packed = atob(/** @type {string} */ (textContent));
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i); // which Uint8Array.from would take ten times as long for
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream, { headers: { 'content-type': dataset.type ?? '' } }).blob();
};

globalThis.vitscopePart('main.js').then(async (script) => {
  document.head.append(Object.assign(document.createElement('script'), { type: 'module', textContent: await script.text() }));
}).catch(reportError); // index.html says it
