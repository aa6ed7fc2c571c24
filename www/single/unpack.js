/** The single file's own script, not one of its modules: it reads what is packed in the elements around it, and starts the page's script, which is one of them. */
globalThis.vitscopePart = async (name) => {
  const { textContent, dataset } = /** @type {HTMLElement} */ (document.getElementById(`part:${name}`));
  const bytes = Uint8Array.from(atob(/** @type {string} */ (textContent)), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream, { headers: { 'content-type': dataset.type ?? '' } }).blob();
};

globalThis.vitscopePart('main.js').then(async (script) => {
  document.head.append(Object.assign(document.createElement('script'), { type: 'module', textContent: await script.text() }));
}).catch(reportError); // index.html says it
