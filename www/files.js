/**
 * Files that people give: a photo, or the parts of a model.
 *
 * @typedef {{kind: 'photo', file: File}
 *   | {kind: 'model', name: string, parts: {config: File, preprocessor?: File, weights: File}}
 *   | {kind: 'nothing', message: string}} Given
 */

/**
 * All files of a drop; of a dropped folder those directly in it.
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(transfer) {
  // Entries must be asked for before the first await: the transfer is emptied after the event.
  const entries = [...transfer.items].flatMap((item) => (item.kind === 'file' ? [item.webkitGetAsEntry?.() ?? null] : []));
  const plain = [...transfer.files];
  const folders = entries.filter((entry) => entry?.isDirectory);
  if (!folders.length) return plain;
  const inside = await Promise.all(folders.map((entry) => filesIn(/** @type {FileSystemDirectoryEntry} */ (entry))));
  // Folders are listed among the plain files too, as entries without content.
  return [...plain.filter((file) => !folders.some((folder) => folder?.name === file.name)), ...inside.flat()];
}

/**
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<File[]>}
 */
async function filesIn(folder) {
  const reader = folder.createReader();
  /** @type {File[]} */
  const files = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return files;
    for (const entry of batch) {
      if (entry.isFile) files.push(await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject)));
    }
  }
}

/**
 * @param {File[]} files
 * @returns {Given}
 */
export function understand(files) {
  const named = (/** @type {string} */ name) => files.find((file) => file.name.toLowerCase() === name);
  const config = named('config.json');
  const tensors = files.filter((file) => /\.safetensors$/i.test(file.name));
  if (config || tensors.length) return model(config, tensors, named('preprocessor_config.json'));
  const file = files.find(({ type }) => type.startsWith('image/')) ?? files[0];
  return file ? { kind: 'photo', file } : { kind: 'nothing', message: 'There are no files in this folder.' };
}

/**
 * @param {File | undefined} config
 * @param {File[]} tensors
 * @param {File | undefined} preprocessor
 * @returns {Given}
 */
function model(config, tensors, preprocessor) {
  const weights = tensors.find((file) => file.name === 'model.safetensors') ?? tensors[0];
  if (!config) return { kind: 'nothing', message: `${weights.name} came without its config.json. Give both together, or their folder.` };
  if (!weights) return { kind: 'nothing', message: 'config.json came without its model.safetensors. Give both together, or their folder.' };
  if (weights.name !== 'model.safetensors' && tensors.length > 1) {
    return { kind: 'nothing', message: `There are ${tensors.length} .safetensors files, but none is called model.safetensors. Weights split over several files can't be read.` };
  }
  const folder = (weights.webkitRelativePath ?? '').split('/').at(-2);
  return { kind: 'model', name: folder || weights.name.replace(/\.safetensors$/i, ''), parts: { config, preprocessor, weights } };
}
