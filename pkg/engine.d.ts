/**
 * The synchronous engine: the same model in the thread that calls it. For workers of your own, for Node and for tests;
 * on a page it would block.
 *
 * @module vitscope/engine
 */

import type { AttributeOptions, Attribution, Backend, Classes, Classification, Curves, CurvesOptions, FileBytes, Floats, HeadInside, ImageLike, InterventionOptions, LensOptions, LoadOptions, Memory, MlpInside, MlpOptions, ModelCache, ModelConfig, ModelSource, Norms, Passes, PatchEmbedding, PixelValues, QueryOptions, RecordOptions, Rectangle, Trace as AsyncTrace, UnitOptions, ViewMap } from './index.js';

export { COLORMAPS, VitscopeError, colourise, drawOverlay, toJSON, toNpy, toPNG, upsample } from './index.js';
export type {
  AssetOptions, AttentionWindow, AttributeOptions, Attribution, Backend, Build, CachedModel, ClassName, Classes, Classification, Colormap, ColourOptions, Curve, Curves, CurvesOptions, Decode, ErrorCode, FileBytes, Floats, HeadInside, HeadOptions, ImageLike, InterventionOptions, LayerShape, LensOptions, LoadOptions, Memory, MlpInside, MlpOptions,
  ModelCache, ModelConfig, ModelFiles, ModelSource, Norms, OverlayOptions, Passes, PatchEmbedding, PictureOptions, PixelValues, Prediction, Progress, Query, QueryOptions, RecordOptions, Recording, Rectangle, Rolled, RolloutOptions, Scores, StagedRecording, Target, Timing, UnitOptions, ViewMap, Without,
} from './index.js';

/** The `timing.total` of these results is preprocessing and forward pass together. Decoding is the caller's here. */
export class Engine {
  private constructor();

  /**
   * As `Vitscope.load`, with the same errors.
   *
   * More than one thread needs a worker on an isolated page, whose main thread can't wait for others, or Node, Deno or Bun.
   * All engines of a worker share its threads, which live as long as it does; the first load that wants any says how many.
   * Should one crash, the call that waits for it never returns; `Vitscope` watches its own for that.
   */
  static load(source: ModelSource, options?: LoadOptions): Promise<Engine>;

  /** Models that are kept for the next time; in Node.js of the folder that each call names. */
  static readonly cache: ModelCache;

  /** What the model is; `resize` puts another in its place. */
  readonly config: ModelConfig;

  /** How it runs. */
  readonly backend: Backend;

  /** What it takes now. */
  readonly memory: Memory;

  /** Pixel values [3, height, width] as the model takes them: resized, cropped and normalised. Throws `invalid-image`. */
  preprocess(image: ImageLike): Floats;

  /** The part of an image of this size that the model sees, in the image's pixels. */
  crop(width: number, height: number): Rectangle;

  /** Throws `invalid-image`, `invalid-argument`, `closed`, `crashed`. */
  classify(image: ImageLike | PixelValues, options?: SyncRunOptions): Classification;
  /** Pixel values [3, height, width] instead of an image: nothing is preprocessed, and there is no `crop`. */
  classify(pixelValues: Float32Array, options?: SyncRunOptions): Omit<Classification, 'crop'>;
  /** Several, in order; on several threads each makes whole passes. What fails has its number: `images[2]: …`. */
  classify(images: (ImageLike | PixelValues)[], options?: SyncRunOptions): Classification[];
  classify(pixelValues: Float32Array[], options?: SyncRunOptions): Omit<Classification, 'crop'>[];

  /** As `classify`, with every head's attention and the stream after every layer, or what `options` asks for of it. */
  trace(image: ImageLike | PixelValues, options?: SyncRunOptions & RecordOptions): Trace;
  trace(pixelValues: Float32Array, options?: SyncRunOptions & RecordOptions): Omit<Trace, 'crop'>;

  /** As `Vitscope.attribute`. */
  attribute(image: ImageLike | PixelValues | Float32Array, options?: SyncAttributeOptions): Attribution;

  /** As `Vitscope.curves`. */
  curves(image: ImageLike | PixelValues | Float32Array, map: ViewMap, options?: SyncCurvesOptions): Curves;

  /** As `Vitscope.positionSimilarity`. */
  positionSimilarity(): ViewMap;

  /** As `Vitscope.patchFilters`. */
  patchFilters(options?: { count?: number } | { outputs: number[] }): ViewMap[];

  /** As `Vitscope.patchEmbedding`. */
  patchEmbedding(image: ImageLike | PixelValues | Float32Array, options: { patch: [row: number, col: number] }): PatchEmbedding;

  /** As `Vitscope.resize`. */
  resize(imageSize: number | [height: number, width: number]): void;

  /** As `Vitscope.withClasses`: another engine over the same weights, which go when all of them are closed. A Blob can't be read here. */
  withClasses(classes: Classes | ArrayBuffer | Uint8Array): Engine;

  /** As `Vitscope.teach`. */
  teach(examples: Record<string, (ImageLike | PixelValues | Float32Array | Pick<Classification, 'features'>)[]>, options?: { onProgress?: (passes: Passes) => void }): Engine;

  /** As `Vitscope.saveClasses`. */
  saveClasses(): FileBytes;

  /** Frees the model's memory, which no garbage collector sees. Later calls throw `closed`. */
  close(): void;

  /** `close()`, for `using`. (Where the place has `Symbol.dispose`.) */
  [Symbol.dispose](): void;
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** As that of `Vitscope`; the lenses answer at once, and throw `closed` after `close()`. */
export interface Trace extends Omit<AsyncTrace, 'logitLens' | 'patchLens' | 'query' | 'mlp' | 'unit' | 'norms'> {
  logitLens(): ViewMap;
  patchLens(options?: Omit<LensOptions, 'signal'>): ViewMap;
  query(options?: Omit<QueryOptions, 'signal'>): HeadInside;
  mlp(options?: Omit<MlpOptions, 'signal'>): MlpInside;
  unit(options: Omit<UnitOptions, 'signal'>): ViewMap;
  norms(options?: { layer?: number }): Norms;
}

export interface SyncRunOptions extends InterventionOptions {
  /** How many classes `top` lists: 5 unless told, no more than the model has. */
  topK?: number;
}

export interface SyncAttributeOptions extends AttributeOptions {
  /** Called after each pass of `occlusion`. */
  onProgress?: (passes: Passes) => void;
}

export interface SyncCurvesOptions extends CurvesOptions {
  onProgress?: (passes: Passes) => void;
}
