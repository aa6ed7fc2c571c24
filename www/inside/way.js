/** The way of the photo to the answer in five small pictures, each the door to its chapter. */
import { colourise } from '../../pkg/dist/index.js';
import { context2d, make } from '../explorer/dom.js';
import { remember } from '../explorer/views/cache.js';
import { factsOf } from './facts.js';
import { stripsOf } from './figures/sequence.js';
import { createPlane, fit, pictureOf } from './kit/plane.js';
import { streamAt } from './kit/token.js';

/**
 * @typedef {import('./figure.js').Context} Context
 * @typedef {import('./kit/plane.js').Sheet} Sheet
 * @typedef {Omit<Context, 'step' | 'signal'>} Shown
 */

/** Between patches, in CSS pixels. */
const APART = 2;

/** @param {Sheet} sheet @param {ImageBitmap} picture @param {Shown} shown */
function drawPhoto({ context, width, height }, picture, { trace: { crop } }) {
  const box = fit(crop.width / crop.height, { width, height });
  context.drawImage(picture, crop.x, crop.y, crop.width, crop.height, box.x, box.y, box.width, box.height);
}

/** @param {Sheet} sheet @param {ImageBitmap} picture @param {Shown} shown */
function drawPatches({ context, width, height }, picture, { trace: { crop, grid: [rows, cols] } }) {
  const box = fit(crop.width / crop.height, { width, height });
  const [across, down] = [box.width / cols, box.height / rows];
  const apart = Math.min(APART, across / 4);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [w, h] = [crop.width / cols, crop.height / rows];
      context.drawImage(picture, crop.x + col * w, crop.y + row * h, w, h, box.x + col * across, box.y + row * down, across - apart, down - apart);
    }
  }
}

/** @param {Sheet} sheet @param {ImageBitmap} _ @param {Shown} shown */
function drawTokens({ context, width, height }, _, { trace }) {
  const { stream, tokens, hiddenSize } = streamAt(trace, 0);
  const { image } = remember(trace, 'tokens as strips', () => stripsOf(stream, tokens, hiddenSize, trace.prefixTokens));
  context.drawImage(image, 0, 0, width, height);
}

/** What the answer's token attends to in each layer, a sheet a layer. @param {Sheet} sheet @param {ImageBitmap} _ @param {Shown} shown */
function drawLayers({ context, width, height, colour }, _, { trace, look }) {
  const maps = remember(trace, 'maps of all layers', () => trace.recorded.map((layer) => trace.headMap({ layer })));
  const box = fit(maps[0].cols / maps[0].rows, { width: 0.58 * width, height: 0.58 * height });
  const [x, y] = [(width - box.width) / (maps.length - 1 || 1), (height - box.height) / (maps.length - 1 || 1)];
  maps.forEach((map, i) => {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: map.cols, height: map.rows });
    context2d(canvas).putImageData(new ImageData(colourise(map, { colormap: look.colormap }), map.cols, map.rows), 0, 0);
    context.fillStyle = colour('--paper');
    context.fillRect(i * x - 1, i * y - 1, box.width + 2, box.height + 2);
    context.imageSmoothingEnabled = look.smooth;
    context.drawImage(canvas, i * x, i * y, box.width, box.height);
  });
}

/** How likely the likeliest classes are. @param {Sheet} sheet @param {ImageBitmap} _ @param {Shown} shown */
function drawAnswer({ context, width, height, colour }, _, { trace: { top, features, scores } }) {
  const values = top.length ? top.map(({ score }) => score) : Array.from(features.slice(0, 24), Math.abs);
  const most = scores === 'none' || !top.length ? Math.max(...values) || 1 : 1;
  const each = height / values.length;
  values.forEach((value, i) => {
    context.fillStyle = colour('--well');
    context.fillRect(0, i * each, width, 0.7 * each);
    context.fillStyle = colour(i || !top.length ? '--bar-rest' : '--bar');
    context.fillRect(0, i * each, (width * Math.max(0, value)) / most, 0.7 * each);
  });
}

/** @type {{chapter: string, name: string, more: (facts: Record<string, string>, shown: Shown) => [name: string, more: string], draw: (sheet: Sheet, picture: ImageBitmap, shown: Shown) => void}[]} */
const STATIONS = [
  { chapter: 'cost', name: 'Photo', more: ({ image }) => ['Photo', `${image} pixels`], draw: drawPhoto },
  { chapter: 'patches', name: 'Patches', more: ({ patches, patch }) => [`${patches} patches`, `${patch} pixels each`], draw: drawPatches },
  { chapter: 'tokens', name: 'Tokens', more: ({ tokens, width }) => [`${tokens} tokens`, `${width} numbers each`], draw: drawTokens },
  { chapter: 'attention', name: 'Layers', more: ({ layers, heads }) => [`${layers} layers`, `${heads} heads each`], draw: drawLayers },
  { chapter: 'answer', name: 'Answer', more: ({ answer, score, features }, { trace }) => (trace.top.length ? [answer, score] : ['Features', `${features} numbers`]), draw: drawAnswer },
];

/**
 * @param {HTMLElement} list
 * @param {(chapter: string) => void} open
 */
export function createWay(list, open) {
  /** @type {Shown | undefined} */
  let shown;
  /** @type {ImageBitmap | undefined} */
  let picture;
  const stations = STATIONS.map(({ chapter, name, more, draw }) => {
    const plane = createPlane('', (sheet) => {
      if (shown && picture) return draw(sheet, picture, shown);
      sheet.context.fillStyle = sheet.colour('--well');
      sheet.context.fillRect(0, 0, sheet.width, sheet.height);
    }, { 'aria-hidden': 'true' });
    const [title, detail] = [make('span', { class: 'name' }, [name]), make('span', { class: 'more' }, ['\u00a0'])];
    const link = make('a', { href: `#chapter=${chapter}` }, [plane.element, title, detail]);
    link.addEventListener('click', (event) => {
      event.preventDefault();
      open(chapter);
    });
    list.append(make('li', {}, [link]));
    return {
      /** @param {Record<string, string>} facts */
      show(facts) {
        if (shown) [title.textContent, detail.textContent] = more(facts, shown);
        plane.draw();
      },
    };
  });

  return {
    /** @param {Shown | undefined} next undefined: there is no answer yet */
    async show(next) {
      if (shown?.trace === next?.trace && shown?.look === next?.look) return;
      shown = next;
      if (!next) return;
      const decoded = await pictureOf(next.image);
      if (shown !== next) return;
      picture = decoded;
      const facts = factsOf(next);
      stations.forEach((station) => station.show(facts));
    },
  };
}
