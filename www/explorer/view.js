/**
 * What a view is given: the trace and what of it is chosen, and where its map goes.
 *
 * @typedef {import('../../pkg/index.js').ViewMap} ViewMap
 * @typedef {import('../../pkg/index.js').Trace} Trace
 * @typedef {import('./choice.js').Choice} Choice
 * @typedef {import('./maps.js').Look} Look
 * @typedef {Blob | ImageBitmap} Picture
 * @typedef {{text?: string, detail?: string, format?: (value: number) => string, unit?: string, window?: import('./stages.js').Layer['window']}} Words
 *   a title in place of the map's own, a second sentence, and how values are said, as plain numbers unless told; unit: where a view has values of several kinds, which;
 *   window: within what patches see each other, where the map is of a layer's attention
 * @typedef {{
 *   trace: Trace, vit: import('../../pkg/index.js').Vitscope, seen: import('./photo.js').ImageSource, live: boolean, look: Look,
 *   layer: number, head: number | null, query: [number, number] | undefined, queryIn: (layer: number) => [number, number] | undefined, target: {index: number, name: string} | undefined,
 *   signal: AbortSignal, wanted: AbortSignal,
 *   paint: (map: ViewMap | undefined, words?: Words) => void, fail: (error: unknown) => void, watch: () => Watch,
 * }} Context
 *   seen: what the model is asked about; query: a patch, or the image as a whole; queryIn: the patch at that point of the photo in a layer's own grid; target: undefined for a model without classes; signal: aborted when something newer is drawn;
 *   wanted: aborted when another photo, view, patch, class or option is wanted, as is what the model has under way; watch: over an answer of the model
 * @typedef {import('./panels/notice.js').Watch} Watch
 * @typedef {{
 *   id: string, title: string, term: string, sentence: string, caution: string, element: HTMLElement,
 *   uses: () => {query?: boolean, target?: boolean, layer?: boolean},
 *   reads?: (query: import('../../pkg/index.js').Query) => import('./recordings.js').Reads,
 *   firstLayer?: (context: Pick<Context, 'trace' | 'queryIn'>) => number,
 *   tries?: (trace: Trace) => unknown, show: (context: Context) => void | Promise<void>,
 * }} View
 *   title, term: what a visitor calls it, and what the field does; caution: when it is not to be trusted; firstLayer: to begin with, the last unless told;
 *   tries: asks the package for what not all models have, and hears why;
 *   show draws the view's own panel and paints its map, later if it must wait for one
 */
export {};
