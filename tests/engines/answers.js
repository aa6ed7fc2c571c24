/** Loads, classifies, traces, makes every view, and opens the page: what comes of it, as plain values. */
import { Vitscope, VitscopeError, drawOverlay } from '../../pkg/dist/index.js';

/** A picture of known pixels: what browsers decode is their own affair. */
function picture(size = 96) {
  const data = Uint8ClampedArray.from({ length: 4 * size * size }, (_, i) => {
    const [x, y] = [(i >> 2) % size, Math.floor((i >> 2) / size)];
    return [2 * x, 2 * y, (x * y) % 256, 255][i % 4];
  });
  return new ImageData(data, size, size);
}

/** @param {import('../../pkg/index.js').ViewMap} map */
const values = ({ data }) => [...data];

/**
 * What is drawn: red and green of a spotlight, and of colours, over the picture.
 * @param {ImageData} image
 */
async function overlays(image) {
  const map = { rows: 2, cols: 3, channels: /** @type {const} */ (1), data: Float32Array.of(0, 1, 2, 3, 4, 9), signed: false, text: 'six', crop: { x: 12, y: 0, width: 72, height: 96 } };
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const photo = await createImageBitmap(image);
  return (/** @type {const} */ (['spotlight', 'colours'])).flatMap((style) => {
    drawOverlay(canvas, photo, map, { style });
    return [...context.getImageData(0, 0, image.width, image.height).data].filter((_, i) => i % 4 < 2);
  });
}

/**
 * @param {URLSearchParams} query
 * @param {(step: string) => void} begin hears what is done next, so that of a browser that never answers is known where it is
 */
export async function answers(query, begin) {
  const folder = `${query.get('model')}`;
  /** @type {Record<string, number[]>} */
  const numbers = {};
  let progress = 0;
  begin('load');
  const vit = await Vitscope.load(folder, { dtype: /** @type {any} */ (query.get('dtype') ?? undefined), onProgress: ({ loaded }) => (progress = Math.max(progress, loaded)) });
  const image = picture();
  begin('classify');
  const { top, logits, features } = await vit.classify(image);
  numbers.logits = [...logits];
  numbers.features = [...features];

  begin('trace');
  const trace = await vit.trace(image);
  numbers.attentions = [...trace.attentions];
  numbers.hiddenStates = [...trace.hiddenStates];
  for (const [name, map] of Object.entries({
    headMap: trace.headMap({ layer: 1, head: 2 }),
    rollout: trace.rollout(),
    featureMap: trace.featureMap(),
    similarity: trace.similarity({ query: [1, 1] }),
    attentionDistance: trace.attentionDistance(),
    attentionEntropy: trace.attentionEntropy(),
    logitLens: await trace.logitLens(),
    patchLens: await trace.patchLens({ target: 1 }),
    positionSimilarity: await vit.positionSimilarity(),
  })) numbers[name] = values(map);
  numbers.patchFilters = (await vit.patchFilters({ count: 3 })).flatMap(values);

  for (const method of /** @type {const} */ (['chefer', 'gradient-rollout', 'grad-cam', 'occlusion'])) {
    begin(method);
    numbers[method] = values(await vit.attribute(image, { method, target: 1 }));
  }
  begin('curves');
  const { deletion, insertion } = await vit.curves(image, trace.headMap(), { target: 1, steps: 4 });
  numbers.curves = [...deletion.probabilities, ...insertion.probabilities];

  begin('withClasses');
  const own = await vit.withClasses({ labels: ['this', 'that'], embeddings: [[...features], [...features].map((x, i) => (i % 2 ? x : -x))], scale: 10 });
  numbers.withClasses = [...(await own.classify(image)).logits];
  own.close();

  begin('refusals');
  const refused = await vit.classify(image, { topK: 0 }).catch((error) => error);
  const stopped = await vit.attribute(image, { method: 'occlusion', signal: AbortSignal.abort('enough') }).catch((reason) => reason);
  vit.close();
  begin('the page');
  return {
    agent: navigator.userAgent,
    isolated: crossOriginIsolated,
    backend: vit.backend,
    label: top[0].label,
    loadedSomething: progress > 0,
    refused: refused instanceof VitscopeError && refused.code,
    stopped,
    numbers,
    pixels: await overlays(image),
    page: await firstAnswer(folder),
    lesson: await lesson(folder, begin),
  };
}

/**
 * What the lesson's figures say when their last step is read, and whether anything went wrong.
 * @param {string} folder
 * @param {(step: string) => void} begin
 */
async function lesson(folder, begin) {
  const frame = document.createElement('iframe');
  Object.assign(frame.style, { width: '1200px', height: '800px' });
  frame.src = `/www/inside/?model=${folder}`;
  document.body.append(frame);
  const shadow = () => frame.contentDocument?.querySelector('#lesson')?.shadowRoot;
  const until = async (/** @type {() => unknown} */ holds) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await until(() => /%/.test(shadow()?.querySelector('[data-dock=answer]')?.textContent ?? ''));
  const page = /** @type {ShadowRoot} */ (shadow());
  /** @type {string[]} */
  const errors = [];
  frame.contentWindow?.addEventListener('error', ({ message }) => errors.push(message));
  /** @type {Record<string, string>} */
  const captions = {};
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll('.chapter'))) {
    begin(`the lesson, ${section.id}`);
    for (const step of section.querySelectorAll('.step')) {
      step.scrollIntoView({ block: 'center' });
      await until(() => step.classList.contains('read'));
    }
    const caption = section.querySelector('figcaption');
    await until(() => !('busy' in section.dataset) && !/^(One moment\.)?$/.test(caption?.textContent ?? ''));
    captions[section.id] = caption?.textContent ?? '';
  }
  return { captions, errors, notice: page.querySelector('#notice:not([hidden])')?.textContent ?? '' };
}

/**
 * What the page says of the picture that it opens with, and whether it drew something over it.
 * @param {string} folder
 */
async function firstAnswer(folder) {
  const frame = document.createElement('iframe');
  Object.assign(frame.style, { width: '1200px', height: '800px' });
  frame.src = `/www/?model=${folder}`;
  document.body.append(frame);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const page = frame.contentDocument?.querySelector('#explorer')?.shadowRoot;
    const list = page?.querySelector('#answers ol');
    const label = page?.querySelector('#answers .label')?.textContent;
    if (list?.getAttribute('aria-busy') !== 'false' || !label || !/%/.test(list.textContent ?? '')) continue;
    const canvas = /** @type {HTMLCanvasElement | null} */ (page?.querySelector('#stage .overlay'));
    const drawn = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data.some((value, i) => i % 4 === 3 && value > 0);
    if (drawn) return { label, notice: page?.querySelector('#notice:not([hidden])')?.textContent ?? '' };
  }
}
