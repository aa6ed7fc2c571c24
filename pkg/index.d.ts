/**
 * vitscope: run a Vision Transformer in the browser and see every head's attention.
 *
 * Every promise of this module rejects with a {@link VitscopeError}, except where a signal was aborted: then with the
 * signal's own reason.
 */

/** A model loaded in a worker of its own. Calls are answered one at a time, in the order they were made. */
export class Vitscope {
  private constructor();

  /**
   * Starts a worker, downloads the model and prepares it. Takes as long as the download; nothing blocks the page.
   *
   * @throws `network` a file could not be fetched, or the server sent something else in its place; the message names the URL
   * @throws `unsupported-browser` there is no WebAssembly SIMD, or not the kind that `simd` asks for
   * @throws `invalid-argument` an option is not what it should be
   * @throws `invalid-config`, `invalid-preprocessor`, `unsupported-architecture` config.json or preprocessor_config.json
   * @throws `invalid-weights`, `missing-tensor`, `unexpected-tensor`, `tensor-shape`, `tensor-dtype` model.safetensors
   * @throws `out-of-memory` the model does not fit
   */
  static load(source: ModelSource, options?: LoadOptions): Promise<Vitscope>;

  /** What the model is. */
  readonly config: ModelConfig;

  /** How it runs. */
  readonly backend: Backend;

  /** What it takes, as of the last answer. */
  readonly memory: Memory;

  /**
   * The model's answer for an image.
   *
   * @throws `invalid-image` not an image, empty, or a video without a frame yet
   * @throws `decode-image` not decodable, or of another site without its CORS permission
   * @throws `network` an image given by URL could not be fetched
   * @throws `closed`, `crashed` this instance can't be used any more
   */
  classify(image: ImageSource, options?: RunOptions): Promise<Classification>;

  /** The same forward pass with the attention of every head written down. Throws what `classify` throws. */
  trace(image: ImageSource, options?: RunOptions): Promise<Trace>;

  /**
   * Ends the worker and frees the model's memory at once. Pending and later calls reject with `closed`.
   * Without it, the memory stays taken until the page is left: a worker is not garbage collected.
   */
  close(): void;
}

/** A failure that a program can tell by its `code`; `message` says what happened, where, and what to do. */
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
  | 'out-of-memory'
  | 'network'
  | 'decode-image'
  | 'unsupported-browser'
  | 'closed'
  | 'crashed';

/**
 * A folder's URL, relative to the document or absolute, holding `config.json`, `model.safetensors` (or
 * `model.safetensors.index.json` and the files it names) and optionally `preprocessor_config.json` and, for CLIP and SigLIP,
 * `text_embeddings.safetensors`; or the files themselves.
 */
export type ModelSource = string | URL | ModelFiles;

export interface ModelFiles {
  /** config.json as an object, its JSON text, or the file. */
  config: object | string | Blob;
  /** preprocessor_config.json likewise. Without it the config's own statement, or the family's usual one, holds. */
  preprocessor?: object | string | Blob | null;
  /** model.safetensors, or all files of split weights. A Blob is read; a buffer is copied to the worker, and stays yours. */
  weights: Bytes | Bytes[];
  /**
   * Classes of a model without a head that gives image features: a safetensors file with `text_embeddings` [classes, features]
   * and in its metadata `labels`, a JSON array of names. The logits are then e^logit_scale · cosine (+ logit_bias).
   */
  textEmbeddings?: Bytes | null;
}

export type Bytes = ArrayBuffer | Uint8Array | Blob;

export interface LoadOptions {
  /** Arithmetic of the forward pass. Left out: `int8` for a quantised file, `f32` for any other. */
  dtype?: 'f32' | 'int8';
  /**
   * Input size in pixels, one number for both edges or [height, width]. Left out: what the model was made for. Positions are
   * interpolated once, while loading, as the model's own library does it, and preprocessing follows.
   */
  imageSize?: number | [height: number, width: number];
  /** Instructions of the engine; the answers differ by rounding at most. Left out: `relaxed` where the browser has it, else `simd128`. */
  simd?: 'relaxed' | 'simd128';
  /**
   * Threads of the forward pass, 1 to 255; the answers are the same for any number. Left out: as many as the machine has cores,
   * up to 8, where the page is cross-origin isolated, else 1. A number that can't be had, there or because a thread can't be
   * started, is said once in the console, and 1 runs.
   */
  threads?: number;
  /** Aborting ends the download and the worker, and rejects with the signal's reason. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
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
  /** Weights of this model in it, as packed for the forward pass. */
  readonly weights: number;
}

/** `wasm`, `config` and `weights` are downloads that run side by side; `prepare` follows them. */
export interface Progress {
  phase: 'wasm' | 'config' | 'weights' | 'prepare';
  /** Bytes so far; in `prepare` 0, then 1. */
  loaded: number;
  /** Bytes in all, 0 where the server does not say; in `prepare` 1. */
  total: number;
}

/**
 * Anything with pixels. It is read as it is at the time of the call and stays yours: bitmaps and frames are copied, not
 * consumed. Blobs and URLs are decoded as stored: EXIF orientation is applied, colour profiles are not. What is
 * transparent is laid over white.
 */
export type ImageSource =
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame
  | Blob
  | URL
  | string;

export interface RunOptions {
  /** How many classes `top` lists: 5 unless told, no more than the model has. */
  topK?: number;
  /** Aborting rejects at once with the signal's reason. The instance stays usable. */
  signal?: AbortSignal;
}

export interface Classification {
  /** The likeliest classes, best first; none for a model without a head. */
  top: Prediction[];
  /** [numClasses], before softmax. */
  logits: Float32Array<ArrayBuffer>;
  /** [numFeatures]: what the head reads; all there is of a model without one. */
  features: Float32Array<ArrayBuffer>;
  timing: Timing;
  /** The part of the image that the model saw, in the image's own pixels (upright, not rounded). */
  crop: Rectangle;
}

export interface Trace extends Classification {
  layers: number;
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
   * [layers, heads, tokens, tokens], row-major: what query `q` gives to key `k` in head `h` of layer `l` is
   * `attentions[((l * heads + h) * tokens + q) * tokens + k]`. Each query's row sums to 1.
   */
  attentions: Float32Array<ArrayBuffer>;
}

/** A token that is no patch. */
export type PrefixToken = 'class' | 'distillation' | 'register';

export interface Prediction {
  index: number;
  label: string;
  /** Softmax probability, 0 to 1. */
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
  /** Whether the classes are texts that the image's features are compared with. */
  readonly zeroShot: boolean;
  /** What becomes the features: the class token, the mean of the patches, both, class and distillation token, or what a learned query gathers. */
  readonly pooling: 'cls' | 'mean' | 'cls-mean' | 'cls-distillation' | 'attention';
  readonly dtype: 'f32' | 'int8';
  readonly parameters: number;
}
