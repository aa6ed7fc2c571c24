/**
 * What a figure of the lesson is, and a chapter.
 *
 * @typedef {{
 *   trace: import('../../pkg/index.js').Trace, vit: import('../../pkg/index.js').Vitscope, image: Blob | ImageBitmap, title: string, look: import('../explorer/maps.js').Look,
 *   step: number, layer: number | null, head: number | null, patch: number, picked: boolean, target: {index: number, name: string} | undefined,
 *   still: boolean, signal: AbortSignal,
 * }} Context
 *   step: which step of the chapter is being read, from 0; layer, head: what the reader has chosen in any figure, null where nothing; patch: likewise, else the one that the model
 *   looks at most (picked: whether the reader chose it); target: the class that is asked about, the likeliest unless chosen, undefined for a model without classes;
 *   still: nothing shall move; signal: aborted when something newer is shown
 *
 * @typedef {{
 *   element: HTMLElement, show: (context: Context) => string | Promise<string>,
 * }} Figure
 *   show draws and gives the text of what is seen, with its numbers: it is the figure's caption, and all that a screen reader has of the drawing
 *
 * @typedef {{
 *   choose: (choice: {layer?: number | null, head?: number | null, patch?: number | null, target?: number | null}) => void, change: () => void,
 * }} Hands
 *   choose: what all figures share; change: something of this figure's own was changed, so that it is shown anew
 *
 * @typedef {{
 *   id: string, title: string, steps: string[], styles?: string, figure: (hands: Hands) => Figure, staged?: number[],
 *   facts?: (context: Context) => Record<string, string> | Promise<Record<string, string>>,
 * }} Chapter
 *   id: by which a link tells it; steps: HTML, each of a few paragraphs, which the figure follows. In it `<b data-fact="tokens">` is filled from the loaded model (facts.js, and the
 *   chapter's own `facts`), and what has `data-when="class"` or `data-when="!class"` is there for such models alone (facts.js has the conditions); styles: CSS of its figure's own; staged: steps whose figure is of models with stages and windows, too
 */
export {};
