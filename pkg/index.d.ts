/**
 * vitscope: run a Vision Transformer in the browser and see what it sees.
 *
 * Every promise of this module rejects with a {@link VitscopeError}, except where a signal was aborted: then with the
 * signal's own reason, and where a callback threw, then with what it threw.
 *
 * @module vitscope
 */

/** A model loaded in a worker of its own. Calls are answered one at a time, in the order they were made. */
export class Vitscope {
  private constructor();

  /**
   * Starts a worker, downloads the model and prepares it. Takes as long as the download; nothing blocks the page.
   *
   * Each load is a worker with memory of its own, the same model's once more all of it: one instance serves a page, and `withClasses` makes others that
   * share its weights.
   *
   * @throws `network` a file could not be fetched, the server sent something else in its place, or nothing at all for a minute; the message names the URL
   * @throws `unsupported-browser` there is no WebAssembly SIMD, or not the kind that `simd` asks for
   * @throws `unsupported-environment` there are no workers here, as in a service worker; or the tool that bundled the package left no address of its files
   * @throws `csp` a Content-Security-Policy forbids WebAssembly, the worker or a download; the message says what to allow
   * @throws `invalid-argument` an option is not what it should be, or not known, as with every call that takes some
   * @throws `invalid-config`, `invalid-preprocessor`, `unsupported-architecture` config.json or the processor's file
   * @throws `invalid-weights`, `missing-tensor`, `unexpected-tensor`, `tensor-shape`, `tensor-dtype` model.safetensors
   * @throws `out-of-memory` the model does not fit; of weights that are fetched their lengths tell, before they are read
   * @throws what `onProgress` throws
   */
  static load(source: ModelSource, options?: LoadOptions): Promise<Vitscope>;

  /**
   * What the Hub says of `hf:org/name`, or `hf:org/name@revision`, before any of it is loaded: one request.
   *
   * @throws `network` there is no such model, it is not open to everyone, or the Hub did not answer
   * @throws `csp` a Content-Security-Policy forbids it; the message says what to allow
   */
  static describe(model: string, options?: DescribeOptions): Promise<ModelDescription>;

  /**
   * A model's weights in 8 bits, as `model.safetensors` of a folder whose other files stay as they are: byte for byte what `vitscope quantize` writes. All of it is read
   * as `load` reads it, in a worker that ends with it; what was kept of the model is made use of, and nothing more is kept.
   *
   * @throws what `load` throws
   */
  static quantize(source: ModelSource, options?: QuantizeOptions): Promise<Blob>;

  /** Models that are kept for the next time. */
  static readonly cache: ModelCache;

  /** What the model is; `resize` puts another in its place. */
  readonly config: ModelConfig;

  /** How it runs. */
  readonly backend: Backend;

  /** What it takes, as of the last answer. */
  readonly memory: Memory;

  /**
   * The model's answer for an image.
   *
   * @throws `invalid-image` not an image of 8-bit values, empty, of more than 178,956,970 pixels, a canvas larger than the browser draws, a video without a frame yet, or pixel values that are not finite or not of the model's size
   * @throws `decode-image` not decodable, or of another site without its CORS permission
   * @throws `network` an image given by URL could not be fetched
   * @throws `out-of-memory` the image or the answer does not fit; the instance stays usable, unless the engine died of it: then later calls repeat this error
   * @throws `closed`, `crashed` this instance can't be used any more
   */
  classify(image: ImageSource, options?: RunOptions): Promise<Classification>;
  /**
   * Several images, answered in order: while one is in the model, the next is decoded. All are read at the time of the call; the first that fails ends the
   * others, and comes out, with its number: `images[2]: …`.
   *
   * On several threads each makes whole passes, as long as there are as many images left as threads; all share each of the rest. That takes memory for a pass a
   * thread, which is kept; where there isn't enough, fewer run at once. `timing.forward` is then that of the images that ran together.
   */
  classify(images: ImageSource[], options?: RunOptions): Promise<Classification[]>;

  /**
   * The same forward pass with the attention of every head and the stream after every layer written down, or what `options` asks for of it. Throws what
   * `classify` throws.
   */
  trace(image: ImageSource, options?: TraceOptions): Promise<Trace>;

  /**
   * What in the image speaks for a class: by gradients (`chefer`, the default, `gradient-rollout`, `grad-cam`), or by leaving
   * patches out (`occlusion`, a forward pass for each window; `onProgress` is for it).
   *
   * In a model with stages or windows (`config.stages`) `grad-cam` is the default: of what is pooled, the tokens of the last stage. There no patch can be left out: `occlusion` and
   * `curves` fill its pixels with the mean that the processor subtracts, or else with middle grey. Maps have the grid of the last stage. What multiplies the attention of all layers
   * is not defined there.
   *
   * @throws `unsupported-view` `chefer`, `gradient-rollout` or an earlier `layer`, of a model with stages or windows
   * @throws `invalid-argument` an option is not what it should be, or the model has no such class
   * @throws what `classify` throws, and what `onProgress` throws
   */
  attribute(image: ImageSource, options?: AttributeOptions & PassesOptions): Promise<Attribution>;

  /**
   * How far a map is right about a class: its score as patches are dropped in the map's order (a good map has it fall early:
   * a small area) and as they come back in that order (a good map has it rise early: a large area). In a model with stages the map may be of any stage's grid. Throws what
   * `attribute` throws.
   */
  curves(image: ImageSource, map: ViewMap, options?: CurvesOptions & PassesOptions): Promise<Curves>;

  /**
   * Cosine similarity of the position embeddings of every two patches: [patches, patches], so that row `r · cols + c` is a map of
   * the grid for the patch in row `r`, column `c`. Rejects with `invalid-argument` for a model whose patches have no such embeddings.
   */
  positionSimilarity(options?: { signal?: AbortSignal }): Promise<ViewMap>;

  /**
   * The patch embedding's filters, each a small picture: the first principal components of all, 28 unless told, as in the ViT paper; or with `outputs` those
   * of these channels of a token as they are, of 0 to hiddenSize − 1 (with stages, the first one's). Rejects with `unsupported-view` for a model that begins with convolutions.
   */
  patchFilters(options?: ({ count?: number } | { outputs: number[] }) & { signal?: AbortSignal }): Promise<ViewMap[]>;

  /** How one patch of an image becomes a token (ViT paper, equation 1). Rejects with `invalid-argument` for a patch that is not there, and as `patchFilters`. */
  patchEmbedding(image: ImageSource, options: { patch: [row: number, col: number]; signal?: AbortSignal }): Promise<PatchEmbedding>;

  /**
   * Takes images of another size from its turn on, in milliseconds: the model is then what `load` with this `imageSize` would have made, to the bit, and no
   * weights are read or packed again. Calls that were made before run at the size before; traces that were made keep theirs, and all their views.
   *
   * It is this instance's alone: others of `withClasses` or `teach` keep the size that they were made at. Where it fails the size stays as it was.
   *
   * @throws `invalid-argument` the model can't be run at this size
   * @throws `out-of-memory`, and what `load` throws of a processor's file
   */
  resize(imageSize: number | [height: number, width: number], options?: { signal?: AbortSignal }): Promise<void>;

  /**
   * The same model with other classes, in milliseconds: a head of its own is set aside, and each class answers by how similar the features are that
   * it read to the class's embedding, logit = scale · cosine + bias. All views follow.
   *
   * It is an instance beside this one, which stays as it is: both have the same worker and weights, take turns as one would, and are closed each on
   * its own. It costs the buffers of a forward pass, some MB.
   *
   * @throws `invalid-argument` what is given makes no sense for this model; the message names the class
   * @throws `invalid-weights`, `missing-tensor`, `tensor-shape`, `tensor-dtype` a file of classes
   */
  withClasses(classes: Classes | Bytes, options?: { signal?: AbortSignal }): Promise<Vitscope>;

  /**
   * Classes by a handful of pictures each, `{ cup: [photo, …], bowl: […] }`: `withClasses` of the mean of their features, each of length 1. The scale
   * is the one at which each picture, left out in turn, is likeliest of its class; where no class has two, the model's own, or 1. Throws what `classify`
   * and `withClasses` throw, and what `onProgress` throws.
   *
   * An answer to a picture (or anything with its `features`, of this model) stands for it and costs no forward pass: keep them, and a picture more is one pass.
   */
  teach(examples: Record<string, (ImageSource | Pick<Classification, 'features'>)[]>, options?: PassesOptions): Promise<Vitscope>;

  /**
   * The classes that `withClasses` or `teach` gave this instance, as a safetensors file: `withClasses` takes it, `load` as `textEmbeddings`, and the command
   * line beside the model. Throws `invalid-argument` where the classes came with the model.
   */
  saveClasses(): FileBytes;

  /**
   * Ends the worker and frees the model's memory at once; while there are others of `withClasses` or `teach`, only what is this one's. Pending and later calls
   * reject with `closed`. Without it, the memory stays taken until the page is left: a worker is not garbage collected.
   */
  close(): void;

  /** `close()`, for `using`. (Where the place has `Symbol.dispose`.) */
  [Symbol.dispose](): void;
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

declare global {
  // As @types/node has them, for libraries of TypeScript's that don't.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }
}

/** A failure that a program can tell by its `code`; `message` says what happened, where, and what to do. `instanceof` holds across the package's entries. */
export class VitscopeError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly name: 'VitscopeError';
  readonly code: ErrorCode;
  /** The underlying error, where there is one. */
  readonly cause?: unknown;
}

export type ErrorCode =
  | 'invalid-config'
  | 'invalid-preprocessor'
  | 'unsupported-architecture'
  | 'invalid-weights'
  | 'missing-tensor'
  | 'unexpected-tensor'
  | 'tensor-shape'
  | 'tensor-dtype'
  | 'invalid-image'
  | 'invalid-argument'
  | 'unsupported-view'
  | 'out-of-memory'
  | 'network'
  | 'integrity'
  | 'decode-image'
  | 'unsupported-browser'
  | 'unsupported-environment'
  | 'csp'
  | 'closed'
  | 'crashed';

/**
 * `hf:org/name` for a model of the Hub, `hf:org/name@revision` at a branch, tag or commit of it; or a folder's URL, relative to the document or absolute (in Node, Deno and Bun a path, too); or the files of a
 * folder as a file input gives them, or its handle. It holds `config.json`, `model.safetensors` (or
 * `model.safetensors.index.json` and of the files of the same folder that it names those with more than text; or open_clip's `open_clip_config.json` and
 * `open_clip_model.safetensors`) and optionally `processor_config.json`, `preprocessor_config.json` and, for CLIP and SigLIP, `text_embeddings.safetensors`; or the files themselves.
 */
export type ModelSource = string | URL | FileList | File[] | FileSystemDirectoryHandle | ModelFiles;

export interface ModelFiles {
  /** config.json as an object, its JSON text, or the file or its bytes. */
  config: object | string | Bytes;
  /** preprocessor_config.json likewise. Without it the config's own statement, or the family's usual one, holds. */
  preprocessor?: object | string | Bytes | null;
  /** processor_config.json likewise. An image processor nested in it, as transformers 5 writes it, wins over `preprocessor`. */
  processor?: object | string | Bytes | null;
  /**
   * model.safetensors, or all files of split weights. Only the tensors that the model uses are read of a Blob; a buffer stays yours. An answer of `fetch` or
   * a stream is read as it comes, and can be read once.
   */
  weights: Bytes | Response | ReadableStream<Uint8Array> | (Bytes | Response | ReadableStream<Uint8Array>)[];
  /**
   * Classes in place of a head, if there is one: a safetensors file with `text_embeddings` [classes, features]
   * and in its metadata `labels`, a JSON array of names. The logits are then e^logit_scale · cosine (+ logit_bias).
   */
  textEmbeddings?: Bytes | null;
}

/** Classes, each by what an image's features are compared with: a text's, or those of other images. */
export interface Classes {
  /** A name of its own for each. */
  labels: string[];
  /** [classes, numFeatures], row-major, or a row for each; only their directions count. */
  embeddings: Float32Array | ArrayLike<number>[];
  /** What cosines are multiplied by, above 0. Left out: e to the model's own `logit_scale`; where it has none 1, so that logits are the cosines. */
  scale?: number;
  /** What is added then. Left out: the model's own `logit_bias`, or 0. */
  bias?: number;
}

export type Bytes = ArrayBuffer | Uint8Array | Blob;

/** `Float32Array<ArrayBuffer>`, which TypeScript calls so from 5.7 on. */
export type Floats = ReturnType<typeof Float32Array.of>;

/** `Uint8Array<ArrayBuffer>` likewise: a file. */
export type FileBytes = ReturnType<typeof Uint8Array.of>;

export interface LoadOptions {
  /** Arithmetic of the forward pass. Left out: `int8` for a quantised file, `f32` for any other. */
  dtype?: 'f32' | 'int8';
  /**
   * Input size in pixels, one number for both edges or [height, width]. Left out: what the model was made for. Positions are
   * interpolated as the model's own library does it, and preprocessing follows. `resize` changes it later.
   */
  imageSize?: number | [height: number, width: number];
  /** Instructions of the engine; the answers differ by rounding at most. Left out: `relaxed` where the browser has it, else `simd128`. */
  simd?: 'relaxed' | 'simd128';
  /**
   * Threads of the forward pass, 1 to 255; the answers are the same for any number. Left out: as many as the machine has cores,
   * up to 8, where the page is cross-origin isolated, and in Node, Deno and Bun; else, and for `Engine` there, 1. A number that can't be had, there or because a thread can't be
   * started, is said once in the console, and 1 runs.
   */
  threads?: number;
  /** Where the package's own files are, for tools that leave them behind. Left out: beside the script. */
  assets?: AssetOptions;
  /**
   * Reads pictures that are files (a Blob, a URL, a path) in place of the browser, or where there is none; `Engine` takes pixels alone. Left out: the browser, or
   * in Node, Deno and Bun `sharp` or `@napi-rs/canvas`, if the program has one of them.
   */
  decode?: Decode;
  /** A mirror of the Hub, for `hf:org/name`. Left out: `https://huggingface.co/`. */
  hub?: string | URL;
  /**
   * An access token of the Hub, for private models and such as are open to some. It goes to the Hub's own host alone; but whoever visits a page with a token in it
   * can read it there, so let your visitors give theirs, or serve such models yourself.
   */
  token?: string;
  /** In place of the global `fetch`, for all files of the model. */
  fetch?: typeof globalThis.fetch;
  /**
   * What files must be, by their names: `{ 'model.safetensors': 'sha256-…' }` with the sum in base 64 or in hexadecimal digits. Weights are then read whole, and what
   * differs, and a name that is none of the files that are read, is refused with `integrity`: on a server, on disk or chosen. (Without it, sums that the Hub knows are checked wherever the whole file is read anyway.)
   */
  integrity?: Record<string, string>;
  /**
   * Whether the model is kept for the next time, which then needs no network. Left out: from the Hub always, from a folder where its server says by `ETag` or `Last-Modified`
   * whether a file is still the same; `true`: in any case, and what has neither is not asked for again; `false`: never. In Node.js nothing is kept but in a folder named here; where `true` can't be had, the console says so once.
   */
  cache?: boolean | string | URL;
  /** Aborting ends the download and the worker, and rejects with the signal's reason. */
  signal?: AbortSignal;
  /** What it throws ends the load, and comes out of it. */
  onProgress?: (progress: Progress) => void;
}

/** Addresses, each absolute or relative to the document (in Node, Deno and Bun to the working directory). What is left out is in `base`, or beside the script. */
export interface AssetOptions {
  /** A folder with all of the package's `dist/vitscope/`. */
  base?: string | URL;
  /** `worker.js`. */
  worker?: string | URL;
  /** What threads of the engine run: the same script unless told. */
  thread?: string | URL;
  /** The engine: the one build that will run, or several by their names. */
  wasm?: string | URL | Partial<Record<Build, string | URL>>;
  /** `imagenet-1k.txt`, the names for a thousand classes without any. */
  names?: string | URL;
}

export type Build = 'relaxed' | 'simd128' | 'relaxed-threads' | 'simd128-threads';

/** From a picture's file to its pixels. */
export type Decode = (file: Blob) => ImageLike | Promise<ImageLike>;

/** ImageData, or anything of its shape: RGBA, 8 bits each, rows from the top. */
export interface ImageLike {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * What a processor makes of an image: normalised, channels first, [3, height, width] of the model's `imageSize`. The model gets exactly these values, and
 * maps lie on them: `crop` is of their own pixels.
 */
export interface PixelValues {
  readonly pixelValues: Float32Array;
  readonly shape: readonly [channels: 3, height: number, width: number];
}

/** Models that are kept, of all pages of this origin. In Node.js each call takes the folder that `load` was given. */
export interface ModelCache {
  list(folder?: string | URL): Promise<CachedModel[]>;
  /** Bytes in all. */
  size(folder?: string | URL): Promise<number>;
  /** Whether there was one of that name: `hf:org/name`, `hf:org/name@commit`, or a folder's address, as in `list()`. */
  delete(model: string | URL, folder?: string | URL): Promise<boolean>;
  clear(folder?: string | URL): Promise<void>;
}

/** As for `load`. */
export type DescribeOptions = Pick<LoadOptions, 'hub' | 'token' | 'fetch' | 'signal'>;

/** As for `load`. */
export type QuantizeOptions = Omit<LoadOptions, 'dtype' | 'imageSize' | 'decode'>;

export interface ModelDescription {
  /** `hf:org/name`. */
  model: string;
  /** The commit. */
  revision: string;
  /** Its page. */
  url: string;
  /** Of the files with its weights, of which a load reads what the model needs; 0 where there is none that it reads, undefined where the Hub does not say. */
  bytes: number | undefined;
  /** Whether its conditions must be accepted first, on its page. */
  gated: boolean;
  /** As its card says: `apache-2.0`, say. */
  licence: string | undefined;
}

export interface CachedModel {
  /** `hf:org/name`, or a folder's address. */
  model: string;
  /** The commit, on the Hub. */
  revision?: string;
  /** The mirror that it is from. */
  hub?: string;
  /** How, where not as it was stored. */
  dtype?: 'int8';
  bytes: number;
  date: Date;
}

/** How a model runs. */
export interface Backend {
  readonly simd: 'relaxed' | 'simd128';
  /** The one that answers among them. */
  readonly threads: number;
}

/** Bytes. */
export interface Memory {
  /** All of the engine's memory: weights, buffers of the forward pass, and whatever another model in the same engine takes. It never shrinks. */
  readonly wasm: number;
  /** Weights of this model in it, those that it shares with others included, as packed for the forward pass. */
  readonly weights: number;
}

/** `wasm` and `config` are downloads that run side by side; of the weights those bytes count that the model needs; `prepare` follows them. */
export interface Progress {
  phase: 'wasm' | 'config' | 'weights' | 'prepare';
  /** Bytes of this phase so far, of all its files; in `prepare` 0, then 1. */
  loaded: number;
  /** Bytes of this phase in all: of the weights from the beginning, else 0 while it is not known; in `prepare` 1. */
  total: number;
  /** How far the load as a whole is: from 0 to 1, and never back. */
  progress: number;
}

/**
 * Anything with pixels. It is read as it is at the time of the call and stays yours: bitmaps and frames are copied, not
 * consumed. Blobs and URLs are decoded as stored: EXIF orientation is applied, colour profiles are not. What is
 * transparent is laid over white. Pixel values are taken as they are.
 */
export type ImageSource =
  | ImageBitmap
  | ImageLike
  | PixelValues
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame
  | Blob
  | URL
  | string;

export interface RunOptions extends InterventionOptions {
  /** How many classes `top` lists: 5 unless told, no more than the model has. */
  topK?: number;
  /** Aborting rejects at once with the signal's reason; the model stops after the block under way. The instance stays usable. */
  signal?: AbortSignal;
}

/**
 * What a forward pass is told to do otherwise. No model was trained so: its answer tells what it makes use of, and may be worse than it need be without that.
 * Nothing of it is left for the next call. All throw `invalid-argument` for a layer, head or patch that is not there.
 */
export interface InterventionOptions {
  /** What is left out. */
  without?: Partial<Without>;
  /**
   * Which patch of the image lies in each place: at place `i` (row-major) patch `order[i]`, under the positions of place `i`. All patches of the grid, each once. The
   * tokens of a trace, and so its maps, are then places, not parts of the image.
   */
  order?: number[];
}

export interface Without {
  /**
   * These heads add nothing: what each gathers is zeros where its layer's projection reads it, behind the norm that EVA-02 has there (Michel, Levy and
   * Neubig, 2019). Their attention is computed, and recorded, all the same. None unless told.
   */
  heads: [layer: number, head: number][];
  /**
   * No patch has a position, of whichever kind (`config.positions`): learned, sinusoidal, rotary angles, or relative bias, which is then gone for the class token
   * too. Tokens before the patches keep what they learned. False unless told.
   */
  positions: boolean;
}

/** What a trace keeps. A light one takes less time and memory; a view that needs more than it has says which option it wants. */
export interface RecordOptions {
  /** Numbers of the layers: all unless told. */
  layers?: number[];
  /** Attention of every head, by which `headMap`, `rollout`, `attentionDistance` and `attentionEntropy` go: unless false. */
  attentions?: boolean;
  /**
   * Whose rows of attention are kept: everyone's unless told, or with `'all'` among them. `headMap` of one of these queries, in any layer and head, is then the same at a thousandth of the memory: 0.4 MB where
   * all rows take 540 (ViT-S, 37 × 37 patches). `'mean'` keeps the mean of what all patches ask, which has no maximum or minimum of heads. Other views of attention need all rows.
   * In a model with stages [row, col] is a patch of each layer's own grid: layers whose grid has no such patch keep zeros for it.
   */
  queries?: (Query | 'all')[];
  /** The embeddings and the stream after each of the layers, by which `featureMap`, `similarity` and the lenses go: unless false. */
  hiddenStates?: boolean;
  /**
   * Attention rollout by these options, made while the model runs: `rollout` with the same `fusion` and `discard` then needs no attention, for any query. Of all
   * layers, whichever are recorded. Rejects with `unsupported-view` for a model with stages.
   */
  rollout?: Partial<Rolled>;
}

export interface TraceOptions extends RunOptions, RecordOptions {}

export interface Classification {
  /** The classes with the highest scores, best first; none for a model without a head. */
  top: Prediction[];
  /** What the scores are, as in the model's config. */
  scores: Scores;
  /** [numClasses], of which the scores are made. */
  logits: Floats;
  /** [numFeatures]: what the head reads; all there is of a model without one. */
  features: Floats;
  timing: Timing;
  /** The part of the image that the model saw, in the image's own pixels (upright, not rounded). */
  crop: Rectangle;
}

/**
 * What a forward pass left behind. Of a model with stages or windows (`config.stages`) no two layers need have the same shape: there `attentions` and
 * `hiddenStates` are lists of arrays, which `Trace.staged` has with their types; `grid`, `tokens` and `patchSize` are those of its first layer, `heads` and `hiddenSize` of its last.
 */
export interface Recording extends Classification {
  /** Of the model. */
  layers: number;
  /** Numbers of the layers that were recorded, ascending. */
  recorded: number[];
  /** Whose rows `attentions` has, in order; missing where it has all. */
  queries?: Query[];
  heads: number;
  /** Prefix tokens, then patches in row-major order: prefixTokens + rows × cols. */
  tokens: number;
  /** Tokens before the patches. */
  prefixTokens: number;
  /** What these are, in order. */
  prefix: PrefixToken[];
  /** Rows and columns of patches. */
  grid: [rows: number, cols: number];
  /**
   * [recorded layers, heads, tokens, tokens], row-major: what query `q` gives to key `k` in head `h` of layer `recorded[i]` is
   * `attentions[((i * heads + h) * tokens + q) * tokens + k]`. Each query's row sums to 1. Empty where it was not recorded. With `queries`
   * [recorded layers, heads, queries, tokens]: `attentions[((i * heads + h) * queries.length + n) * tokens + k]` is that of `queries[n]`.
   */
  attentions: Floats;
  /**
   * [recorded layers + 1, tokens, hiddenSize], row-major: the embeddings, then the stream after each of these layers, before the final norm. The
   * tokens of layer `recorded[i]` are row i + 1. Empty where it was not recorded.
   */
  hiddenStates: Floats;
  /** [tokens, tokens], row-major, where `rollout` was asked for: row `q` is what of each token reaches token `q` through all layers. */
  rollouts?: Floats;
  /** How `rollouts` was made. */
  rolled?: Rolled;
  /** What the pass did without, where anything was left out. */
  without?: Without;
  /** Which patch of the image lay in each place, where that was told. */
  order?: number[];
  hiddenSize: number;
  /** Of a patch, in pixels of the model's input. */
  patchSize: [height: number, width: number];
  /** Each layer of the model, recorded or not: all alike in a plain ViT. */
  stages: LayerShape[];
}

/** A recording of a model with stages or windows: an array a layer. */
export interface StagedRecording extends Omit<Recording, 'attentions' | 'hiddenStates'> {
  /**
   * Of layer `recorded[i]`: [windows, heads, n, n], n being the tokens of a window (without windows one, of all tokens). Each row sums to 1, padding's too. None where it was not
   * recorded. With `queries` [heads, queries, tokens], tokens of that layer's own grid: what goes to padding is what a row lacks of 1.
   */
  attentions: Floats[];
  /** The embeddings [tokens, width], then the stream after each of the layers `recorded[i]`, before any merging of tokens. None where it was not recorded. */
  hiddenStates: Floats[];
}

/** What a layer works on. */
export interface LayerShape {
  /** The stage that it belongs to, from 0: a plain ViT has one. */
  stage: number;
  /** Rows and columns of patches. */
  grid: [rows: number, cols: number];
  /** Of a patch, in pixels of the model's input: a stage's patches are larger than those of the stage before. Not whole where a MobileViT stretches its input. */
  patchSize: [height: number, width: number];
  /** Width of a token. */
  hiddenSize: number;
  heads: number;
  /** Within what its tokens attend to each other; null where each sees all. */
  window: AttentionWindow | null;
}

/** Tokens that attend to each other, and to no others. */
export interface AttentionWindow {
  /** `tiles`: rectangles of `size` side by side (Swin, SAM). `strided`: tokens at the same place within cells of `size` (MobileViT). */
  kind: 'tiles' | 'strided';
  size: [rows: number, cols: number];
  /** Patches by which the grid is rolled up and to the left before it is cut; [0, 0] where it is not. */
  shift: [rows: number, cols: number];
  /** Whether a grid that is no multiple of the window is padded before it is rolled, or after. */
  padsFirst: boolean;
  /** How many windows there are. */
  count: number;
}

export interface Trace extends Recording {}

/**
 * A recording and its views. Layers, heads, rows and columns count from 0. Left out, `layer` is the last one, and `query` the class
 * token, or for a model without one the mean of all patches. All throw `invalid-argument` for a layer, head or patch that is not there.
 *
 * In a model with stages a map has the grid of its layer (`stages`), and so has a query; within windows the mean is of all patches, each in its window. What is
 * not defined there is `unsupported-view`, which says why.
 */
export class Trace {
  private constructor();

  /**
   * Of what `structuredClone` or `postMessage` makes of a trace, in another worker say: it has all views but the lenses, which need the model. The first one
   * there loads the engine.
   */
  static from(data: (Omit<Recording, 'crop'> | Omit<StagedRecording, 'crop'>) & Partial<Pick<Recording, 'crop'>>, options?: { assets?: AssetOptions; signal?: AbortSignal }): Promise<Trace>;

  /** The same recording, of a model with stages or windows: its arrays are lists. Undefined for a plain ViT. */
  readonly staged: StagedRecording | undefined;

  /**
   * Where a query looks: its attention to every patch, in one head or in the mean, maximum or minimum of a layer's heads. What goes to other tokens or to padding
   * is what the map lacks of 1. Of one patch within a window `within` tells the patches that it may look at; all others are 0.
   */
  headMap(options?: HeadOptions): ViewMap;

  /** Attention rollout (Abnar and Zuidema): what of the patches reaches a query through all layers. Throws `unsupported-view` for a model with stages or windows. */
  rollout(options?: RolloutOptions): ViewMap;

  /** The patches' first three principal components, as red, green and blue. (`features` are the numbers that the head reads.) */
  featureMap(options?: { layer?: number }): ViewMap;

  /** Cosine similarity of a token with every patch. */
  similarity(options?: { layer?: number; query?: Query }): ViewMap;

  /** [recorded layers, heads]: how far each head looks on average, in pixels. Where stages have more heads than others, NaN stands for those that a layer hasn't. */
  attentionDistance(): ViewMap;

  /** [recorded layers, heads], likewise: how widely each head spreads its attention on average, in nats. */
  attentionEntropy(): ViewMap;

  /**
   * [layers + 1, classes]: the logits if the model ended with the embeddings, or after each layer; in a model with stages after each layer of the last one, as `text` says, since its
   * head reads no others' tokens. Rejects with `closed` after `close()`, and with `unsupported-view` where convolutions follow the last layer.
   */
  logitLens(options?: { signal?: AbortSignal }): Promise<ViewMap>;

  /** A class's logit read from each patch of a layer by itself. The likeliest class unless told. Rejects as `logitLens`, and for a layer of an earlier stage. */
  patchLens(options?: LensOptions): Promise<ViewMap>;

  // Inside a block: computed again in f32 by the model's weights, of the stream before the block, which has to be recorded (`hiddenStates`, of the layer before). They are
  // in the checkpoint's own scale where the model loaded it; a file whose matrices were rounded before may have channels of values, of gated or ReLU units and behind norms scaled by
  // powers of two. All reject as `logitLens`, and with `unsupported-view` for any model with stages or windows.

  /** What one token asks in one head: its query, all keys and values, and what comes of them (Vaswani et al., equation 1). */
  query(options?: QueryOptions): Promise<HeadInside>;

  /** The hidden units of a layer's MLP for one token: what fires. */
  mlp(options?: MlpOptions): Promise<MlpInside>;

  /** The value of one hidden unit of a layer's MLP at each patch, as `mlp` has it in `hidden`. */
  unit(options: UnitOptions): Promise<ViewMap>;

  /** How long every token's vector is at each point of a block. */
  norms(options?: { layer?: number; signal?: AbortSignal }): Promise<Norms>;

  /**
   * A safetensors file with `logits`, `features`, `attentions` and `hidden_states`, as the command line writes it, and `rollout` where there is one. Which `layers` and `queries` were recorded, if
   * not all, how the `rollout` was made, what the pass did `without` and in which `order` its patches lay, its metadata say in JSON. Of a model with stages `attentions.0`,
   * `attentions.1` … and `hidden_states.0` … are a tensor for each entry of the lists.
   */
  toSafetensors(): FileBytes;
}

/** A token: a patch by row and column, one of the prefix, or the mean of what all patches ask. */
export type Query = 'cls' | 'distillation' | 'mean' | { register: number } | [row: number, col: number];

export interface HeadOptions {
  layer?: number;
  /** One head, or the mean (unless told), maximum or minimum of all. */
  head?: number | 'mean' | 'max' | 'min';
  query?: Query;
  /** Keeps the patches that have this share of the attention, strongest first; the others become 0. Over 0, up to 1. */
  mass?: number;
  /** Lowers what is above this percentile to it, so that one patch does not outshine all. Over 0, up to 100. */
  clip?: number;
}

export interface Rolled {
  /** How a layer's heads become one: `mean` unless told. */
  fusion: 'mean' | 'max' | 'min';
  /** Share of each layer's weakest attention that is left out: 0 unless told, less than 1. */
  discard: number;
}

export interface RolloutOptions extends Partial<Rolled> {
  query?: Query;
}

/**
 * A class by its index, or by its name: the label as it is written; else whatever the case; else a part of it between commas ("tabby" of
 * "tabby, tabby cat") as it is written, else whatever the case; else its index in digits. What fits several is refused with their indices.
 */
export type ClassName = number | string;

export interface LensOptions {
  layer?: number;
  /** Left out: the likeliest. */
  target?: ClassName;
  signal?: AbortSignal;
}

export interface QueryOptions {
  layer?: number;
  /** 0 unless told. */
  head?: number;
  /** One token, so not 'mean'. Left out: the class token, or in a model without one the patch in the middle, [rows >> 1, cols >> 1]. */
  query?: Query;
  signal?: AbortSignal;
}

export interface MlpOptions {
  layer?: number;
  /** As `query` of `QueryOptions`. */
  token?: Query;
  signal?: AbortSignal;
}

export interface UnitOptions {
  layer?: number;
  /** Of 0 to mlpSize − 1. */
  unit: number;
  signal?: AbortSignal;
}

/** One head of a block, and what a token asks in it. d_k is hiddenSize / heads. */
export interface HeadInside {
  layer: number;
  head: number;
  /** Number of the token whose query it is. */
  token: number;
  /** [d_k]: the token's query, ready to be compared: normalised and turned where the model does that. */
  q: Floats;
  /** [tokens, d_k]: all keys, likewise. */
  k: Floats;
  /** [tokens, d_k]: all values. */
  v: Floats;
  /** [tokens]: what relative positions add to the scores; null in a model without them. */
  bias: Floats | null;
  /** `q` and `k` before rotary positions turned them; null in a model without these. */
  unturned: { q: Floats; k: Floats } | null;
  /** [tokens]: q · k / √d_k + bias. */
  scores: Floats;
  /** [tokens]: softmax of the scores. */
  attention: Floats;
  /** [d_k]: the sum of the values, each times its attention. */
  context: Floats;
}

/** What a block's MLP makes of a token, M being mlpSize. */
export interface MlpInside {
  layer: number;
  /** Number of the token. */
  token: number;
  /** [M]: what the first layer gives; of a gated MLP (SwiGLU) its linear half. */
  before: Floats;
  /** [M]: of a gated MLP the half that the activation is applied to; null elsewhere. */
  gate: Floats | null;
  /** [M]: f(before), or f(gate) × before; before a norm that a model may have there. */
  hidden: Floats;
}

/** Euclidean lengths, [tokens] each. */
export interface Norms {
  layer: number;
  /** The stream before the block. */
  stream: Floats;
  /** What the first norm makes of it. */
  norm1: Floats;
  /** What attention adds to it, LayerScale included. */
  attention: Floats;
  /** The stream then. */
  between: Floats;
  /** What the second norm makes of that. */
  norm2: Floats;
  /** What the MLP adds to it, LayerScale included. */
  mlp: Floats;
}

/** How a patch becomes a token. */
export interface PatchEmbedding {
  patch: [row: number, col: number];
  /** [3, height, width] of the patch: normalised pixels, as cut. */
  pixels: Floats;
  /** [hiddenSize]: the patch projection of these, its bias added, before any norm and position. */
  projected: Floats;
  /** [hiddenSize]: what is added for its place, learned or sinusoidal; null in a model that adds nothing. */
  position: Floats | null;
  /** [hiddenSize]: what the first block gets. */
  token: Floats;
}

export interface AttributeOptions {
  /**
   * `chefer`: relevance through attention and its gradients (Chefer, Gur and Wolf), unless told (with stages, `grad-cam`). `gradient-rollout`: rollout of
   * attention times its gradient. `grad-cam`: a layer's input to attention, weighted by its gradient. `occlusion`: how much lower the
   * class's score is without each patch.
   */
  method?: 'chefer' | 'gradient-rollout' | 'grad-cam' | 'occlusion';
  /** Left out: the likeliest. */
  target?: ClassName;
  /** For `grad-cam`: the last unless told. */
  layer?: number;
  /** For `chefer` and `gradient-rollout`. */
  query?: Query;
  /** For `gradient-rollout`, as in `rollout`. */
  discard?: number;
  /** For `occlusion`: rows and columns of patches that are left out together. An eighth of the grid unless told. */
  window?: number;
  /** For `occlusion`: patches from one window to the next, no more than `window`, which it is unless told. */
  stride?: number;
}

export interface CurvesOptions {
  /** Left out: the likeliest. */
  target?: ClassName;
  /** Points of each curve after the first: 20 unless told. Each is a forward pass. */
  steps?: number;
}

export interface PassesOptions {
  /** Aborting rejects at once with the signal's reason; what runs ends after the block under way. */
  signal?: AbortSignal;
  onProgress?: (passes: Passes) => void;
}

/** Forward passes done, of how many. */
export interface Passes {
  done: number;
  total: number;
}

/** What a view shows: values in rows and columns, of patches unless said otherwise. */
export interface ViewMap {
  rows: number;
  cols: number;
  /** 3: red, green and blue. */
  channels: 1 | 3;
  /** [rows, cols] or [rows, cols, 3], row-major. */
  data: Floats;
  /** Whether 0 is the middle of the scale, values below it being another thing than those above. */
  signed: boolean;
  /** What it is, in words. */
  text: string;
  /** The part of the image that it lies on, in the image's pixels. Where a grid was padded, it reaches beyond what the model saw. */
  crop?: Rectangle;
  /** [rows, cols], of a query within a window: 1 for the patches that it may look at, 0 for all others. */
  within?: FileBytes;
}

export interface Attribution extends ViewMap {
  target: Target;
}

export interface Target {
  index: number;
  label: string;
}

export interface Curves {
  deletion: Curve;
  insertion: Curve;
  target: Target;
}

export interface Curve {
  /** Of the patches that were dropped, or are back: 0 to 1. */
  fractions: Floats;
  /** Of the target: its scores; for a regression values. */
  probabilities: Floats;
  /** Under the curve, 0 to 1; missing for a regression, whose values have no such scale. */
  area?: number;
}

export type Colormap = 'viridis' | 'magma' | 'turbo' | 'grey' | 'diverging';

/** The names of all colour maps. */
export const COLORMAPS: readonly Colormap[];

export interface ColourOptions {
  /** For maps of one channel: `viridis` unless told, `diverging` for signed ones. */
  colormap?: Colormap;
  /** Values of the first and the last colour, and of what stands out least and most. Left out: from 0 to the largest; for signed maps as far below 0 as above. */
  range?: [low: number, high: number];
  /**
   * Opacity where nothing stands out against where it does most, 0 to 1: `faintest + (1 − faintest) × strength`. With m
   * the mean of the values (of their distances from 0 in a signed map), a value's strength is 0 up to m/2 and 1 from 3 m
   * on, or from the largest where that is less, and grows evenly between. With `range`, it goes from `low` to `high`; in
   * a signed map from their middle to either. Left out: 1, over an image 0, or 0.4 as a spotlight.
   */
  faintest?: number;
}

export interface OverlayOptions extends ColourOptions {
  /**
   * `'colours'` unless told: the map's colours, the more opaque the more a value stands out, so that the photo is seen as it is elsewhere.
   * `'spotlight'`: what stands out keeps the photo's own light and colours, and all else, as what the model did not see,
   * is dimmed: a pixel keeps `1 − opacity × (1 − faintest) × (1 − strength)` of its saturation, then of its light.
   * Maps that are signed or have three channels, and maps without an image, are drawn in colours whatever is asked.
   */
  style?: 'colours' | 'spotlight';
  /** Of the map, 0 to 1; at 0 the image is as it was. Unless told 1; for colours over an image 0.8, or 0.5 where three channels cover all of it. */
  opacity?: number;
  /** `bilinear` unless told. Values are interpolated, not colours. */
  interpolation?: 'bilinear' | 'nearest';
  /** The part of the image that the map lies on, in the image's pixels. Left out: the map's own, else all of it. */
  crop?: Rectangle;
}

export interface PictureOptions extends OverlayOptions {
  /** What the map is laid over. Left out: the map alone. */
  image?: CanvasImageSource | Blob | null;
  /** Of the picture, in pixels. Left out: the image's, or 16 for each cell of the map. */
  width?: number;
  height?: number;
  signal?: AbortSignal;
}

/** The map's colours: RGBA, [rows, cols, 4]. Needs no canvas. */
export function colourise(map: ViewMap, options?: ColourOptions): ReturnType<typeof Uint8ClampedArray.of>;

/** The map enlarged; values hold at the centres of its cells. */
export function upsample(map: ViewMap, width: number, height: number, mode?: 'bilinear' | 'nearest'): ViewMap;

/**
 * Fills the canvas with the image and the map over its crop, or with the map alone where the image is null. The canvas's own
 * pixels are what is drawn: give it as many as the screen has (`devicePixelRatio`), in the image's shape. What it is drawn
 * with (transform, opacity) is as before afterwards, and where the call fails the canvas is too. Fast enough for every frame of a video.
 */
export function drawOverlay(canvas: HTMLCanvasElement | OffscreenCanvas, image: CanvasImageSource | null, map: ViewMap, options?: OverlayOptions): void;

/** A PNG file of what `drawOverlay` draws. */
export function toPNG(map: ViewMap, options?: PictureOptions): Promise<Blob>;

/** An .npy file of the values, as `numpy.load` reads it. */
export function toNpy(map: ViewMap): FileBytes;

/** All of a map as JSON, with `data` as an array. */
export function toJSON(map: ViewMap): string;

/** A token that is no patch. */
export type PrefixToken = 'class' | 'distillation' | 'register';

/**
 * What is made of the logits, as transformers' pipeline for image classification decides it by `problem_type` and the number of classes.
 * `softmax`: probabilities of classes that exclude each other, which sum to 1. `sigmoid`: a probability for each class by itself, where several
 * may hold or there is one only. `none`: the logits as they are, the values of a regression.
 */
export type Scores = 'softmax' | 'sigmoid' | 'none';

export interface Prediction {
  index: number;
  label: string;
  /** A probability, 0 to 1; for a regression a value. */
  score: number;
}

/** Milliseconds. */
export interface Timing {
  /** Resizing, cropping and normalising. */
  preprocess: number;
  /** The model itself. */
  forward: number;
  /** From the image's arrival in the worker to the answer, decoding included. */
  total: number;
}

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface ModelConfig {
  /** Structure and naming scheme of the checkpoint, for people to read: 'ViT (Hugging Face)', say. */
  readonly family: string;
  /** Height and width of the model's input, in pixels. */
  readonly imageSize: [height: number, width: number];
  readonly patchSize: [height: number, width: number];
  readonly grid: [rows: number, cols: number];
  readonly tokens: number;
  readonly prefixTokens: number;
  readonly prefix: PrefixToken[];
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpSize: number;
  /** 0 for a model without a head. */
  readonly numClasses: number;
  /** Of the checkpoint; else ImageNet's for 1000 classes; else numbered. */
  readonly labels: string[];
  readonly numFeatures: number;
  /** Whether the classes are texts, or other embeddings, that the image's features are compared with. */
  readonly zeroShot: boolean;
  /** Then how: logit = scale · cosine + bias; null for any other head. */
  readonly similarity: { readonly scale: number; readonly bias: number } | null;
  /** What is made of the logits. */
  readonly scores: Scores;
  /** What becomes the features: the class token, the mean of the patches, both, class and distillation token, what a learned query gathers, or all patches as a map `[channels, rows, columns]` (SAM). */
  readonly pooling: 'cls' | 'mean' | 'cls-mean' | 'cls-distillation' | 'attention' | 'map';
  /** What tells it where a patch is: learned positions, sines and cosines of it, biases of scores by distance, queries and keys turned by angles, or two of these. */
  readonly positions: 'learned' | 'sinusoidal' | 'relative' | 'rotary' | 'learned-relative' | 'learned-rotary' | 'none';
  readonly dtype: 'f32' | 'int8';
  readonly parameters: number;
  /** Each layer: all alike in a plain ViT. With stages, `grid`, `tokens` and `patchSize` are those of the first layer, `hiddenSize`, `heads` and `mlpSize` of the last. */
  readonly stages: LayerShape[];
  /** The file that says how pixels are prepared; null where none does, and it is as is usual for the family. */
  readonly processor: 'processor_config.json' | 'preprocessor_config.json' | 'config.json' | null;
}
