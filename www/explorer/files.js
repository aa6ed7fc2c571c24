/**
 * Files that people give: a photo, a video, or the parts of a model.
 *
 * @typedef {{kind: 'photo', file: File}
 *   | {kind: 'video', file: File}
 *   | {kind: 'model', name: string, parts: {config: File, preprocessor?: File, processor?: File, weights: File[], textEmbeddings?: File}}
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
  const text = named('text_embeddings.safetensors');
  const all = files.filter((file) => /\.safetensors$/i.test(file.name) && file !== text);
  // open_clip's two, where the usual ones didn't come.
  const [ownConfig, own] = [named('open_clip_config.json'), named('open_clip_model.safetensors')];
  const usual = named('config.json') && all.some((file) => file !== own);
  const [config, tensors] = own && ownConfig && !usual ? [ownConfig, [own]] : [named('config.json'), all];
  const foreign = !tensors.length || !config ? instead(files) : undefined;
  if (foreign) return { kind: 'nothing', message: foreign };
  if (config || tensors.length) return model({ config, tensors, preprocessor: named('preprocessor_config.json'), processor: named('processor_config.json'), text });
  const file = files.find(({ type }) => type.startsWith('image/')) ?? files[0];
  return file ? { kind: file.type.startsWith('video/') ? 'video' : 'photo', file } : { kind: 'nothing', message: 'There are no files in this folder.' };
}

const SAVE = 'Load the model with its library and save it as safetensors, which save_pretrained() does';
const SOURCE = 'Take the checkpoint it was made from';

/**
 * Names of files with weights that are not read, what these are, and the remedy.
 * @type {[RegExp, string, string][]}
 */
const INSTEAD = [
  [/^adapter_(model|config)\./i, 'a LoRA adapter without its model', 'Load both with PEFT, call merge_and_unload() and save what it returns'],
  [/^open_clip_/i, 'half of a model of open_clip', 'Give open_clip_config.json and open_clip_model.safetensors together'],
  [/\.(bin|pth?|ckpt)(\.index\.json)?$/i, "PyTorch's pickle", SAVE],
  [/\.(h5|msgpack)$/i, "TensorFlow's or Flax's", 'Load the model with transformers 4, from_tf=True or from_flax=True, and save it with save_pretrained()'],
  [/\.npz$/i, "JAX's", 'Load the model with timm and save it with timm.models.save_for_hf()'],
  [/\.onnx$/i, 'ONNX', SOURCE],
  [/\.gguf$/i, 'GGUF', SOURCE],
];

/**
 * What is said of a model in a form that is not read.
 * @param {File[]} files
 */
function instead(files) {
  for (const [pattern, what, remedy] of INSTEAD) {
    const file = files.find(({ name }) => pattern.test(name) && name !== 'training_args.bin');
    if (file) return `${file.name} is ${what}, and no model.safetensors came with its config.json. ${remedy}.`;
  }
}

/** Hugging Face's names of split weights. */
const SHARD = /-(\d{5})-of-(\d{5})\.safetensors$/i;

/**
 * @param {{config?: File, tensors: File[], preprocessor?: File, processor?: File, text?: File}} found
 * @returns {Given}
 */
function model({ config, tensors, preprocessor, processor, text }) {
  const [first] = tensors;
  if (!config) return { kind: 'nothing', message: `${first.name} came without its config.json. Give both together, or their folder.` };
  if (!first) return { kind: 'nothing', message: 'config.json came without its model.safetensors. Give both together, or their folder.' };
  const whole = tensors.find((file) => file.name === 'model.safetensors') ?? (tensors.length === 1 && !SHARD.test(first.name) ? first : undefined);
  const shards = tensors.filter((file) => SHARD.test(file.name));
  const count = Number(SHARD.exec(shards[0]?.name ?? '')?.[2]);
  if (!whole && !shards.length) {
    return { kind: 'nothing', message: `There are ${tensors.length} .safetensors files, but none is called model.safetensors.` };
  }
  if (!whole && shards.length !== count) {
    return { kind: 'nothing', message: `The weights are split over ${count} files, of which ${shards.length} came. Give all together, or their folder.` };
  }
  const folder = (first.webkitRelativePath ?? '').split('/').at(-2);
  const weights = whole ? [whole] : shards;
  const name = folder || weights[0].name.replace(SHARD, '').replace(/\.safetensors$/i, '');
  return { kind: 'model', name, parts: { config, preprocessor, processor, weights, textEmbeddings: text } };
}
